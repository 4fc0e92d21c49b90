"""The filters of GET /environments, alone, together, and page by page."""

from typing import Any

import pytest

from tests.kit import account
from tests.kit.http import Api
from tests.kit.names import READ_ONLY

NAMES = [f"f{number}-env" for number in range(6)]
WITH: dict[str, tuple[str, dict[str, str]]] = {
    name: ("scoped" if number % 2 else "standard", {"team": "ab"[number // 3], "n": str(number)})
    for number, name in enumerate(NAMES)
}
DRIFTED = NAMES[1]


@pytest.fixture(scope="module")
def listed(api: Api) -> Api:
    for name, (profile, tags) in WITH.items():
        api.provision(name, profile=profile, tags=tags, wait=0)
    role = f"{DRIFTED}-SageMaker"
    account.client("iam").attach_role_policy(RoleName=role, PolicyArn=READ_ONLY)
    for name in NAMES[:2]:
        # Where AWS is slow to see a role, the state machine is made only by this look.
        api.get(f"/environments/{name}")
        api.get(f"/environments/{name}/drift")
    return api


def pages(api: Api, query: str, limit: int) -> list[list[str]]:
    found, cursor = [], ""
    while True:
        answer = api.get(f"/environments?limit={limit}&{query}{cursor}")
        assert answer.status == 200, answer
        found.append([each["name"] for each in answer.body["environments"]])
        if answer.body["next_cursor"] is None:
            return found
        cursor = f"&cursor={answer.body['next_cursor']}"


@pytest.mark.parametrize("limit", [1, 2, 100])
@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("profile=scoped", NAMES[1::2]),
        ("profile=standard", NAMES[::2]),
        ("profile=nothing", []),
        ("tag=team:a", NAMES[:3]),
        ("tag=n:4", [NAMES[4]]),
        ("tag=team:c", []),
        ("status=drifted", [DRIFTED]),
        ("in_sync=false", [DRIFTED]),
        ("profile=scoped&tag=team:a", [NAMES[1]]),
        ("profile=standard&tag=team:b", [NAMES[4]]),
        ("status=drifted&in_sync=true", []),
    ],
)
def test_filters_show_what_fits_and_nothing_else(
    listed: Api, query: str, wanted: list[str], limit: int
) -> None:
    found = pages(listed, query, limit)

    assert [name for page in found for name in page] == wanted
    assert all(len(page) <= limit for page in found)


def test_every_environment_has_one_status(listed: Api) -> None:
    found: list[Any] = []
    for status in ("ready", "incomplete", "drifted"):
        found += pages(listed, f"status={status}", 100)[0]

    assert sorted(found) == NAMES


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=broken", "status"),
        ("in_sync=yes", "in_sync"),
        ("in_sync=True", "in_sync"),
        ("tag=team", "tag"),
        ("tag=:x", "tag"),
        ("profile=", "profile"),
    ],
)
def test_filters_that_are_none_are_a_422(listed: Api, query: str, field: str) -> None:
    answer = listed.get(f"/environments?{query}")

    assert answer.status == 422
    assert [each["field"] for each in answer.body["errors"]] == [field]
