"""The deployment's own permissions boundary: made where it is missing, and told when it is old."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.kit import inventory
from tests.kit.account import client
from tests.kit.checks import fields_in_error
from tests.kit.names import ACCOUNT, NAME
from tests.kit.world import World

BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/TrivetEnvironmentBoundary"
GENERATED = json.loads(Path("policies/permissions-boundary.json").read_text())
ROLES = ("SageMaker", "StepFunctionsWorkflowExecution", "LambdaTriggerStepFunc")
OTHER = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}


def make(name: str, document: Any = OTHER) -> str:
    made = client("iam").create_policy(PolicyName=name, PolicyDocument=json.dumps(document))
    return str(made["Policy"]["Arn"])


def boundaries() -> list[str | None]:
    return [inventory.role(f"{NAME}-{role}")["boundary"] for role in ROLES]


def document_of(arn: str) -> Any:
    iam = client("iam")
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]


def row(world: World) -> Any:
    """Return the account's row of a drift run's report."""
    [found] = world.post("/drift-runs", {}).body["accounts"]
    return found


def test_a_missing_one_is_made_and_every_role_carries_it(world: World) -> None:
    world.provision(wait=0)

    assert boundaries() == [BOUNDARY] * 3
    assert document_of(BOUNDARY) == GENERATED


def test_one_that_went_missing_is_made_again_with_the_role_that_needs_it(world: World) -> None:
    world.provision(wait=0)
    iam = client("iam")
    for role in ROLES:
        iam.delete_role_permissions_boundary(RoleName=f"{NAME}-{role}")
    iam.delete_policy(PolicyArn=BOUNDARY)

    report = world.post("/drift-runs", {}).body

    assert (report["repaired"], report["failed"]) == (1, 0)
    assert boundaries() == [BOUNDARY] * 3
    assert document_of(BOUNDARY) == GENERATED


def test_a_dry_run_and_a_refused_call_make_none(world: World) -> None:
    planned = world.put(f"/environments/{NAME}", {"dry_run": True})
    trust = {"Effect": "Allow", "Principal": {"Service": "a.amazonaws.com"}}
    client("iam").create_role(
        RoleName=f"{NAME}-SageMaker",
        AssumeRolePolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{**trust, "Action": "sts:AssumeRole"}]}
        ),
    )
    refused = world.put(f"/environments/{NAME}", {})

    assert (planned.status, refused.status) == (200, 409)
    assert BOUNDARY not in inventory.held()["policies"]


def test_a_caller_may_name_the_demanded_one_and_no_other(world: World) -> None:
    other = make("another")

    refused = world.put(f"/environments/{NAME}", {"permissions_boundary": other})
    same = world.provision(permissions_boundary=BOUNDARY, wait=0)

    assert fields_in_error(refused) == ["permissions_boundary"]
    assert same["permissions_boundary"] == BOUNDARY
    assert boundaries() == [BOUNDARY] * 3


@pytest.mark.parametrize("as_arn", [False, True])
def test_another_that_is_demanded_is_never_made(
    world: World, monkeypatch: pytest.MonkeyPatch, as_arn: bool
) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:policy/team-limit"
    monkeypatch.setenv("TRIVET_PERMISSIONS_BOUNDARY", arn if as_arn else "team-limit")

    missing = world.put(f"/environments/{NAME}", {"wait": 0})
    none_made = inventory.held()["policies"]
    assert make("team-limit") == arn
    world.provision(wait=0)

    assert fields_in_error(missing) == ["permissions_boundary"]
    assert none_made == {}
    assert boundaries() == [arn] * 3
    assert document_of(arn) == OTHER
    assert row(world)["error"] is None


def test_with_none_a_caller_may_name_one_or_go_without(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIVET_PERMISSIONS_BOUNDARY", "none")
    other = make("another")

    world.provision(wait=0)
    without = boundaries()
    world.provision(permissions_boundary=other, wait=0)

    assert without == [None] * 3
    assert boundaries() == [other] * 3
    assert BOUNDARY not in inventory.held()["policies"]


def test_one_that_is_out_of_date_is_told_and_left_as_it_is(world: World) -> None:
    world.provision(wait=0)
    current = row(world)["error"]
    client("iam").create_policy_version(
        PolicyArn=BOUNDARY, PolicyDocument=json.dumps(OTHER), SetAsDefault=True
    )

    with world.wire.recording() as calls:
        told = row(world)

    assert current is None
    assert BOUNDARY in told["error"]
    assert "make deploy" in told["error"]
    assert (told["checked"], told["in_sync"], told["failed"]) == (1, 1, 0)
    assert document_of(BOUNDARY) == OTHER
    assert [call for call in calls if call.writes and BOUNDARY in str(call)] == []
