"""What AWS refuses: quotas, permissions, documents. Every call of the recorded sequence in turn."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from moto.iam.models import iam_backends

from tests.kit import inventory
from tests.kit.situations import (
    DELETE,
    DRIFT_RUN,
    ENVIRONMENT,
    POST,
    POST_AND_WAIT,
    PUT,
    REAPPLY,
    SMOKE_TEST,
    WORKFLOW_POLICY,
    Situation,
    Undisturbed,
)
from tests.kit.wire import Call, answering, refusing
from tests.kit.world import World, fresh

from .conftest import Scenario

_PREFIXES = {
    "IAM": "iam",
    "STS": "sts",
    "DynamoDB": "dynamodb",
    "SFN": "states",
    "EventBridge": "events",
}


def _actions(situation: Situation) -> list[str]:
    return sorted({call.action for call in situation.undisturbed().calls})


def _denied(situation: Situation, action: str, log: io.StringIO) -> None:
    """Deny one action, then grant it, and look at the account.

    What a drift run did is told, whatever of its report could not be kept: the log has why.
    """
    denied = "User: arn:aws:sts::123456789012:assumed-role/trivet is not authorized to perform: "
    [service, *_] = [c.service for c in situation.undisturbed().calls if c.action == action]
    code = "AccessDenied" if service in ("IAM", "STS") else "AccessDeniedException"
    named = f"{_PREFIXES[service]}:{action}"
    with fresh() as world:
        situation.prepare(world)
        fault = refusing(lambda call: call.action == action, code, f"{denied}{named} on resource")
        with world.wire.through(fault):
            answer = situation.request(world)
        if answer.status == 200 and situation is DRIFT_RUN:
            said = [each["error"] for each in answer.body["environments"]]
            assert named in f"{said} {log.getvalue()}", answer
        else:
            assert answer.status == 502, answer
            assert named in answer.body["detail"], answer
        situation.settle(world)
        world.finish()
        assert inventory.everything() == situation.undisturbed().state


def test_changes_denied(scenario: Scenario, log: io.StringIO) -> None:
    """One of the table, of IAM and of Step Functions each; the soak test has all calls denied."""
    for action in ("TransactWriteItems", "AttachRolePolicy", "CreateRole", "StartExecution"):
        with scenario(action=action):
            _denied(POST, action, log)


@pytest.mark.soak
@pytest.mark.parametrize(
    "situation",
    [POST, POST_AND_WAIT, PUT, REAPPLY, DRIFT_RUN, DELETE, SMOKE_TEST],
    ids=lambda each: each.name,
)
def test_any_action_of_any_operation_denied(
    situation: Situation, scenario: Scenario, log: io.StringIO
) -> None:
    for action in _actions(situation):
        with scenario(action=action):
            _denied(situation, action, log)


QUOTAS = {
    "CreateRole": "Cannot exceed quota for RolesPerAccount: 1000",
    "CreatePolicy": "Cannot exceed quota for PoliciesPerAccount: 1500",
    "AttachRolePolicy": "Cannot exceed quota for PoliciesPerRole: 10",
    "PutRolePolicy": "Maximum policy size of 10240 bytes exceeded for role",
    "CreateStateMachine": "Cannot exceed quota for state machines: 10000",
}


@pytest.mark.parametrize("action", QUOTAS)
def test_a_quota_is_named_with_what_is_left_to_do(
    undisturbed: Undisturbed, world: World, action: str
) -> None:
    code = "LimitExceeded" if action != "CreateStateMachine" else "StateMachineLimitExceeded"

    def concerns_it(call: Call) -> bool:
        # Without a boundary nothing of an environment is made: that is another case.
        return (
            call.action == action
            and call.parameters.get("PolicyName") != "TrivetEnvironmentBoundary"
        )

    with world.wire.through(refusing(concerns_it, code, QUOTAS[action])):
        answer = world.ask_for()
    assert answer.status == 409
    assert answer.body["type"] == "urn:trivet:problem:quota-reached"
    assert QUOTAS[action] in answer.body["detail"]
    assert "Left to do: " in answer.body["detail"]
    assert world.request("GET", ENVIRONMENT).body["status"] == "incomplete"
    assert inventory.everything()["leases"] == []
    assert world.ask_for().status == 200
    world.finish()
    assert inventory.everything() == undisturbed.state


def test_versions_at_their_quota_are_pruned_by_one(world: World) -> None:
    """The quota of versions alone is Trivet's to make room in."""
    REAPPLY.prepare(world)
    REAPPLY.settle(world)
    assert inventory.everything()["policies"][WORKFLOW_POLICY]["versions"] == 5


def test_a_version_that_iam_still_lists_makes_no_room(world: World) -> None:
    """Right after one was deleted IAM may list it: the next one is pruned."""
    REAPPLY.prepare(world)
    gone = refusing("DeletePolicyVersion", "NoSuchEntity", times=1)
    with world.wire.recording(gone) as calls:
        answer = REAPPLY.request(world)
    assert answer.status == 200, answer
    assert calls.names.count("DeletePolicyVersion") == 2
    assert inventory.everything()["policies"][WORKFLOW_POLICY]["versions"] == 5


def test_a_fifth_version_that_iam_does_not_list_yet_is_made_room_for(world: World) -> None:
    REAPPLY.prepare(world)

    def stale(call: Call) -> dict[str, Any] | None:
        if call.action != "ListPolicyVersions":
            return None
        policy = iam_backends[call.account][call.partition].managed_policies[
            call.parameters["PolicyArn"]
        ]
        listed = [
            {
                "VersionId": each.version_id,
                "IsDefaultVersion": False,
                "CreateDate": each.create_date,
            }
            for each in policy.versions
            if not each.is_default
        ]
        assert len(listed) == 4
        return {"Versions": listed, "IsTruncated": False}

    with world.wire.recording(answering(stale)) as calls:
        answer = REAPPLY.request(world)
    assert answer.status == 200, answer
    assert calls.names.count("DeletePolicyVersion") == 1
    assert inventory.everything()["policies"][WORKFLOW_POLICY]["versions"] == 5


def test_versions_at_their_quota_that_cannot_be_pruned(undisturbed: Undisturbed) -> None:
    with fresh() as world:
        REAPPLY.prepare(world)
        message = "Cannot exceed quota for PolicyVersionsPerPolicy: 5"
        full = refusing(_is("CreatePolicyVersion"), "LimitExceeded", message)
        with world.wire.through(full):
            answer = REAPPLY.request(world)
        assert answer.status == 409
        assert message in answer.body["detail"]
        assert [c.action for c in world.wire.calls].count("DeletePolicyVersion") == 1


@pytest.mark.parametrize("action", ["CreateRole", "CreatePolicy", "PutRolePolicy"])
def test_a_document_that_iam_does_not_accept(
    undisturbed: Undisturbed, world: World, action: str
) -> None:
    malformed = refusing(_is(action), "MalformedPolicyDocument", "Syntax errors in policy.")
    with world.wire.through(malformed):
        answer = world.ask_for()
    assert answer.status == 502
    assert "MalformedPolicyDocument: Syntax errors in policy." in answer.body["detail"]
    assert world.ask_for().status == 200
    world.finish()
    assert inventory.everything() == undisturbed.state


def _is(action: str) -> Callable[[Call], bool]:
    return lambda call: call.action == action


@pytest.fixture
def undisturbed() -> Undisturbed:
    """How provisioning ends; asked for before `world`, since there is one world at a time."""
    return POST.undisturbed()
