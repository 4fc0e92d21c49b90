"""Every kind of drift, on each role: found, reported with whole values, and put back."""

import json
from typing import Any

import pytest

from tests.kit.drifts import CATALOGUE, Drift, Target
from tests.kit.inventory import resources
from tests.kit.names import ACCOUNT, NAME, READ_ONLY
from tests.kit.product import BOUNDARY_NAME, KINDS
from tests.kit.world import World

from .support import drift, only, provision, requested_run, scheduled_run, writes

BOUNDARY = "arn:aws:iam::aws:policy/PowerUserAccess"


def reapplied(world: World) -> Any:
    answer = world.request("POST", f"/environments/{NAME}/reapply")
    assert answer.status == 200, answer
    assert answer.body["status"] == "ready"
    return answer.body["changes"]


def repaired_by_request(world: World) -> Any:
    report = requested_run(world)
    assert (report["drifted"], report["repaired"], report["failed"]) == (1, 1, 0)
    return only(report)["changes"]


def repaired_on_schedule(world: World) -> Any:
    report = scheduled_run(world)
    assert (report["drifted"], report["repaired"], report["failed"]) == (1, 1, 0)
    return only(report)["changes"]


def alike(changes: list[Any]) -> list[str]:
    return sorted(json.dumps(change, sort_keys=True) for change in changes)


@pytest.mark.parametrize("kind", CATALOGUE, ids=lambda each: f"{each.name}-{each.roles[0]}")
def test_each_kind_is_found_and_put_back_in_every_way(world: World, kind: Drift) -> None:
    provision(world, NAME)
    declared = resources()
    _make(kind)
    drifted = resources()
    assert drifted != declared

    with world.wire.recording() as made:
        found = drift(world, NAME)
        report = requested_run(world, {"apply": False})
    assert not writes(made)
    assert resources() == drifted
    assert not found["in_sync"]
    assert {change["role"] for change in found["changes"]} == set(kind.roles)
    assert {change["kind"] for change in found["changes"]} == set(kind.kinds)
    if kind.in_bulk:
        assert only(report)["outcome"] == "drifted"
        assert alike(only(report)["changes"]) == alike(found["changes"])
    else:
        assert report["in_sync"] == 1

    assert alike(reapplied(world)) == alike(found["changes"])
    assert resources() == declared
    for repaired in (repaired_by_request, repaired_on_schedule) if kind.in_bulk else ():
        _make(kind)
        assert alike(repaired(world)) == alike(found["changes"])
        assert resources() == declared
    in_sync = {"name": NAME, "in_sync": True, "changes": [], "foreign": []}
    assert drift(world, NAME) == in_sync


def _make(kind: Drift) -> None:
    for role in kind.roles:
        kind.on(NAME, role)


def test_a_declared_boundary_is_put_back(
    world: World, iam: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIVET_PERMISSIONS_BOUNDARY", "none")
    provision(world, NAME, permissions_boundary=BOUNDARY)
    declared = resources()
    target = Target(NAME, "notebook")
    iam.delete_role_permissions_boundary(RoleName=target.role)
    other = Target(NAME, "lambda_trigger")
    iam.put_role_permissions_boundary(RoleName=other.role, PermissionsBoundary=READ_ONLY)

    changes = only(requested_run(world))["changes"]

    arn = f"arn:aws:iam::{ACCOUNT}:role/"
    assert changes == [
        {
            "kind": "put_permissions_boundary",
            "role": "notebook",
            "resource": arn + target.role,
            "summary": "has no permissions boundary; declared: PowerUserAccess",
            "effect": "widened",
            "expected": BOUNDARY,
            "actual": None,
        },
        {
            "kind": "put_permissions_boundary",
            "role": "lambda_trigger",
            "resource": arn + other.role,
            "summary": "has the permissions boundary ReadOnlyAccess; declared: PowerUserAccess",
            "effect": "altered",
            "expected": BOUNDARY,
            "actual": READ_ONLY,
        },
    ]
    assert resources() == declared


def test_the_catalogue_has_every_kind_of_change() -> None:
    # These two follow from what is declared, and not from what somebody did.
    declared = {"delete_permissions_boundary", "delete_policy"}
    assert {kind for drift in CATALOGUE for kind in drift.kinds} | declared == KINDS


def test_what_a_repair_undid_can_be_restored_from_its_report_alone(
    world: World, iam: Any, states: Any
) -> None:
    provision(world, NAME)
    undone = {"trust_opened", "session_lengthened", "description_changed", "tag_changed"}
    undone |= {"tag_added", "boundary_changed", "managed_policy_attached", "inline_policy_added"}
    undone |= {"inline_policy_edited", "policy_edited", "state_machine_edited"}
    for kind in CATALOGUE:
        if kind.name in undone:
            undone.remove(kind.name)
            for role in kind.roles:
                kind.on(NAME, role)
    assert not undone
    drifted = resources()
    requested_run(world)
    assert resources() != drifted

    report = world.request("GET", "/drift-runs/latest").body
    for change in only(report)["changes"]:
        _restore(change, iam, states)

    assert resources() == drifted


def _restore(change: Any, iam: Any, states: Any) -> None:
    """Bring back what a change did away with, as a person would who has nothing but the report."""
    arn, actual = change["resource"], change["actual"]
    role = arn.rsplit("/", 1)[-1]
    match change["kind"]:
        case "update_trust_policy":
            iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(actual))
        case "update_role":
            iam.update_role(
                RoleName=role,
                Description=actual["description"],
                MaxSessionDuration=actual["max_session_duration"],
            )
        case "tag_role" | "untag_role":
            tags = [{"Key": key, "Value": value} for key, value in actual.items()]
            iam.tag_role(RoleName=role, Tags=tags)
        case "put_permissions_boundary" | "delete_permissions_boundary":
            iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=actual)
        case "detach_managed_policy":
            iam.attach_role_policy(RoleName=role, PolicyArn=actual)
        case "put_inline_policy" | "delete_inline_policy":
            iam.put_role_policy(
                RoleName=role,
                PolicyName=actual["name"],
                PolicyDocument=json.dumps(actual["document"]),
            )
        case "update_policy":
            iam.create_policy_version(
                PolicyArn=arn, PolicyDocument=json.dumps(actual), SetAsDefault=True
            )
        case "update_state_machine":
            states.update_state_machine(
                stateMachineArn=arn,
                definition=json.dumps(actual["definition"]),
                roleArn=actual["role_arn"],
            )
        case other:
            raise AssertionError(other)


def test_extras_that_are_only_reported_stay_and_the_rest_is_put_back(world: World) -> None:
    provision(world, NAME, on_extras="report")
    declared = resources()
    extras = [kind for kind in CATALOGUE if kind.extra]
    for kind in extras:
        kind.on(NAME, "notebook")
    with_extras = resources()
    assert with_extras != declared

    with world.wire.recording() as made:
        report = requested_run(world)
    assert not writes(made)
    assert only(report)["outcome"] == "drifted"
    kinds = sorted(change["kind"] for change in only(report)["changes"])
    assert kinds == sorted(kind for each in extras for kind in each.kinds)
    assert resources() == with_extras

    for kind in CATALOGUE:
        if kind.name in ("trust_opened", "managed_policy_detached", "boundary_changed"):
            kind.on(NAME, "notebook")
    assert only(requested_run(world))["outcome"] == "repaired"
    assert resources() == with_extras


def test_all_deleted_comes_back_with_new_ids_recorded(world: World, dynamodb: Any) -> None:
    provision(world, NAME)
    declared = resources()
    before = _recorded_ids(dynamodb)
    for name in ("state_machine_deleted", "role_deleted", "policy_deleted"):
        for kind in CATALOGUE:
            for role in kind.roles if kind.name == name else ():
                kind.on(NAME, role)
    gone = resources()
    assert (gone["roles"], gone["state machines"]) == ({}, {})
    assert list(gone["policies"]) == [
        f"arn:aws:iam::{ACCOUNT}:policy/{BOUNDARY_NAME}",
    ]

    assert only(requested_run(world))["outcome"] == "repaired"

    assert resources() == declared
    after = _recorded_ids(dynamodb)
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())
    with world.wire.recording() as made:
        assert requested_run(world)["in_sync"] == 1
    assert not [call for call in made if call.action == "GetPolicy"]


def _recorded_ids(dynamodb: Any) -> dict[str, str]:
    key = {"pk": {"S": "environment"}, "sk": {"S": NAME}}
    item = dynamodb.get_item(TableName="trivet-local", Key=key)["Item"]
    found: dict[str, str] = json.loads(item["document"]["S"])["unique_ids"]
    return found
