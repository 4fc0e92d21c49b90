"""Calls of a drift run against the size of the fleet.

That many pages are read to the last, each once, is in `tests/drift/test_bulk.py`.
"""

from collections import Counter

import pytest

from benchmarks.cloud import desired, names
from benchmarks.critical_path import CriticalPath, critical_path
from tests.kit.account import client
from tests.kit.http import Api

from .conftest import Fleet

BULK = {"iam:GetAccountAuthorizationDetails", "iam:ListRoles", "iam:ListPolicies"}
SIZES = (2, 12)


def checked(api: Api, size: int, **expected: int) -> CriticalPath:
    with critical_path() as path:
        report = api.post("/drift-runs").body
    assert {key: report[key] for key in expected} == expected
    assert report["checked"] == size
    return path


def by_service(path: CriticalPath, service: str) -> Counter[str]:
    return Counter(call for call in path.calls if call.startswith(f"{service}:"))


@pytest.fixture
def drifted() -> str:
    return "arn:aws:iam::aws:policy/AmazonS3FullAccess"


def test_a_fleet_in_sync_costs_bulk_listings_whatever_its_size(fleet: Fleet) -> None:
    seen = {}
    for size in SIZES:
        with fleet(size) as api:
            seen[size] = checked(api, size, in_sync=size)
        assert by_service(seen[size], "iam") == dict.fromkeys(BULK, 1)
        assert by_service(seen[size], "states") == {"states:DescribeStateMachine": size}
    small, large = (seen[size] for size in SIZES)
    # All that grows is read side by side, so that the longest chain does not.
    assert large.length == small.length
    assert by_service(large, "dynamodb") == by_service(small, "dynamodb")


def test_of_a_drifted_fleet_only_what_differs_is_written_side_by_side(
    fleet: Fleet, drifted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All of them drift, which the brake would not have.
    monkeypatch.setenv("TRIVET_MAX_DRIFT", "1")
    seen = {}
    for size in SIZES:
        with fleet(size) as api:
            for name in names(size):
                role = desired(name).role("notebook").name
                client("iam").detach_role_policy(RoleName=role, PolicyArn=drifted)
            seen[size] = checked(api, size, drifted=size, repaired=size)
        assert by_service(seen[size], "iam") == {
            **dict.fromkeys(BULK, 1),
            "iam:AttachRolePolicy": size,
        }
        assert by_service(seen[size], "states") == {
            "states:DescribeStateMachine": size,
            "states:StartExecution": size,
        }
    small, large = (seen[size] for size in SIZES)
    assert large.length == small.length
    # Each environment is held and let go; the report does not depend on how many there are.
    held = by_service(large, "dynamodb") - by_service(small, "dynamodb")
    assert held == {"dynamodb:TransactWriteItems": 2 * (SIZES[1] - SIZES[0])}
