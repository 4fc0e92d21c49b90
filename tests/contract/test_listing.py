"""GET /environments: by name, page by page, never more read than a page needs."""

from typing import Any

import pytest

from tests.kit.http import Api

NAMES = sorted([f"list-{number}" for number in (2, 10, 1, 33)] + ["list-a", "a-list", "zz-list"])


@pytest.fixture(scope="module")
def listed(api: Api) -> Api:
    for name in reversed(NAMES):
        api.provision(name, wait=0, tags={"of": name})
    return api


def names(answer: Any) -> list[str]:
    assert answer.status == 200
    return [each["name"] for each in answer.body["environments"]]


def test_listing_is_by_name_and_without_changes(listed: Api) -> None:
    answer = listed.get("/environments")

    assert names(answer) == NAMES
    assert answer.body["next_cursor"] is None
    for environment in answer.body["environments"]:
        single = listed.get(f"/environments/{environment['name']}").body
        assert "changes" not in environment
        assert set(single) == {*environment, "changes"}
        assert single["tags"] == environment["tags"] == {"of": environment["name"]}
        assert single["roles"] == environment["roles"]


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8])
def test_pages_join_up_to_the_whole(listed: Api, limit: int) -> None:
    answer = listed.get(f"/environments?limit={limit}")
    pages = [names(answer)]
    while answer.body["next_cursor"] is not None:
        answer = listed.get(f"/environments?limit={limit}&cursor={answer.body['next_cursor']}")
        pages.append(names(answer))

    assert [name for page in pages for name in page] == NAMES
    assert all(len(page) == limit for page in pages[:-1])
    assert 1 <= len(pages[-1]) <= limit


@pytest.mark.home
def test_a_page_reads_one_more_than_it_shows(listed: Api) -> None:
    with listed.wire.recording() as calls:
        first = listed.get("/environments?limit=2")
        second = listed.get(f"/environments?limit=2&cursor={first.body['next_cursor']}")

    assert names(first) + names(second) == NAMES[:4]
    # Beside each page, the row of the account's last drift run.
    assert calls.names == ["Query", "GetItem", "Query", "GetItem"]
    assert [call.parameters["Limit"] for call in calls if call.action == "Query"] == [3, 3]


def test_cursor_outlives_the_environment_that_it_names(listed: Api) -> None:
    listed.provision("list-b", wait=0)
    everything = names(listed.get("/environments"))
    at = everything.index("list-b")
    cursor = listed.get(f"/environments?limit={at + 1}").body["next_cursor"]
    listed.delete("/environments/list-b")

    assert names(listed.get(f"/environments?cursor={cursor}")) == everything[at + 1 :]


@pytest.mark.home
def test_listing_asks_nothing_of_iam(listed: Api) -> None:
    with listed.wire.recording() as calls:
        listed.get("/environments")

    assert calls.names == ["Query", "GetItem"]
