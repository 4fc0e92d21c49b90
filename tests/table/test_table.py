"""The table itself: made by the first write, protected, recoverable, and none for a read."""

from typing import Any

import pytest

from chalicelib.errors import Refused, Unavailable
from chalicelib.table.fleet import Fleet
from chalicelib.table.history import History
from chalicelib.table.reports import Reports
from tests.table.conftest import HOME, NAME, Bench, environment


def described(bench: Bench) -> tuple[Any, str, str]:
    client = bench.wire._client
    table = client.describe_table(TableName="trivet-test")["Table"]
    backups = client.describe_continuous_backups(TableName="trivet-test")
    expiry = client.describe_time_to_live(TableName="trivet-test")["TimeToLiveDescription"]
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    return (
        table["DeletionProtectionEnabled"],
        recovery["PointInTimeRecoveryStatus"],
        f"{expiry['TimeToLiveStatus']} {expiry['AttributeName']}",
    )


def test_reads_of_a_missing_table_find_nothing_and_make_none(bench: Bench) -> None:
    environments = bench.environments()
    assert environments.get(HOME, NAME) is None
    assert environments.page(HOME, 10) == ([], None)
    assert list(environments.all(HOME)) == []
    assert environments.count(HOME) == 0
    assert History(bench.table()).page(HOME, NAME, 10) is None
    assert Reports(bench.table()).list(10) == ([], None)
    assert Reports(bench.table()).latest() is None
    assert bench.wire._client.list_tables()["TableNames"] == []


def test_the_first_write_makes_the_table(bench: Bench) -> None:
    bench.environments().create(environment(), "create")
    assert described(bench) == (True, "ENABLED", "ENABLED expires_at")


def test_settings_that_are_off_are_put_right(bench: Bench) -> None:
    bench.table().ensure()
    client = bench.wire._client
    client.update_table(TableName="trivet-test", DeletionProtectionEnabled=False)
    client.update_continuous_backups(
        TableName="trivet-test",
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False},
    )
    client.update_time_to_live(
        TableName="trivet-test",
        TimeToLiveSpecification={"Enabled": False, "AttributeName": "expires_at"},
    )
    bench.table().ensure()
    assert described(bench) == (True, "ENABLED", "ENABLED expires_at")


def test_a_sound_table_is_only_looked_at(bench: Bench) -> None:
    bench.table().ensure()
    bench.wire.calls.clear()
    bench.table().ensure()
    assert all(call.startswith("describe") for call in bench.wire.calls)


def test_two_that_make_it_at_once_both_have_it(bench: Bench) -> None:
    bench.wire.lose_answer("create_table")
    bench.table().ensure()
    assert described(bench) == (True, "ENABLED", "ENABLED expires_at")


def test_rows_left_undone_by_a_batch_are_asked_for_again(bench: Bench) -> None:
    bench.made()

    def nothing_yet(_: Any) -> Any:
        keys = [{"pk": {"S": "environment"}, "sk": {"S": NAME}}]
        return {"Responses": {}, "UnprocessedKeys": {"trivet-test": {"Keys": keys}}}

    bench.wire.faults["batch_get_item"] = [nothing_yet] * 3
    assert bench.read().environment.name == NAME
    bench.wire.faults["batch_get_item"] = [nothing_yet] * 30
    with pytest.raises(Unavailable, match=f"reading environment {NAME} in table trivet-test"):
        bench.read()


def test_waiting_ends_with_the_time_of_the_call(bench: Bench) -> None:
    bench.made()
    environments = bench.environments()
    bench.clock.time += 20
    started = bench.clock.now()
    keys = [{"pk": {"S": "x"}, "sk": {"S": "x"}}]
    bench.wire.faults["batch_get_item"] = [
        lambda _: {"Responses": {}, "UnprocessedKeys": {"trivet-test": {"Keys": keys}}}
    ]
    with pytest.raises(Unavailable, match="Time ran out while reading"):
        environments.get(HOME, NAME)
    assert bench.clock.now() == started


def test_a_refusal_names_what_was_being_done(bench: Bench) -> None:
    bench.wire.fail("get_item", "AccessDeniedException")
    with pytest.raises(Refused, match="reading the fleet's lease in table trivet-test"):
        Fleet(bench.table()).hold()
