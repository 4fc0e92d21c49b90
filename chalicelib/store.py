"""Declared state: one DynamoDB table, apart from IAM, made when it is missing.

    pk               sk                    what
    environment      <name>                an environment and the lease on it
    drift-run        <finished at>#<id>    the head of a drift report: how many parts it has
    drift-run#<id>   <part>                a part of it, as large as an item can be
    lock             drift-run             the lease on the fleet, and where the next run starts

Every write is conditional and carries the id of its operation, so that one whose answer was
lost is recognised when botocore sends it again. A lease runs out by itself.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from chalicelib import errors, operation
from chalicelib.aws import LAST_CALL_TIMEOUT, Account
from chalicelib.operation import Operation
from chalicelib.records import Environment

_ENVIRONMENT = "environment"
_DRIFT_RUN = "drift-run"
_LOCK_KEY = {"pk": {"S": "lock"}, "sk": {"S": _DRIFT_RUN}}

_READS = ("get_item", "query")
"""Calls that find nothing where there is no table, and make none: a dry run writes nothing."""

REPORTS_KEPT = 30
_PART = 350_000
"""Bytes per item: DynamoDB's limit is 400 KB, names of attributes included."""


_MAKING_TABLE = Lock()
"""Of many first requests at once, one makes the table."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An environment as stored, with what guards it."""

    environment: Environment
    version: int
    lease: str | None = None
    lease_until: float = 0.0

    def is_held(self, now: float) -> bool:
        """Tell whether an operation still holds it."""
        return self.lease is not None and self.lease_until > now


class Store:
    """The table, as one operation uses it."""

    def __init__(self, account: Account, table: str, current: Operation) -> None:
        self._account = account
        self._table = table
        self._operation = current

    def get(self, name: str) -> Entry | None:
        """Return the environment, or `None` if none of that name is recorded."""
        answer = self._call(
            f"reading environment {name}",
            "get_item",
            Key=_key(name),
            ConsistentRead=True,
        )
        item = answer.get("Item")
        return _entry(item) if item else None

    def create(self, environment: Environment) -> Entry | None:
        """Record a new environment and hold it.

        Returns:
            `None` if that worked, else the environment of that name that exists already.
        """
        entry = Entry(environment, 1, self._operation.id, self._lease_until())
        found = self._conditionally(
            f"recording environment {environment.name}",
            "put_item",
            Item=_item(entry),
            ConditionExpression="attribute_not_exists(pk)",
        )
        if found is None or found.get("lease") == {"S": self._operation.id}:
            return None
        return _entry(found)

    def hold(self, entry: Entry, environment: Environment) -> bool:
        """Hold an environment, and record what it is now declared to be.

        Args:
            entry: as last read; it must not have changed since, and nobody may hold it.

        Returns:
            Whether that worked. If not, it is to be read again.
        """
        held = Entry(environment, entry.version + 1, self._operation.id, self._lease_until())
        found = self._conditionally(
            f"holding environment {environment.name}",
            "put_item",
            Item=_item(held),
            ConditionExpression="version = :version AND "
            "(attribute_not_exists(lease) OR lease_until <= :now)",
            ExpressionAttributeValues={
                ":version": {"N": str(entry.version)},
                ":now": {"N": str(self._operation.clock.now())},
            },
        )
        return found is None or found.get("lease") == {"S": self._operation.id}

    def release(self, entry_version: int, environment: Environment) -> None:
        """Record what became of a held environment, and let go of it.

        Args:
            entry_version: the version that `create` (1) or `hold` (one more than before) made.

        Raises:
            Busy: the lease ran out and another call took over.
        """
        item = _item(Entry(environment, entry_version + 1))
        item["released_by"] = {"S": self._operation.id}
        found = self._end(environment.name, "recording", "put_item", Item=item)
        if found is not None and found.get("released_by") != {"S": self._operation.id}:
            raise self._taken_over(environment.name, found)

    def remove(self, name: str) -> None:
        """Forget a held environment.

        Raises:
            Busy: the lease ran out and another call took over.
        """
        found = self._end(name, "removing the record of", "delete_item", Key=_key(name))
        if found:
            raise self._taken_over(name, found)

    def _end(self, name: str, doing: str, call: str, **parameters: Any) -> dict[str, Any] | None:
        try:
            with operation.closing():
                return self._conditionally(
                    f"{doing} environment {name}",
                    call,
                    ConditionExpression="lease = :lease",
                    ExpressionAttributeValues={":lease": {"S": self._operation.id}},
                    **parameters,
                )
        except errors.Unavailable as error:
            # Until the lease has run out, the same call again would find the environment held.
            held_for = math.ceil(self._lease_until() - self._operation.clock.now())
            error.retry_after = max(error.retry_after, held_for)
            raise

    def _taken_over(self, name: str, found: dict[str, Any]) -> errors.Busy:
        return errors.Busy(
            f"Another call took over environment {name} after this one ran out of time. "
            "Call again.",
            retry_after=_seconds_left(found, self._operation.clock.now()),
        )

    def page(self, limit: int, after: str | None) -> tuple[list[Environment], str | None]:
        """Return up to `limit` environments by name, and after which name the next page starts."""
        found: list[Environment] = []
        for environment in self.all(after, limit + 1):
            found.append(environment.environment)
            if len(found) > limit:
                return found[:limit], found[limit - 1].name
        return found, None

    def all(self, after: str | None = None, page: int = 1_000) -> Iterator[Entry]:
        """Return all environments by name, read page by page as they are needed."""
        start = {} if after is None else {"ExclusiveStartKey": _key(after)}
        for item in self._items("listing environments", _ENVIRONMENT, Limit=page, **start):
            yield _entry(item)

    def hold_fleet(self) -> str | None:
        """Hold the fleet for a drift run.

        Returns:
            The name of the environment at which this run starts, or `None` for the first.

        Raises:
            Busy: another drift run holds it.
        """
        # Read first: between holding and the run, nothing is left that could fail.
        answer = self._call(
            "reading the fleet's lease", "get_item", Key=_LOCK_KEY, ConsistentRead=True
        )
        start = answer.get("Item", {}).get("next_start")
        now = self._operation.clock.now()
        found = self._conditionally(
            "holding the fleet",
            "update_item",
            Key=_LOCK_KEY,
            UpdateExpression="SET lease = :lease, lease_until = :until",
            ConditionExpression="attribute_not_exists(lease) OR lease_until <= :now "
            "OR lease = :lease",
            ExpressionAttributeValues={
                ":lease": {"S": self._operation.id},
                ":until": {"N": str(self._lease_until())},
                ":now": {"N": str(now)},
            },
        )
        if found is not None:
            raise errors.Busy(
                "Another drift run is going on. Call again when it has ended.",
                retry_after=_seconds_left(found, now),
            )
        return None if start is None else str(start["S"])

    def release_fleet(self, next_start: str | None) -> None:
        """Let go of the fleet, and record where the next run starts."""
        values = {":lease": {"S": self._operation.id}}
        if next_start is not None:
            values[":start"] = {"S": next_start}
        with operation.closing():
            self._conditionally(
                "releasing the fleet",
                "update_item",
                Key=_LOCK_KEY,
                UpdateExpression="REMOVE lease, lease_until"
                + (", next_start" if next_start is None else " SET next_start = :start"),
                ConditionExpression="lease = :lease",
                ExpressionAttributeValues=values,
            )

    def add_report(self, run: str, finished_at: str, report: bytes) -> None:
        """Keep a drift report, in as many parts as it needs, and drop the oldest."""
        head = {"pk": {"S": _DRIFT_RUN}, "sk": {"S": f"{finished_at}#{run}"}, "run": {"S": run}}
        parts = [report[at : at + _PART] for at in range(0, len(report), _PART)]
        doing = f"keeping drift report {run}"
        # The head stands first, so that a run that dies leaves no part that nobody finds. Only
        # with the number of parts, which comes last, the report counts.
        self._call(doing, "put_item", Item=head)
        for number, part in enumerate(parts):
            self._call(doing, "put_item", Item={**_part_key(run, number), "report": {"B": part}})
        self._call(doing, "put_item", Item={**head, "parts": {"N": str(len(parts))}})
        self._prune_reports()

    def latest_report(self) -> bytes | None:
        """Return the newest drift report that was kept whole, or `None`."""
        doing = "reading the drift report"
        for head in self._items(doing, _DRIFT_RUN, ScanIndexForward=False, Limit=1):
            if "parts" in head:
                parts = self._items(doing, f"{_DRIFT_RUN}#{head['run']['S']}")
                return b"".join(part["report"]["B"] for part in parts)
        return None

    def _prune_reports(self) -> None:
        doing = "dropping old drift reports"
        heads = list(self._items(doing, _DRIFT_RUN, ScanIndexForward=False))
        for head in heads[REPORTS_KEPT:]:
            run = head["run"]["S"]
            parts = self._items(doing, f"{_DRIFT_RUN}#{run}", ProjectionExpression="pk, sk")
            for item in [*parts, head]:
                self._call(doing, "delete_item", Key={"pk": item["pk"], "sk": item["sk"]})

    def _items(self, doing: str, pk: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Return the rows under this key, read page by page as they are needed."""
        while True:
            answer = self._call(
                doing,
                "query",
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": pk}},
                ConsistentRead=True,
                **parameters,
            )
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            parameters["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def ensure_table(self) -> None:
        """Make the table if it is missing, and turn on point-in-time recovery if it is off."""
        doing = f"making table {self._table}"
        try:
            with _MAKING_TABLE:
                self._make_table()
            self._ensure_recovery()
        except (ClientError, BotoCoreError, WaiterError) as error:
            raise errors.translated(error, doing) from error

    def _make_table(self) -> None:
        client = self._account.dynamodb
        try:
            client.describe_table(TableName=self._table)
            return
        except ClientError as error:
            if errors.code_of(error) not in errors.MISSING:
                raise
        try:
            client.create_table(
                TableName=self._table,
                KeySchema=[
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
                AttributeDefinitions=[
                    {"AttributeName": "pk", "AttributeType": "S"},
                    {"AttributeName": "sk", "AttributeType": "S"},
                ],
                BillingMode="PAY_PER_REQUEST",
                SSESpecification={"Enabled": True},
            )
        except ClientError as error:
            # Another request made it just now.
            if errors.code_of(error) != "ResourceInUseException":
                raise
        waiter = client.get_waiter("table_exists")
        waiter.wait(TableName=self._table, WaiterConfig={"Delay": 1, "MaxAttempts": 20})

    def _ensure_recovery(self) -> None:
        client = self._account.dynamodb
        answer = client.describe_continuous_backups(TableName=self._table)
        recovery = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
        if recovery.get("PointInTimeRecoveryStatus") == "ENABLED":
            return
        try:
            client.update_continuous_backups(
                TableName=self._table,
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
            )
        except ClientError as error:
            # AWS turns on backups of a new table in its own time; the next drift run tries again.
            if errors.code_of(error) != "ContinuousBackupsUnavailableException":
                raise

    def _lease_until(self) -> float:
        # Past the last moment at which a call of this operation can still take effect.
        return self._operation.last_call + LAST_CALL_TIMEOUT

    def _call(self, doing: str, call: str, **parameters: Any) -> Any:
        """Make one DynamoDB call. For a write the table is made where it is missing.

        Raises:
            TrivetError: with `doing` in its message.
        """
        try:
            return self._send(call, parameters)
        except (ClientError, BotoCoreError) as error:
            raise errors.translated(error, f"{doing} in table {self._table}") from error

    def _conditionally(self, doing: str, call: str, **parameters: Any) -> dict[str, Any] | None:
        """Make one conditional write.

        Returns:
            `None` if it was made, else the item that stood against it, {} if there was none.
        """
        parameters["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        try:
            self._send(call, parameters)
        except (ClientError, BotoCoreError) as error:
            if errors.code_of(error) == "ConditionalCheckFailedException":
                refused: Any = error
                return dict(refused.response.get("Item") or {})
            raise errors.translated(error, f"{doing} in table {self._table}") from error
        return None

    def _send(self, call: str, parameters: dict[str, Any]) -> Any:
        function: Callable[..., Any] = getattr(self._account.dynamodb, call)
        try:
            return function(TableName=self._table, **parameters)
        except ClientError as error:
            if errors.code_of(error) not in errors.MISSING:
                raise
        if call in _READS:
            return {"Items": []}
        self.ensure_table()
        return function(TableName=self._table, **parameters)


def _key(name: str) -> dict[str, Any]:
    return {"pk": {"S": _ENVIRONMENT}, "sk": {"S": name}}


def _part_key(run: str, number: int) -> dict[str, Any]:
    return {"pk": {"S": f"{_DRIFT_RUN}#{run}"}, "sk": {"S": f"{number:05}"}}


def _item(entry: Entry) -> dict[str, Any]:
    item = {
        **_key(entry.environment.name),
        "version": {"N": str(entry.version)},
        "document": {"S": msgspec.json.encode(entry.environment).decode()},
    }
    if entry.lease is not None:
        item["lease"] = {"S": entry.lease}
        item["lease_until"] = {"N": str(entry.lease_until)}
    return item


def _entry(item: dict[str, Any]) -> Entry:
    lease = item.get("lease")
    return Entry(
        environment=msgspec.json.decode(item["document"]["S"], type=Environment),
        version=int(item["version"]["N"]),
        lease=lease and lease["S"],
        lease_until=float(item["lease_until"]["N"]) if lease else 0.0,
    )


def _seconds_left(item: dict[str, Any], now: float) -> int:
    until = float(item.get("lease_until", {"N": "0"})["N"])
    return max(1, math.ceil(until - now))
