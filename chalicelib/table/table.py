"""The one boundary to DynamoDB: reads, conditional writes and transactions on one table.

A read where there is no table finds nothing, and makes none: a dry run writes nothing. A write
makes it.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from chalicelib.aws.accounts import Home
from chalicelib.aws.answers import MISSING, OutOfTime, code_of, translated
from chalicelib.aws.clients import LAST_CALL_TIMEOUT
from chalicelib.errors import Unavailable, Unreadable
from chalicelib.table.making import make
from chalicelib.work.operation import Operation

Item = dict[str, Any]
"""A row as DynamoDB hands it over: typed values by the name of the attribute."""

Write = dict[str, dict[str, Any]]
"""What is to be written, such as `{"Put": {"Item": ...}}`: an entry of `TransactWriteItems`."""

Condition = dict[str, Any]
"""On what something is written: `ConditionExpression`, `ExpressionAttributeValues`."""

MOST_WRITES = 100
"""Rows of one transaction, https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
as are the two that follow."""

_MOST_READS = 100
_MOST_IN_A_BATCH = 25

_READS: Mapping[str, Any] = {
    "get_item": {},
    "query": {"Items": [], "Count": 0},
    "batch_get_item": {"Responses": {}},
}
"""Calls that find nothing where there is no table, and what they then answer."""

_SINGLY = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}

_PASSING = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "None"}
"""Why a transaction was cancelled that may go through the next time."""

_TRIES = 6


class Table:
    """The table, as one operation uses it."""

    def __init__(self, home: Home, name: str, operation: Operation) -> None:
        self.home = home
        self.name = name
        self.operation = operation
        self.unreadable: list[Unreadable] = []
        """The rows that listings of this operation had to leave out."""

    def now(self) -> float:
        """Return the seconds since the epoch."""
        return self.operation.clock.now()

    def lease_until(self) -> float:
        """Return when a lease taken now runs out, in seconds since the epoch.

        That is past the last moment at which a call of this operation can still take effect.
        """
        return self.operation.last_call + LAST_CALL_TIMEOUT

    def get(self, doing: str, key: Item) -> Item | None:
        """Return one row, or `None` where there is none.

        Args:
            doing: what is being done to which resource, e.g. "reading environment a-dev".
        """
        item: Item | None = self._call(doing, "get_item", Key=key, ConsistentRead=True).get("Item")
        return item

    def get_all(self, doing: str, keys: Sequence[Item]) -> dict[tuple[str, str], Item]:
        """Return the rows of these keys that are there, by `(pk, sk)`."""
        found: dict[tuple[str, str], Item] = {}
        for at in range(0, len(keys), _MOST_READS):
            left = {"Keys": list(keys[at : at + _MOST_READS]), "ConsistentRead": True}
            for attempt in range(1, _TRIES + 1):
                answer = self._call(doing, "batch_get_item", RequestItems={self.name: left})
                for item in answer["Responses"].get(self.name, []):
                    found[item["pk"]["S"], item["sk"]["S"]] = item
                left = answer.get("UnprocessedKeys", {}).get(self.name)
                if not left:
                    break
                self._pause(doing, attempt)
        return found

    def query(self, doing: str, pk: str, **parameters: Any) -> Iterator[Item]:
        """Return the rows under this key, read page by page as they are needed.

        Args:
            parameters: more of `Query`'s; the condition's further values are named `:from`, `:to`.
        """
        request = {"KeyConditionExpression": "pk = :pk", "ConsistentRead": True, **parameters}
        values = {":pk": {"S": pk}, **parameters.get("ExpressionAttributeValues", {})}
        request["ExpressionAttributeValues"] = values
        while True:
            answer = self._call(doing, "query", **request)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def count(self, doing: str, pk: str) -> int:
        """Return how many rows are under this key."""
        total = 0
        start: dict[str, Any] = {}
        while True:
            answer = self._call(
                doing,
                "query",
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": pk}},
                Select="COUNT",
                ConsistentRead=True,
                **start,
            )
            total += int(answer["Count"])
            if "LastEvaluatedKey" not in answer:
                return total
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def write(self, doing: str, first: Write, others: Sequence[Write] = ()) -> Item | None:
        """Write one row on its condition, and with it others that have none: all, or nothing.

        Args:
            first: alone it may have a `ConditionExpression`.

        Returns:
            `None` if it was written, else the row that stood against it, {} if there was none.

        Raises:
            TrivetError: with `doing` in its message.
        """
        try:
            return self._transact(doing, [first, *others]) if others else self._write(first)
        except (ClientError, BotoCoreError) as error:
            raise translated(error, self._doing(doing)) from error

    def write_all(self, doing: str, writes: Sequence[Write]) -> None:
        """Write rows in no order and on no condition: sent again, they come out the same.

        Args:
            writes: `Put` and `Delete`, each row once, 400 KB at most.

        Raises:
            TrivetError: some may not have been written.
        """
        requests = [{f"{kind}Request": what} for each in writes for kind, what in each.items()]
        for at in range(0, len(requests), _MOST_IN_A_BATCH):
            left = requests[at : at + _MOST_IN_A_BATCH]
            for attempt in range(1, _TRIES + 1):
                answer = self._call(doing, "batch_write_item", RequestItems={self.name: left})
                left = answer.get("UnprocessedItems", {}).get(self.name, [])
                if not left:
                    break
                self._pause(doing, attempt)

    def ensure(self) -> None:
        """Make the table if it is missing, and put right what of its settings is off.

        Raises:
            TrivetError: AWS refuses or fails.
        """
        try:
            make(self.home.dynamodb, self.name)
        except (ClientError, BotoCoreError, WaiterError) as error:
            raise translated(error, f"making table {self.name}") from error

    def _write(self, write: Write) -> Item | None:
        ((kind, parameters),) = write.items()
        try:
            self._send(_SINGLY[kind], ReturnValuesOnConditionCheckFailure="ALL_OLD", **parameters)
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            refused: Any = error
            return dict(refused.response.get("Item") or {})
        return None

    def _transact(self, doing: str, writes: Sequence[Write]) -> Item | None:
        parameters = {
            "TransactItems": [self._named(write) for write in writes],
            "ClientRequestToken": self._token(writes),
        }
        for attempt in range(1, _TRIES + 1):
            try:
                self._send("transact_write_items", named=False, **parameters)
                return None
            except ClientError as error:
                refused: Any = error
                reasons = refused.response.get("CancellationReasons")
                if code_of(error) != "TransactionCanceledException" or not reasons:
                    raise
                if reasons[0].get("Code") == "ConditionalCheckFailed":
                    return dict(reasons[0].get("Item") or {})
                if not {each.get("Code", "None") for each in reasons} <= _PASSING:
                    raise
            self._pause(doing, attempt)
        return None  # not reached: the last pause raises

    def _token(self, writes: Sequence[Write]) -> str:
        """Return what DynamoDB knows a transaction by: the same again takes effect once."""
        said = self.operation.id.encode() + msgspec.json.encode(writes)
        return sha256(said).hexdigest()[:36]

    def _named(self, write: Write) -> Write:
        ((kind, what),) = write.items()
        named = {"TableName": self.name, **what}
        if "ConditionExpression" in what:
            named["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        return {kind: named}

    def _pause(self, doing: str, attempt: int) -> None:
        """Wait before DynamoDB is asked for the rest, or again.

        Raises:
            Unavailable: it was asked often enough, or time ran out.
        """
        if attempt == _TRIES:
            raise Unavailable(
                f"DynamoDB throttles, or others kept changing the same: {self._doing(doing)} "
                "failed past all retries. Call again to go on."
            )
        longest = 0.1 * 2 ** (attempt - 1)
        if self.operation.time_left() < longest:
            raise translated(OutOfTime(), self._doing(doing))
        self.operation.clock.sleep(random.uniform(longest / 2, longest))  # noqa: S311

    def _doing(self, doing: str) -> str:
        return f"{doing} in table {self.name}"

    def _call(self, doing: str, call: str, **parameters: Any) -> Any:
        named = not call.startswith("batch")
        try:
            return self._send(call, named=named, **parameters)
        except (ClientError, BotoCoreError) as error:
            raise translated(error, self._doing(doing)) from error

    def _send(self, call: str, named: bool = True, **parameters: Any) -> Any:
        """Make one call; for a write the table is made where it is missing.

        Args:
            named: the call takes the table's name as a parameter of its own.
        """
        if named:
            parameters["TableName"] = self.name
        function: Callable[..., Any] = getattr(self.home.dynamodb, call)
        try:
            return function(**parameters)
        except ClientError as error:
            if code_of(error) not in MISSING:
                raise
        if call in _READS:
            return _READS[call]
        self.ensure()
        return function(**parameters)
