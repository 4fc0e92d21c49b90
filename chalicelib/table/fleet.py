"""The lease on the fleet: one drift run goes over it at a time, from where the last one ended."""

from collections.abc import Sequence

from msgspec.structs import replace

from chalicelib.table.lease import ATTRIBUTES, Lease
from chalicelib.table.rows import key
from chalicelib.table.table import Table
from chalicelib.work.operation import closing

_KEY = key("lock", "drift-run")
_ASK_AGAIN = 900
"""Seconds after which it is worth asking again: the state machine may have ended long before."""


class Fleet:
    """The fleet, as one operation holds it."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def hold(self, run: str | None = None, seconds: float = 0) -> list[str]:
        """Hold the fleet for a drift run.

        Args:
            run: the id of a run that goes on beyond this operation, for whose steps the fleet is
                held; for this operation alone unless given.
            seconds: how long such a run takes at most.

        Returns:
            Where this run starts, as the last one said in `release`.

        Raises:
            Busy: another drift run holds it.
        """
        # Read first: between holding and the run, nothing is left that could fail.
        answer = self._table.get("reading the fleet's lease", _KEY) or {}
        taken, now = Lease.taken(self._table), self._table.now()
        if run is not None:
            taken = replace(taken, id=run, until=now + seconds)
        lease = taken.attributes
        # What the lease before this one told, and this one does not, goes.
        gone = [name for name in ATTRIBUTES if name not in lease]
        found = self._table.write(
            "holding the fleet",
            {
                "Update": {
                    "Key": _KEY,
                    "UpdateExpression": f"SET {', '.join(f'{name} = :{name}' for name in lease)}"
                    + (f" REMOVE {', '.join(gone)}" if gone else ""),
                    "ConditionExpression": "attribute_not_exists(lease) OR lease_until <= :now "
                    "OR lease = :lease",
                    "ExpressionAttributeValues": {
                        ":now": {"N": str(now)},
                        **{f":{name}": value for name, value in lease.items()},
                    },
                }
            },
        )
        holder = Lease.read(found) if found else None
        if holder is not None:
            busy = holder.busy("The fleet", now)
            busy.retry_after = min(busy.retry_after, _ASK_AGAIN)
            raise busy
        return [each["S"] for each in answer.get("starts", {}).get("L", ())]

    def release(self, starts: Sequence[str], run: str | None = None) -> None:
        """Let go of the fleet, and record where the next run starts.

        Args:
            starts: `account/name`, one of each account that was not done, the one to begin with
                first.
            run: the run that it is held for, if not for this operation.

        Where another run took over after the lease ran out, its word stands.
        """
        values = {
            ":lease": {"S": run or self._table.operation.id},
            ":starts": {"L": [{"S": each} for each in starts]},
        }
        with closing():
            self._table.write(
                "releasing the fleet",
                {
                    "Update": {
                        "Key": _KEY,
                        "UpdateExpression": f"REMOVE {', '.join(ATTRIBUTES)} SET starts = :starts",
                        "ConditionExpression": "lease = :lease",
                        "ExpressionAttributeValues": values,
                    }
                },
            )
