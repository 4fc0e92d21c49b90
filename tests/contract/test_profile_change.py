"""Section 6: an environment that goes from one profile to another, its roles staying in place."""

import json
from typing import Any

import pytest

from tests.kit import inventory
from tests.kit.faults import KillAt, Killed
from tests.kit.names import NAME, ROLES
from tests.kit.wire import Call, answering, refusing
from tests.kit.world import World, fresh

SWITCHES = [("standard", "scoped"), ("scoped", "standard")]
OLD = {"detach_managed_policy", "delete_inline_policy", "delete_policy"}
NEW = {"create_policy", "put_inline_policy", "attach_managed_policy", "update_policy"}


def without_ids(held: Any) -> Any:
    """Return what AWS holds without what it makes up itself."""
    if isinstance(held, dict):
        return {key: without_ids(each) for key, each in held.items() if key not in ("id", "items")}
    return held


def own(name: str) -> Any:
    return {
        kind: {key: each for key, each in without_ids(held).items() if f"{name}-" in key}
        for kind, held in inventory.held().items()
        if kind != "items"
    }


@pytest.mark.parametrize(("one", "other"), SWITCHES)
def test_another_profile_changes_the_roles_in_place(world: World, one: str, other: str) -> None:
    ended = world.provision(f"{NAME}-b", profile=other)
    wanted = own(f"{NAME}-b")
    world.delete(f"/environments/{NAME}-b")
    before = world.provision(NAME, profile=one)
    ids = {role: held["id"] for role, held in inventory.held()["roles"].items()}

    planned = world.put(f"/environments/{NAME}", {"profile": other, "dry_run": True}).body
    answer = world.put(f"/environments/{NAME}", {"profile": other})
    again = world.put(f"/environments/{NAME}", {"profile": other})

    assert answer.status == 200
    assert answer.body["roles"] == before["roles"]
    assert {role: held["id"] for role, held in inventory.held()["roles"].items()} == ids
    written = json.dumps(wanted).replace(f"{NAME}-b", NAME)
    underscored = NAME.replace("-", "_")
    assert own(NAME) == json.loads(written.replace(f"{underscored}_b", underscored))
    assert again.body["changes"] == []
    done = answer.body["changes"]
    assert sorted(map(str, done)) == sorted(map(str, planned["changes"]))
    assert {each["kind"] for each in done} & OLD
    for role in before["roles"]:
        kinds = [each["kind"] for each in done if each["role"] == role]
        taken = [at for at, kind in enumerate(kinds) if kind in OLD]
        given = [at for at, kind in enumerate(kinds) if kind in NEW]
        assert not taken or not given or max(given) < min(taken), (role, kinds)
    assert ended["smoke_test"]["status"] == answer.body["smoke_test"]["status"] == "succeeded"
    assert world.get(f"/environments/{NAME}/drift").body["in_sync"] is True


def test_a_role_that_iam_still_lists_with_a_policy_is_nobody_else(world: World) -> None:
    """IAM shows what was detached as attached for some seconds."""
    world.provision(NAME)
    roles = [name for name in inventory.held()["roles"] if name.startswith(f"{NAME}-")]

    def listing(call: Call) -> dict[str, Any] | None:
        if call.action != "ListEntitiesForPolicy":
            return None
        listed = [{"RoleName": name, "RoleId": "AROA"} for name in roles]
        return {"PolicyRoles": listed, "PolicyUsers": [], "PolicyGroups": [], "IsTruncated": False}

    with world.wire.recording(answering(listing)) as calls:
        answer = world.put(f"/environments/{NAME}", {"profile": "scoped"})

    assert "ListEntitiesForPolicy" in calls.names
    assert answer.status == 200, answer
    assert "delete_policy" in {each["kind"] for each in answer.body["changes"]}


def test_own_roles_that_keep_what_somebody_added_keep_the_policy(world: World, iam: Any) -> None:
    world.provision(NAME, profile="scoped", on_extras="report")
    role = f"{NAME}-{ROLES['lambda_trigger']}"
    [policy] = [arn for arn in inventory.held()["policies"] if arn.endswith("-SageMakerData")]
    iam.attach_role_policy(RoleName=role, PolicyArn=policy)

    answer = world.put(f"/environments/{NAME}", {"profile": "standard", "on_extras": "report"})

    assert answer.status == 409
    assert f"used by role {role}. Detach it there" in answer.body["detail"]


def test_a_policy_that_cannot_be_deleted_yet_is_left_to_the_next_call(world: World) -> None:
    world.provision(NAME, profile="scoped")
    body = {"profile": "standard", "wait": 0}
    attached = "Cannot delete a policy attached to entities."
    began = world.clock.now()
    with world.wire.recording(refusing("DeletePolicy", "DeleteConflict", attached)) as calls:
        early = world.put(f"/environments/{NAME}", body)
    waited = world.clock.now() - began
    late = world.settle(lambda: world.put(f"/environments/{NAME}", body))[-1]

    assert early.status == 503
    assert "DeleteConflict" in early.body["detail"]
    tried = calls.names.count("DeletePolicy")
    assert tried > 1
    assert waited > tried - 1, "it pauses between two tries"
    assert {each["kind"] for each in late.body["changes"]} == {"delete_policy"}


@pytest.mark.parametrize("every", [13, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize(("one", "other"), SWITCHES)
def test_a_change_of_profile_that_dies_is_completed_by_the_same_call(
    one: str, other: str, every: int
) -> None:
    """Killed at each of the calls that write, or at every so manieth."""
    body = {"profile": other, "wait": 0}
    with fresh() as world:
        world.provision(NAME, profile=one)
        with world.wire.recording() as calls:
            world.put(f"/environments/{NAME}", body)
        keys = [call.key for call in calls if call.writes]
        ended = own(NAME)
    assert len(keys) > every // 2
    for key in keys[every // 2 :: every]:
        with fresh() as world:
            world.provision(NAME, profile=one)
            kill = KillAt(key, after=True)
            with world.wire.through(kill), pytest.raises(Killed):
                world.put(f"/environments/{NAME}", body)
            world.settle(lambda world=world: world.put(f"/environments/{NAME}", body))  # type: ignore[misc]
            assert own(NAME) == ended, key
