"""Calls to DynamoDB, sent for one operation: the table is made where a write finds none.

What AWS's SDK does not try again by itself, a part left undone or a transaction that met another,
is tried again after a pause that the operation's time allows.
"""

import random
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from chalicelib.aws.accounts import Home
from chalicelib.aws.answers import MISSING, OutOfTime, code_of, translated
from chalicelib.errors import Unavailable
from chalicelib.table.making import make
from chalicelib.work.operation import Operation

Item = dict[str, Any]
"""A row as DynamoDB hands it over: typed values by the name of the attribute."""

Write = dict[str, dict[str, Any]]
"""What is to be written, such as `{"Put": {"Item": ...}}`: an entry of `TransactWriteItems`."""

TRIES = 6

_SINGLY = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}

_PASSING = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "None"}
"""Why a transaction was cancelled that may go through the next time."""

_READS: dict[str, Any] = {
    "get_item": {},
    "query": {"Items": [], "Count": 0},
    "batch_get_item": {"Responses": {}},
}
"""Calls that find nothing where there is no table, and what they then answer."""


class Sender:
    """DynamoDB, as one operation speaks to it about one table."""

    def __init__(self, home: Home, name: str, operation: Operation) -> None:
        self._home = home
        self.name = name
        self.operation = operation

    def ensure(self) -> None:
        """Make the table if it is missing, and put right what of its settings is off.

        Raises:
            TrivetError: AWS refuses or fails.
        """
        try:
            make(self._home.dynamodb, self.name)
        except (ClientError, BotoCoreError, WaiterError) as error:
            raise translated(error, f"making table {self.name}") from error

    def write(self, write: Write) -> Item | None:
        """Write one row; return `None`, or the row that stood against it, {} if there was none."""
        ((kind, parameters),) = write.items()
        try:
            self.send(_SINGLY[kind], ReturnValuesOnConditionCheckFailure="ALL_OLD", **parameters)
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            refused: Any = error
            return dict(refused.response.get("Item") or {})
        return None

    def transact(self, doing: str, writes: Sequence[Write]) -> Item | None:
        """Write rows as one; return `None`, or the row that stood against the first of them."""
        parameters = {
            "TransactItems": [self._named(write) for write in writes],
            "ClientRequestToken": self._token(writes),
        }
        for attempt in range(1, TRIES + 1):
            try:
                self.send("transact_write_items", named=False, **parameters)
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
            self.pause(doing, attempt)
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

    def pause(self, doing: str, attempt: int) -> None:
        """Wait before DynamoDB is asked for the rest, or again.

        Raises:
            Unavailable: it was asked often enough, or time ran out.
        """
        if attempt == TRIES:
            raise Unavailable(
                f"DynamoDB throttles, or others kept changing the same: {self.doing(doing)} "
                "failed past all retries. Call again to go on."
            )
        longest = 0.1 * 2 ** (attempt - 1)
        if self.operation.time_left() < longest:
            raise translated(OutOfTime(), self.doing(doing))
        self.operation.clock.sleep(random.uniform(longest / 2, longest))  # noqa: S311

    def doing(self, doing: str) -> str:
        """Return what is being done, with the table's name."""
        return f"{doing} in table {self.name}"

    def call(self, doing: str, call: str, **parameters: Any) -> Any:
        """Make one call that reads, or writes in a batch.

        Raises:
            TrivetError: with `doing` in its message.
        """
        named = not call.startswith("batch")
        try:
            return self.send(call, named=named, **parameters)
        except (ClientError, BotoCoreError) as error:
            raise translated(error, self.doing(doing)) from error

    def send(self, call: str, named: bool = True, **parameters: Any) -> Any:
        """Make one call; for a write the table is made where it is missing.

        Args:
            named: the call takes the table's name as a parameter of its own.
        """
        if named:
            parameters["TableName"] = self.name
        function: Callable[..., Any] = getattr(self._home.dynamodb, call)
        try:
            return function(**parameters)
        except ClientError as error:
            if code_of(error) not in MISSING:
                raise
        if call in _READS:
            return _READS[call]
        self.ensure()
        return function(**parameters)
