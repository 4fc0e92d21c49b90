"""The lease on the fleet: one drift run goes over it at a time, from where the last one ended."""

from chalicelib.table.lease import ATTRIBUTES, Lease
from chalicelib.table.rows import key
from chalicelib.table.table import Table
from chalicelib.work.operation import closing

_KEY = key("lock", "drift-run")


class Fleet:
    """The fleet, as one operation holds it."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def hold(self) -> str | None:
        """Hold the fleet for a drift run.

        Returns:
            Where this run starts, as the last one said in `release`; `None` for the beginning.

        Raises:
            Busy: another drift run holds it.
        """
        # Read first: between holding and the run, nothing is left that could fail.
        answer = self._table.get("reading the fleet's lease", _KEY) or {}
        lease, now = Lease.taken(self._table).attributes, self._table.now()
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
            raise holder.busy("The fleet", now)
        start = answer.get("next_start")
        return None if start is None else str(start["S"])

    def release(self, next_start: str | None) -> None:
        """Let go of the fleet, and record where the next run starts.

        Where another run took over after the lease ran out, its word stands.
        """
        values = {":lease": {"S": self._table.operation.id}}
        update = f"REMOVE {', '.join(ATTRIBUTES)}"
        if next_start is None:
            update += ", next_start"
        else:
            update += " SET next_start = :start"
            values[":start"] = {"S": next_start}
        with closing():
            self._table.write(
                "releasing the fleet",
                {
                    "Update": {
                        "Key": _KEY,
                        "UpdateExpression": update,
                        "ConditionExpression": "lease = :lease",
                        "ExpressionAttributeValues": values,
                    }
                },
            )
