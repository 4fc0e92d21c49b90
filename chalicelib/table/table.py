"""The one boundary to DynamoDB: reads, conditional writes and transactions on one table.

A read where there is no table finds nothing, and makes none: a dry run writes nothing. A write
makes it.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ParamSpec, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.accounts import Home
from chalicelib.aws.answers import translated
from chalicelib.aws.clients import LAST_CALL_TIMEOUT
from chalicelib.errors import Unreadable
from chalicelib.table.sending import TRIES, Item, Sender, Write
from chalicelib.work.operation import Operation

P = ParamSpec("P")
T = TypeVar("T")

Condition = dict[str, Any]
"""On what something is written: `ConditionExpression`, `ExpressionAttributeValues`."""

MOST_WRITES = 100
"""Rows of one transaction, https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
as are the two that follow."""

_MOST_READS = 100
_MOST_IN_A_BATCH = 25


class Table:
    """The table, as one operation uses it."""

    def __init__(self, home: Home, name: str, operation: Operation) -> None:
        self.home = home
        self.name = name
        self.operation = operation
        self._sender = Sender(home, name, operation)
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
        item: Item | None = self._sender.call(doing, "get_item", Key=key, ConsistentRead=True).get(
            "Item"
        )
        return item

    def get_all(self, doing: str, keys: Sequence[Item]) -> dict[tuple[str, str], Item]:
        """Return the rows of these keys that are there, by `(pk, sk)`."""
        found: dict[tuple[str, str], Item] = {}
        for at in range(0, len(keys), _MOST_READS):
            left = {"Keys": list(keys[at : at + _MOST_READS]), "ConsistentRead": True}
            for attempt in range(1, TRIES + 1):
                answer = self._sender.call(doing, "batch_get_item", RequestItems={self.name: left})
                for item in answer["Responses"].get(self.name, []):
                    found[item["pk"]["S"], item["sk"]["S"]] = item
                left = answer.get("UnprocessedKeys", {}).get(self.name)
                if not left:
                    break
                self._sender.pause(doing, attempt)
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
            answer = self._sender.call(doing, "query", **request)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def readable(self, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Return what a row reads as; `None` where it cannot be read, which `unreadable` tells.

        Args:
            read: given the rest of the arguments, it reads the row, and raises `Unreadable`.
        """
        try:
            return read(*args, **kwargs)
        except Unreadable as error:
            self.unreadable.append(error)
            return None

    def count(self, doing: str, pk: str) -> int:
        """Return how many rows are under this key."""
        total = 0
        start: dict[str, Any] = {}
        while True:
            answer = self._sender.call(
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
            if others:
                return self._sender.transact(doing, [first, *others])
            return self._sender.write(first)
        except (ClientError, BotoCoreError) as error:
            raise translated(error, self._sender.doing(doing)) from error

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
            for attempt in range(1, TRIES + 1):
                answer = self._sender.call(
                    doing, "batch_write_item", RequestItems={self.name: left}
                )
                left = answer.get("UnprocessedItems", {}).get(self.name, [])
                if not left:
                    break
                self._sender.pause(doing, attempt)

    def ensure(self) -> None:
        """Make the table if it is missing, and put right what of its settings is off.

        Raises:
            TrivetError: AWS refuses or fails.
        """
        self._sender.ensure()
