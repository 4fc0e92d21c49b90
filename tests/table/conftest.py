"""The table over moto in this process: a wire that records, loses answers and fails on demand."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

import botocore.session
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.dynamodb.models import dynamodb_backends

from chalicelib.aws.accounts import Home
from chalicelib.model.change import ChangeDocument
from chalicelib.model.desired import Place
from chalicelib.model.environment import Declaration, Environment
from chalicelib.table.entry import Entry, item_of
from chalicelib.table.environments import Environments
from chalicelib.table.hold import Hold
from chalicelib.table.records import Records
from chalicelib.table.table import MOST_WRITES, Table
from chalicelib.work.operation import Clock, Operation, under_way

HOME = "123456789012"
MEMBER = "210987654321"
NAME = "datalake-consumer-dev"
CALLER = "arn:aws:iam::123456789012:user/ann"
START = 1_795_560_000.0
LEASE = 28
"""Seconds from the beginning of an operation to the end of its lease."""


class FakeClock(Clock):
    def __init__(self) -> None:
        self.time = START

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class Wire:
    """A DynamoDB client that records calls, and does to some of them what a network does."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.calls: Counter[str] = Counter()
        self.faults: dict[str, list[Callable[[Callable[[], Any]], Any]]] = {}

    def lose_answer(self, call: str) -> None:
        """Have the next such call take effect unheard, and be sent again as botocore does."""

        def twice(send: Callable[[], Any]) -> Any:
            send()
            return send()

        self.faults.setdefault(call, []).append(twice)

    def fail(self, call: str, code: str, **more: Any) -> None:
        """Have the next such call fail with this error code."""

        def refuse(_: Callable[[], Any]) -> Any:
            answer: Any = {"Error": {"Code": code, "Message": "so it is"}, **more}
            raise ClientError(answer, call)

        self.faults.setdefault(call, []).append(refuse)

    def before(self, call: str, action: Callable[[], object]) -> None:
        """Have something happen just before the next such call."""

        def act(send: Callable[[], Any]) -> Any:
            action()
            return send()

        self.faults.setdefault(call, []).append(act)

    def __getattr__(self, call: str) -> Any:
        function = getattr(self._client, call)
        if call == "get_waiter":
            return function

        def recorded(**parameters: Any) -> Any:
            self.calls[call] += 1
            queue = self.faults.get(call)
            if queue:
                return queue.pop(0)(lambda: function(**parameters))
            return function(**parameters)

        return recorded


@dataclass
class FakeHome:
    dynamodb: Wire
    place: Place = field(default_factory=lambda: Place(HOME, "aws", "us-east-1"))


@dataclass
class Bench:
    """One table in memory, as any number of operations use it."""

    wire: Wire
    clock: FakeClock = field(default_factory=FakeClock)

    def table(self, caller: str | None = CALLER) -> Table:
        """The table as a new operation uses it, which begins now."""
        now = self.clock.now()
        current = Operation(
            started=now,
            deadline=now + 20,
            last_call=now + LEASE - 3,
            caller=caller,
            request_id="request-1",
            clock=self.clock,
        )
        return Table(cast("Home", FakeHome(self.wire)), "trivet-test", current)

    def environments(self, caller: str | None = CALLER) -> Environments:
        """The environments as a new operation uses them."""
        return Environments(self.table(caller))

    def made(self, name: str = NAME, account_id: str = HOME, **declared: Any) -> Entry:
        """Create an environment, release it as ready, and return it as then recorded."""
        environments = self.environments()
        hold = environments.create(environment(name, account_id, **declared), "create")
        assert isinstance(hold, Hold)
        with hold:
            hold.environment = environment(name, account_id, status="ready", **declared)
            hold.changes.append(change())
        return self.read(name, account_id)

    def read(self, name: str = NAME, account_id: str = HOME) -> Entry:
        """Return what is recorded."""
        entry = self.environments().get(account_id, name)
        assert entry is not None
        return entry

    def seed(self, entries: list[Entry]) -> None:
        """Have records with their index rows, without a transaction for each."""
        records = Records(self.table())
        items: list[dict[str, Any]] = []
        for entry in entries:
            indexed, index = records.indexed(entry, MOST_WRITES)
            items.append(item_of(records.pk(entry.environment.account_id), indexed))
            items += [put["Put"]["Item"] for put in index]
        self.store(items)

    def store(self, items: Iterable[dict[str, Any]]) -> None:
        """Have rows in the table that nobody sent: thousands in a second."""
        self.table().ensure()
        stored = dynamodb_backends[HOME]["us-east-1"].get_table("trivet-test")
        for item in items:
            stored.put_item(item)

    def rows(self, pk: str) -> list[dict[str, Any]]:
        """Return the rows under a key as they stand."""
        return list(self.table().query("looking", pk))

    def index(self, name: str = NAME, account_id: str = HOME) -> frozenset[str]:
        """Return the facets for which an index row of this environment stands."""
        answer = self.wire._client.scan(TableName="trivet-test")
        prefix = f"index#{account_id}#"
        return frozenset(
            item["pk"]["S"].removeprefix(prefix)
            for item in answer["Items"]
            if item["pk"]["S"].startswith(prefix) and item["sk"]["S"] == name
        )


def environment(
    name: str = NAME, account_id: str = HOME, status: Any = "incomplete", **declared: Any
) -> Environment:
    return Environment(
        name=name,
        account_id=account_id,
        partition="aws",
        region="us-east-1",
        declaration=Declaration(**declared),
        status=status,
    )


def change(summary: str = "creates role") -> ChangeDocument:
    return ChangeDocument("create_role", "notebook", "arn:role", summary, "none", {"a": 1}, None)


@cache
def _client() -> Any:
    session = botocore.session.Session()
    session.set_credentials("testing", "testing")
    return session.create_client("dynamodb", region_name="us-east-1")


@pytest.fixture
def bench() -> Iterator[Bench]:
    # The threads are this operation's; what is kept in the table is of those that `table` makes.
    with mock_aws(), under_way(Operation(started=0, deadline=0, last_call=0)):
        yield Bench(Wire(_client()))


@pytest.fixture(autouse=True)
def _working() -> Iterator[None]:
    """An operation to lend its threads; each table counts time for one of its own."""
    with under_way(Operation(started=START, deadline=START, last_call=START)):
        yield
