"""History: newest first, by pages of a constant number of reads, beyond deletion."""

import pytest

from chalicelib.errors import Invalid
from chalicelib.model.environment import timestamp
from chalicelib.model.history import KEPT, Cause, HistoryEntry
from chalicelib.table.history import History, item_of_entry
from chalicelib.table.hold import Hold
from tests.table.conftest import CALLER, HOME, NAME, START, Bench, change, environment


def entry(number: int, size: int = 0) -> HistoryEntry:
    return HistoryEntry(
        id=f"{number:08}-x",
        at=timestamp(START + number),
        operation="reapply",
        by=CALLER,
        changes=[change(f"{number}" + "x" * size)],
    )


def write(bench: Bench, entries: list[HistoryEntry]) -> None:
    bench.store(item_of_entry(HOME, NAME, each) for each in entries)


@pytest.mark.parametrize("kept", [1_000, pytest.param(10_000, marks=pytest.mark.soak)])
def test_pages_are_newest_first_and_read_alike_anywhere(bench: Bench, kept: int) -> None:
    write(bench, [entry(number) for number in range(kept)])
    seen: list[HistoryEntry] = []
    cursor = None
    while True:
        bench.wire.calls.clear()
        page = History(bench.table()).page(HOME, NAME, 100, cursor)
        assert page is not None
        assert bench.wire.calls == {"query": 1}
        assert len(page[0]) == 100
        seen += page[0]
        cursor = page[1]
        if cursor is None:
            break
    assert seen == [entry(number) for number in reversed(range(kept))]


def test_a_page_ends_before_it_grows_too_large_to_be_answered(bench: Bench) -> None:
    write(bench, [entry(number, 1_500_000) for number in range(5)])
    history = History(bench.table())
    first = history.page(HOME, NAME, 100)
    assert first is not None
    assert [each.id for each in first[0]] == [entry(4).id, entry(3).id]
    second = history.page(HOME, NAME, 100, first[1])
    assert second is not None
    assert [each.id for each in second[0]] == [entry(2).id, entry(1).id]


def test_an_entry_larger_than_a_page_is_a_page(bench: Bench) -> None:
    write(bench, [entry(1), entry(2, 5_000_000), entry(3)])
    page = History(bench.table()).page(HOME, NAME, 100)
    assert page is not None
    assert [each.id for each in page[0]] == [entry(3).id]
    page = History(bench.table()).page(HOME, NAME, 100, page[1])
    assert page is not None
    assert [each.id for each in page[0]] == [entry(2).id]


def test_entries_expire_after_400_days(bench: Bench) -> None:
    bench.made()
    (row,) = bench.rows(f"history#{HOME}#{NAME}")
    assert row["expires_at"] == {"N": str(int(START) + KEPT)}


def test_an_environment_without_entries_has_an_empty_history(bench: Bench) -> None:
    hold = bench.environments().create(environment(), "create")
    assert isinstance(hold, Hold)
    assert History(bench.table()).page(HOME, NAME, 10) == ([], None)
    assert History(bench.table()).page(HOME, "another-dev", 10) is None


def test_history_keeps_the_cause(bench: Bench) -> None:
    cause = Cause("e-1", "AttachRolePolicy", timestamp(START), "arn:aws:iam::1:user/bob")
    made = bench.made()
    hold = bench.environments(None).hold(made, made.environment, "event_repair", cause=cause)
    assert hold is not None
    with hold:
        hold.changes.append(change())
    page = History(bench.table()).page(HOME, NAME, 1)
    assert page is not None
    assert (page[0][0].cause, page[0][0].by) == (cause, None)


@pytest.mark.parametrize("cursor", ["?", "bm8", "WzFd", "é", "IngiIA==", ""])
def test_a_cursor_that_is_none_is_invalid(bench: Bench, cursor: str) -> None:
    with pytest.raises(Invalid, match="cursor: not a next_cursor of this API"):
        History(bench.table()).page(HOME, NAME, 10, cursor)
