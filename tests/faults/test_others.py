"""Somebody else at work on the same roles and policies, at the worst moment."""

import json
from collections.abc import Callable

import pytest

from tests.kit import inventory
from tests.kit.account import client
from tests.kit.drifts import delete_role
from tests.kit.faults import Meddler
from tests.kit.names import NAME, OPEN, OPEN_TRUST
from tests.kit.situations import (
    DELETE,
    ENVIRONMENT,
    NOTEBOOK,
    POST,
    REAPPLY,
    TRIGGER,
    WORKFLOW_POLICY,
    Situation,
)
from tests.kit.wire import Call, refusing
from tests.kit.world import fresh

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def _at(action: str, name: str) -> Callable[[Call], bool]:
    def is_it(call: Call) -> bool:
        return call.action == action and name in call.name

    return is_it


def _make_role(name: str) -> None:
    client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(OPEN_TRUST))


def test_a_role_that_somebody_makes_first_is_left_alone() -> None:
    undisturbed = POST.undisturbed()
    with fresh() as world:
        theirs = Meddler(_at("CreateRole", TRIGGER), lambda: _make_role(TRIGGER))
        with world.wire.through(theirs):
            answer = world.ask_for()
        assert answer.status == 409
        assert f"role/{TRIGGER}: it exists without Trivet's tags" in answer.body["detail"]
        assert "was changed only in part" in answer.body["detail"]
        held = inventory.everything()
        assert held["roles"][TRIGGER]["attached"] == []
        assert held["environments"][NAME]["status"] == "incomplete"
        assert world.ask_for().status == 409
        assert world.request("DELETE", ENVIRONMENT).status == 200
        assert list(inventory.everything()["roles"]) == [TRIGGER]
        delete_role(TRIGGER)
        assert world.ask_for().status == 201
        world.finish()
        assert inventory.everything() == undisturbed.state


@pytest.mark.parametrize(
    ("situation", "before", "act"),
    [
        pytest.param(
            POST,
            _at("AttachRolePolicy", f"{NOTEBOOK} arn:aws:iam::aws:policy/AmazonAthenaFullAccess"),
            lambda: delete_role(NOTEBOOK),
            id="a role deleted while it is made",
        ),
        pytest.param(
            REAPPLY,
            _at("AttachRolePolicy", NOTEBOOK),
            lambda: delete_role(NOTEBOOK),
            id="a role deleted while it is repaired",
        ),
        pytest.param(
            REAPPLY,
            _at("CreatePolicyVersion", WORKFLOW_POLICY),
            lambda: client("iam").delete_policy_version(PolicyArn=WORKFLOW_POLICY, VersionId="v1"),
            id="a version deleted before it is pruned",
        ),
        pytest.param(
            DELETE,
            _at("DeleteRole", NOTEBOOK),
            lambda: client("iam").attach_role_policy(RoleName=NOTEBOOK, PolicyArn=READ_ONLY),
            id="a policy attached while the role is deleted",
        ),
        pytest.param(
            DELETE,
            _at("DeletePolicy", WORKFLOW_POLICY),
            lambda: client("iam").create_policy_version(
                PolicyArn=WORKFLOW_POLICY, PolicyDocument=json.dumps(OPEN)
            ),
            id="a version made while the policy is deleted",
        ),
        pytest.param(
            DELETE,
            _at("DetachRolePolicy", NOTEBOOK),
            lambda: delete_role(NOTEBOOK),
            id="a role deleted while it is deleted",
        ),
    ],
)
def test_meddling_makes_no_difference_in_the_end(
    situation: Situation, before: Callable[[Call], bool], act: Callable[[], object]
) -> None:
    undisturbed = situation.undisturbed()
    with fresh() as world:
        situation.prepare(world)
        meddler = Meddler(before, act)
        with world.wire.through(meddler):
            answers = situation.settle(world)
        assert meddler.acted
        if situation is DELETE:
            assert len(answers) == 1, "a removal is begun anew at once"
        world.finish()
        assert inventory.everything() == undisturbed.state


@pytest.mark.parametrize("named", [NOTEBOOK, WORKFLOW_POLICY], ids=["role", "policy"])
def test_a_name_taken_in_another_case_is_a_conflict(named: str) -> None:
    name = named.rsplit("/", 1)[-1]

    def creating(call: Call) -> bool:
        return call.action in ("CreateRole", "CreatePolicy") and name in call.parameters.values()

    with fresh() as world:
        taken = refusing(creating, "EntityAlreadyExists", f"{name.upper()} already exists.")
        with world.wire.through(taken):
            answer = world.ask_for()
        assert answer.status == 409
        assert "may differ in case" in answer.body["detail"]
        assert world.ask_for().status == 200
