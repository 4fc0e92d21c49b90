"""The last look: recorded where it says something new, and for a whole fleet at once."""

import pytest

from chalicelib.model.environment import Look, timestamp
from chalicelib.table import looks
from tests.table.conftest import HOME, LEASE, NAME, START, Bench

EARLY, MIDDLE, LATE = (timestamp(START + seconds) for seconds in (10, 20, 30))


def test_before_the_first_look_there_is_none(bench: Bench) -> None:
    assert bench.made().look == Look(None, None)


def test_a_look_makes_no_new_version(bench: Bench) -> None:
    entry = bench.made()
    bench.environments().look(entry, Look(True, EARLY))
    looked = bench.read()
    assert (looked.look, looked.version) == (Look(True, EARLY), entry.version)
    bench.wire.calls.clear()
    bench.environments().look(looked, Look(True, LATE))
    assert bench.wire.calls == {"update_item": 1}
    bench.environments().look(bench.read(), Look(False, timestamp(START + 31)))
    drifted = bench.read()
    assert (drifted.status, drifted.environment.status) == ("drifted", "ready")
    # What was read before the looks may still be held: nothing but them came in between.
    hold = bench.environments().hold(entry, entry.environment, "reapply")
    assert hold is not None
    assert hold.entry.look.in_sync is False


def test_a_run_writes_one_row_for_all_that_was_in_sync(bench: Bench) -> None:
    environments = bench.environments()
    for name in ("a-dev", "b-dev", "c-dev", "d-dev"):
        entry = bench.made(name)
        if name != "d-dev":
            environments.look(entry, Look(name != "b-dev", EARLY))
    bench.wire.calls.clear()
    looks.record(bench.table(), HOME, MIDDLE, ["c-dev"])
    assert bench.wire.calls == {"get_item": 1, "put_item": 1}
    seen = {name: bench.read(name).look for name in ("a-dev", "b-dev", "c-dev", "d-dev")}
    assert seen == {
        "a-dev": Look(True, MIDDLE),
        "b-dev": Look(False, EARLY),
        "c-dev": Look(True, EARLY),
        "d-dev": Look(None, None),
    }
    listed, _ = bench.environments().page(HOME, 10)
    assert {each.environment.name: each.look for each in listed} == seen


def test_one_not_reached_keeps_what_an_earlier_run_said(bench: Bench) -> None:
    environments = bench.environments()
    environments.look(bench.made(), Look(True, EARLY))
    looks.record(bench.table(), HOME, MIDDLE, [])
    looks.record(bench.table(), HOME, LATE, [NAME])
    assert bench.read().look == Look(True, MIDDLE)
    assert looks.read(bench.table(), HOME).at == LATE


def test_a_later_runs_word_stands(bench: Bench) -> None:
    environments = bench.environments()
    environments.look(bench.made(), Look(True, EARLY))
    looks.record(bench.table(), HOME, LATE, [])
    looks.record(bench.table(), HOME, MIDDLE, [])
    assert bench.read().look == Look(True, LATE)


def test_a_run_that_heard_no_answer_goes_on(bench: Bench) -> None:
    environments = bench.environments()
    environments.look(bench.made(), Look(True, EARLY))
    bench.wire.lose_answer("put_item")
    looks.record(bench.table(), HOME, MIDDLE, [])
    bench.wire.lose_answer("update_item")
    environments.look(bench.read(), Look(True, LATE))
    assert bench.read().look == Look(True, LATE)


def test_of_two_looks_at_once_the_later_stands(bench: Bench) -> None:
    entry = bench.made()
    bench.environments().look(entry, Look(False, EARLY))
    bench.environments().look(entry, Look(True, LATE))
    assert bench.read().look == Look(True, LATE)
    bench.environments().look(entry, Look(False, MIDDLE))
    assert bench.read().look == Look(True, LATE)
    assert bench.index() == bench.read().indexed == bench.read().facets


@pytest.mark.parametrize("still_held", [True, False])
def test_a_look_says_nothing_of_what_was_changed_since(bench: Bench, still_held: bool) -> None:
    entry = bench.made()
    hold = bench.environments().hold(entry, entry.environment, "reapply")
    assert hold is not None
    if still_held:
        entry = bench.read()
    else:
        with hold:
            hold.look = Look(True, MIDDLE)
    bench.environments().look(entry, Look(False, LATE))
    assert bench.read().look == (Look() if still_held else Look(True, MIDDLE))


def test_a_look_at_what_is_gone_makes_nothing(bench: Bench) -> None:
    entry = bench.made()
    hold = bench.environments().hold(entry, entry.environment, "delete")
    assert hold is not None
    with hold:
        hold.remove()
    bench.clock.time += LEASE
    bench.environments().look(entry, Look(True, LATE))
    assert bench.environments().get(HOME, NAME) is None
    assert bench.index() == set()
