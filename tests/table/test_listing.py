"""Listings: by name, filtered through the index, with a constant number of reads."""

from random import Random

import pytest

from chalicelib.errors import Invalid
from chalicelib.model.environment import Look, timestamp
from chalicelib.table.entry import Entry
from chalicelib.table.environments import Environments
from chalicelib.table.listing import Filters
from tests.table.conftest import HOME, MEMBER, NAME, START, Bench, environment


@pytest.fixture(params=[300, pytest.param(3_000, marks=pytest.mark.soak)])
def fleet(bench: Bench, request: pytest.FixtureRequest) -> list[Entry]:
    random = Random(7)
    entries = [
        Entry(
            environment(
                f"team{number:04}-dev",
                status=random.choice(["ready", "ready", "incomplete"]),
                profile=random.choice(["standard", "scoped"]),
                tags={"team": random.choice(["a", "b", "c"]), "cost": str(number % 40)},
            ),
            version=1,
            own_look=Look(random.choice([True, True, False, None]), timestamp(START)),
        )
        for number in range(request.param)
    ]
    bench.seed(entries)
    bench.seed([Entry(environment("team0000-dev", MEMBER, status="ready"), version=1)])
    return entries


def names(found: list[Entry]) -> list[str]:
    return [each.environment.name for each in found]


def test_pages_hold_what_fits_and_cost_the_same(bench: Bench, fleet: list[Entry]) -> None:
    for filters, reads in [
        (None, {"query": 1, "get_item": 1}),
        (Filters(), {"query": 1, "get_item": 1}),
        (Filters(status="drifted"), {"query": 1, "get_item": 1, "batch_get_item": 1}),
        (Filters(tag=("team", "b")), {"query": 1, "get_item": 1, "batch_get_item": 1}),
        (
            Filters(status="ready", profile="scoped", in_sync=True, tag=("cost", "7")),
            {"query": 4, "get_item": 1, "batch_get_item": 1},
        ),
        (
            Filters(in_sync=False, profile="standard"),
            {"query": 2, "get_item": 1, "batch_get_item": 1},
        ),
    ]:
        check_pages(bench, fleet, filters, reads)


def check_pages(
    bench: Bench, fleet: list[Entry], filters: Filters | None, reads: dict[str, int]
) -> None:
    wanted = filters.facets if filters else frozenset()
    expected = names([each for each in fleet if wanted <= each.facets])
    assert expected
    environments, found, cursor, limit = bench.environments(), [], None, min(100, len(fleet) // 15)
    while True:
        bench.wire.calls.clear()
        page, cursor = environments.page(HOME, limit, cursor, filters)
        found += names(page)
        if page:
            assert bench.wire.calls == reads
        assert cursor is None or len(page) == limit
        if cursor is None:
            break
    assert found == expected


def test_counting_and_going_through_all(bench: Bench, fleet: list[Entry]) -> None:
    environments = bench.environments()
    assert (environments.count(HOME), environments.count(MEMBER)) == (len(fleet), 1)
    assert [
        each.environment.name for each in environments.all(HOME) if isinstance(each, Entry)
    ] == (names(fleet))


def listed(environments: Environments, **filters: object) -> list[str]:
    return names(environments.page(HOME, 10, None, Filters(**filters))[0])  # type: ignore[arg-type]


def test_the_index_follows_each_write(bench: Bench) -> None:
    entry, environments = bench.made(tags={"team": "a"}), bench.environments()
    assert listed(environments, status="ready") == [NAME]
    environments.look(entry, Look(False, timestamp(START)))
    assert listed(environments, status="ready") == []
    assert listed(environments, status="drifted") == listed(environments, in_sync=False) == [NAME]
    wanted = environment(status="incomplete", tags={"team": "b"})
    hold = environments.hold(bench.read(), wanted, "declare")
    assert hold is not None
    # Already while it is held, and so even if the process dies.
    assert listed(environments, status="incomplete") == [NAME]
    assert listed(environments, tag=("team", "a")) == []
    with hold:
        hold.environment = environment(status="ready", tags={"team": "b"})
        hold.look = Look(True, timestamp(START + 1))
    assert listed(environments, status="ready", in_sync=True, tag=("team", "b")) == [NAME]
    assert listed(environments, status="incomplete") == []
    assert bench.index() == bench.read().indexed


def test_a_row_too_many_in_the_index_does_no_harm(bench: Bench) -> None:
    bench.made()
    pk = f"index#{HOME}#status=incomplete"
    bench.table().write_all(
        "seeding",
        [{"Put": {"Item": {"pk": {"S": pk}, "sk": {"S": name}}}} for name in (NAME, "gone-dev")],
    )
    assert bench.environments().page(HOME, 10, None, Filters(status="incomplete")) == ([], None)


def test_a_cursor_that_is_none_is_invalid(bench: Bench) -> None:
    with pytest.raises(Invalid):
        bench.environments().page(HOME, 10, NAME)
