"""Rows that 1.0 wrote, and rows that do not say what they should."""

import json
from typing import Any

import pytest

from chalicelib.errors import Unreadable
from chalicelib.model.environment import Look, timestamp
from chalicelib.table.accounts import Accounts
from chalicelib.table.entry import Entry
from chalicelib.table.history import History
from chalicelib.table.listing import Filters
from chalicelib.table.reports import Reports
from tests.table.conftest import HOME, MEMBER, NAME, START, Bench

DOCUMENT: dict[str, Any] = {
    "name": NAME,
    "account_id": HOME,
    "partition": "aws",
    "region": "us-east-1",
    "declaration": {
        "tags": {"team": "datalake"},
        "permissions_boundary": None,
        "on_extras": "remove",
        "deletion_protection": True,
    },
    "status": "ready",
    "awaits_state_machine": False,
    "being_deleted": False,
    "unique_ids": {"arn:aws:iam::123456789012:role/x": "AROA1"},
    "smoke_test": {"status": "succeeded", "execution_arn": None, "checks": [], "since": 1.5},
    "created_at": timestamp(START),
    "created_by": None,
    "updated_at": timestamp(START),
    "updated_by": None,
    "checked_at": None,
}


def write(bench: Bench, pk: str, sk: str, **attributes: Any) -> None:
    item = {"pk": {"S": pk}, "sk": {"S": sk}, **attributes}
    bench.table().write_all("seeding", [{"Put": {"Item": item}}])


def write_record(bench: Bench, sk: str = NAME, pk: str = "environment", **more: Any) -> None:
    document = {"S": json.dumps({**DOCUMENT, "name": sk})}
    write(bench, pk, sk, **{"version": {"N": "3"}, "document": document, **more})


def test_a_record_of_1_0_is_read_held_and_indexed(bench: Bench) -> None:
    write_record(bench, released_by={"S": "an operation"})
    entry, environments = bench.read(), bench.environments()
    assert (entry.version, entry.indexed, entry.look) == (3, None, Look())
    assert entry.environment.declaration.profile == "standard"
    assert environments.page(HOME, 10, None, Filters(status="ready")) == ([], None)
    environments.look(entry, entry.own_look)
    indexed = bench.read()
    assert environments.page(HOME, 10, None, Filters(status="ready"))[0] == [indexed]
    assert bench.index() == indexed.facets == indexed.indexed
    hold = environments.hold(indexed, indexed.environment, "reapply")
    assert hold is not None
    with hold:
        pass
    assert bench.read().version == 5


def test_a_lease_of_1_0_counts(bench: Bench) -> None:
    until = bench.clock.now() + 10
    write_record(bench, lease={"S": "old"}, lease_until={"N": str(until)})
    entry, environments = bench.read(), bench.environments()
    assert entry.is_held(bench.clock.now())
    assert environments.hold(entry, entry.environment, "reapply") is None
    assert "another call (request old)" in str(environments.contended(HOME, NAME))
    bench.clock.time += 11
    hold = environments.hold(entry, entry.environment, "reapply")
    assert hold is not None
    assert bench.index() == entry.facets


@pytest.mark.parametrize(
    "broken",
    [
        {"document": {"S": "{"}},
        {"document": {"S": '{"name": "another-dev"}'}},
        {"document": {"S": json.dumps(DOCUMENT)}},
        {"document": {"S": json.dumps({**DOCUMENT, "name": "bad-dev", "account_id": MEMBER})}},
        {"document": {"N": "1"}},
        {"version": {"S": "one"}},
        {"lease": {"S": "x"}},
        {"under_way": {"B": b"no"}},
        {"facets": {"S": "status=ready"}},
    ],
)
def test_a_row_that_cannot_be_read_harms_only_itself(bench: Bench, broken: Any) -> None:
    write_record(bench)
    write_record(bench, "bad-dev", **broken)
    environments = bench.environments()
    with pytest.raises(Unreadable, match="environment / bad-dev"):
        environments.get(HOME, "bad-dev")
    page, cursor = environments.page(HOME, 10)
    assert ([each.environment.name for each in page], cursor) == ([NAME], None)
    assert "environment / bad-dev" in str(environments._table.unreadable[0])
    bad, good = environments.all(HOME)
    assert isinstance(bad, Unreadable)
    assert isinstance(good, Entry)


def test_a_record_under_another_accounts_key_is_not_believed(bench: Bench) -> None:
    write_record(bench, pk=f"environment#{MEMBER}")
    with pytest.raises(Unreadable, match=f"environment#{MEMBER} / {NAME}"):
        bench.environments().get(MEMBER, NAME)


def test_other_rows_that_cannot_be_read_harm_only_themselves(bench: Bench) -> None:
    write_record(bench)
    write(bench, "looked", HOME, look={"B": b"no"}, looked_at={"S": "?"})
    write(bench, f"history#{HOME}#{NAME}", "2026#x", entry={"B": b"no"})
    write(bench, "drift-run", "20261124T000000000Z-a", head={"B": b"no"})
    write(bench, "account", MEMBER, account={"S": "no"})
    assert bench.read().look == Look()
    table = bench.table()
    assert History(table).page(HOME, NAME, 10) == ([], None)
    assert Reports(table).list(10) == ([], None)
    assert Accounts(table).page(10) == ([], None)
    assert len(table.unreadable) == 3
    with pytest.raises(Unreadable, match="drift-run / 20261124T000000000Z-a"):
        Reports(table).progress("20261124T000000000Z-a")
    with pytest.raises(Unreadable, match=f"account / {MEMBER}"):
        Accounts(table).get(MEMBER)
