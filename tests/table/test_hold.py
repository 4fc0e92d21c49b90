"""Who holds an environment, and what stands in the table when it ends."""

from typing import Any

import pytest

from chalicelib.errors import (
    Busy,
    Conflict,
    FieldError,
    Invalid,
    NotFound,
    QuotaReached,
    Refused,
    Unavailable,
)
from chalicelib.model.change import ChangeDocument
from chalicelib.model.environment import Look, timestamp
from chalicelib.table.entry import Entry
from chalicelib.table.history import History
from chalicelib.table.hold import Hold
from tests.table.conftest import (
    CALLER,
    HOME,
    LEASE,
    MEMBER,
    NAME,
    START,
    Bench,
    change,
    environment,
)


def created(bench: Bench) -> Hold:
    hold = bench.environments().create(environment(), "create")
    assert isinstance(hold, Hold)
    return hold


def held(bench: Bench, entry: Entry, operation: Any = "reapply", **more: Any) -> Hold:
    hold = bench.environments().hold(entry, entry.environment, operation, **more)
    assert hold is not None
    return hold


def end_with(
    error: BaseException, hold: Hold, *changes: ChangeDocument, wanted: bool = False
) -> None:
    """Work under a hold until this error is raised."""
    with hold:
        hold.wanted_history = wanted
        hold.changes += changes
        raise error


def told(bench: Bench, name: str = NAME, account_id: str = HOME) -> list[Any]:
    page = History(bench.table()).page(account_id, name, 100)
    return [] if page is None else page[0]


def test_a_new_environment_is_two_round_trips_and_one_entry(bench: Bench) -> None:
    bench.table().ensure()
    bench.wire.calls.clear()
    with created(bench) as hold:
        assert hold.is_new
        hold.environment = environment(status="ready", tags={"team": "datalake"})
        hold.changes.append(change())
        hold.look = Look(True, timestamp(START))
    assert bench.wire.calls == {"transact_write_items": 2}
    entry = bench.read()
    assert (entry.version, entry.lease, entry.under_way) == (2, None, None)
    assert entry.environment == hold.environment
    assert entry == hold.entry
    assert entry.look == Look(True, timestamp(START))
    (done,) = told(bench)
    assert (done.operation, done.outcome, done.by, done.changes) == (
        "create",
        "done",
        CALLER,
        [change()],
    )
    assert bench.index() == {
        "status=ready",
        "profile=standard",
        "in_sync=true",
        "tag=team=datalake",
    }


def test_where_only_the_record_is_written_it_is_no_transaction(bench: Bench) -> None:
    entry = bench.made()
    bench.wire.calls.clear()
    with held(bench, entry, "smoke_test"):
        pass
    assert bench.wire.calls == {"put_item": 2}
    assert len(told(bench)) == 1


def test_a_second_create_gets_what_exists(bench: Bench) -> None:
    first = created(bench)
    second = bench.environments().create(environment(tags={"team": "other"}), "create")
    assert isinstance(second, Entry)
    assert second.lease == first.entry.lease
    assert second.environment == environment()


def test_nobody_holds_what_another_holds_or_has_changed(bench: Bench) -> None:
    entry = bench.made()
    with held(bench, entry):
        assert bench.environments().hold(bench.read(), entry.environment, "reapply") is None
    assert bench.environments().hold(entry, entry.environment, "reapply") is None
    assert bench.environments().hold(bench.read(), entry.environment, "reapply") is not None


def test_busy_names_the_holder_and_since_when(bench: Bench) -> None:
    entry = bench.made()
    held(bench, entry)
    bench.clock.time += 5
    environments = bench.environments()
    with pytest.raises(Busy) as refused:
        bench.read().check_free(bench.clock.now())
    assert CALLER in str(refused.value)
    assert "request-1" in str(refused.value)
    assert timestamp(START) in str(refused.value)
    assert refused.value.retry_after == LEASE - 5
    assert str(environments.contended(HOME, NAME)) == str(refused.value)
    bench.clock.time += LEASE
    bench.read().check_free(bench.clock.now())


@pytest.mark.parametrize("call", ["transact_write_items", "put_item"])
def test_a_hold_whose_answer_was_lost_is_recognised(bench: Bench, call: str) -> None:
    # A status that changes makes it a transaction, for its index row.
    entry = bench.made()
    wanted = environment(status="incomplete" if call == "transact_write_items" else "ready")
    bench.wire.lose_answer(call)
    hold = bench.environments().hold(entry, wanted, "declare")
    assert hold is not None
    bench.wire.lose_answer(call)
    with hold:
        hold.environment = environment(status="ready")
    assert not any(bench.wire.faults.values())
    assert bench.read().version == entry.version + 2


def test_a_creation_whose_answers_were_lost_is_recognised(bench: Bench) -> None:
    bench.wire.lose_answer("transact_write_items")
    hold = created(bench)
    bench.wire.lose_answer("transact_write_items")
    with hold:
        hold.changes.append(change())
    assert len(told(bench)) == 1
    assert bench.read().version == 2


def test_a_removal_whose_answer_was_lost_is_recognised(bench: Bench) -> None:
    with held(bench, bench.made(), "delete") as hold:
        hold.changes.append(change("deletes role"))
        bench.wire.lose_answer("transact_write_items")
        hold.remove()
    assert bench.environments().get(HOME, NAME) is None
    assert bench.index() == set()
    assert [each.operation for each in told(bench)] == ["delete", "create"]


def test_conflicting_transactions_are_tried_again(bench: Bench) -> None:
    reasons = [{"Code": "TransactionConflict"}, {"Code": "None"}]
    for _ in range(3):
        bench.wire.fail(
            "transact_write_items", "TransactionCanceledException", CancellationReasons=reasons
        )
    created(bench)
    assert bench.read().version == 1
    assert bench.clock.time > START


def test_endless_conflicts_are_told_as_unavailable(bench: Bench) -> None:
    for _ in range(10):
        bench.wire.fail(
            "transact_write_items",
            "TransactionCanceledException",
            CancellationReasons=[{"Code": "TransactionConflict"}],
        )
    with pytest.raises(Unavailable, match=f"recording environment {NAME}"):
        created(bench)


def test_a_call_that_ran_out_of_time_learns_that_another_took_over(bench: Bench) -> None:
    slow = held(bench, bench.made(), planned=[change("planned")])
    bench.clock.time += LEASE + 1
    with held(bench, bench.read(), "declare"), pytest.raises(Busy, match="took over"), slow:
        slow.changes.append(change("made late"))
    entries = told(bench)
    assert [(each.operation, each.outcome) for each in entries] == [
        ("reapply", "failed"),
        ("create", "done"),
    ]
    assert bench.read().lease is None


def test_one_whose_release_fails_says_when_to_come_again(bench: Bench) -> None:
    hold = held(bench, bench.made())
    bench.clock.time += 10
    bench.wire.fail("transact_write_items", "InternalServerError")
    with pytest.raises(Unavailable) as failed, hold:
        hold.changes.append(change())
    assert failed.value.retry_after == LEASE - 10


@pytest.mark.parametrize("error", [Conflict("foreign"), Invalid([FieldError("a", "b")])])
def test_a_refused_new_environment_leaves_nothing(bench: Bench, error: Exception) -> None:
    with pytest.raises(type(error)):
        end_with(error, created(bench), wanted=True)
    assert bench.environments().get(HOME, NAME) is None
    assert bench.index() == set()
    assert History(bench.table()).page(HOME, NAME, 10) is None


@pytest.mark.parametrize(
    ("error", "made", "outcomes"),
    [
        (Conflict("in use"), False, []),
        (NotFound("gone"), False, []),
        (Conflict("in use"), True, ["failed"]),
        (QuotaReached("roles"), False, ["failed"]),
        (Refused("iam:CreateRole"), False, ["failed"]),
        (TypeError("oops"), False, ["failed"]),
    ],
)
def test_history_has_what_changed_something_or_failed(
    bench: Bench, error: Exception, made: bool, outcomes: list[str]
) -> None:
    entry = bench.made()
    changes = [change("made")] if made else []
    with pytest.raises(type(error)):
        end_with(error, held(bench, entry), *changes, wanted=True)
    entries = [each for each in told(bench) if each.operation == "reapply"]
    assert [each.outcome for each in entries] == outcomes
    for each in entries:
        assert each.error
        assert "oops" not in each.error
    assert bench.read().lease is None


def test_what_was_asked_for_is_told_even_if_nothing_changed(bench: Bench) -> None:
    entry = bench.made()
    with held(bench, entry, "pause") as hold:
        hold.wanted_history = True
    with held(bench, bench.read(), "reapply"):
        pass
    assert [each.operation for each in told(bench)] == ["pause", "create"]


def test_what_a_died_process_planned_is_told_by_the_next(bench: Bench) -> None:
    entry = bench.made()
    dying = held(bench, entry, planned=[change("planned")])
    with pytest.raises(KeyboardInterrupt):
        end_with(KeyboardInterrupt(), dying, change("made"))
    assert bench.read().is_held(bench.clock.now())
    bench.clock.time += LEASE + 1
    with held(bench, bench.read(), "drift_repair") as hold:
        hold.changes.append(change("made again"))
    died, done = [told(bench)[at] for at in (1, 0)]
    assert (died.operation, died.outcome, died.changes) == (
        "reapply",
        "failed",
        [change("planned")],
    )
    assert "ended before it could record" in died.error
    assert (done.operation, done.outcome) == ("drift_repair", "done")


def test_a_creation_that_died_is_told_too(bench: Bench) -> None:
    with pytest.raises(SystemExit), created(bench):
        raise SystemExit
    bench.clock.time += LEASE + 1
    with held(bench, bench.read(), "declare") as hold:
        hold.changes.append(change())
    assert [(each.operation, each.outcome) for each in told(bench)] == [
        ("declare", "done"),
        ("create", "failed"),
    ]


def test_a_look_between_reading_and_holding_is_kept(bench: Bench) -> None:
    entry = bench.made()
    bench.environments().look(bench.read(), Look(False, timestamp(START + 1)))
    with held(bench, entry, "reapply"):
        pass
    assert bench.read().look == Look(False, timestamp(START + 1))
    assert "in_sync=false" in bench.index()


def test_every_tag_may_change_at_once(bench: Bench) -> None:
    """48 tags go and 48 come: with record and history that is more than one transaction holds."""
    old = {f"old{number}": "x" for number in range(48)}
    new = {f"new{number}": "x" for number in range(48)}
    entry = bench.made(tags=old)
    wanted = environment(status="incomplete", tags=new)
    with bench.environments().hold(entry, wanted, "declare") or pytest.fail("not held") as hold:
        hold.environment = environment(status="ready", tags=new)
        hold.changes.append(change())
    assert bench.index() == {"status=ready", "profile=standard"} | {f"tag={tag}=x" for tag in new}
    assert bench.read().indexed == bench.index()


def test_names_are_unique_per_account(bench: Bench) -> None:
    bench.made(account_id=MEMBER, tags={"of": "member"})
    assert bench.environments().get(HOME, NAME) is None
    bench.made()
    assert bench.read(account_id=MEMBER).environment.declaration.tags == {"of": "member"}
    assert [row["sk"]["S"] for row in bench.rows("environment")] == [NAME]
    assert [row["sk"]["S"] for row in bench.rows(f"environment#{MEMBER}")] == [NAME]
    with held(bench, bench.read(account_id=MEMBER), "delete") as hold:
        hold.remove()
    assert bench.read().environment.account_id == HOME
    assert [each.operation for each in told(bench, account_id=MEMBER)] == ["delete", "create"]
