"""Put back, beside the kinds one by one: a declared boundary, extras that stay, all at once."""

import json
from typing import Any

import pytest

from tests.kit.drifts import CATALOGUE, Target
from tests.kit.inventory import resources
from tests.kit.names import ACCOUNT, NAME, READ_ONLY
from tests.kit.product import BOUNDARY_NAME
from tests.kit.world import World

from .support import only, provision, requested_run, writes

BOUNDARY = "arn:aws:iam::aws:policy/PowerUserAccess"


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
