"""Retries: bounded in number and time, never multiplied, and harmless."""

import json
from collections import Counter

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError

from tests.kit import inventory
from tests.kit.answers import FAILURES, THROTTLES
from tests.kit.faults import Latency
from tests.kit.hostile import concurrent_modification
from tests.kit.situations import (
    DELETE,
    DRIFT_RUN,
    ENVIRONMENT,
    POST,
    PUT,
    REAPPLY,
    SMOKE_TEST,
    WORKFLOW_POLICY,
    Situation,
)
from tests.kit.wire import Call, Deliver, Layer
from tests.kit.world import World, fresh

from .conftest import Scenario

TRIES = dict.fromkeys(("throttled", "failing", "silent", "concurrent"), 12)
"""How often one call may be sent in each kind of trouble."""


class _Always:
    """One action fails, each time."""

    def __init__(self, action: str, kind: str) -> None:
        self._action = action
        self._kind = kind

    def __call__(self, call: Call, deliver: Deliver) -> AWSResponse:
        if call.action != self._action:
            return deliver()
        if self._kind == "silent":
            raise ReadTimeoutError(endpoint_url=call.url)
        if self._kind == "concurrent":
            return concurrent_modification(call)
        code = THROTTLES[call.service][0] if self._kind == "throttled" else FAILURES[call.service]
        return call.refused(code, "Not now.")


def _tried(situation: Situation, action: str, kind: str) -> None:
    """Let one action fail all the time, and count how often it was asked for."""
    undisturbed = situation.undisturbed()
    with fresh() as world:
        situation.prepare(world)
        mark, began = len(world.wire.calls), world.clock.now()
        with world.wire.through(_Always(action, kind)):
            situation.request(world)
        assert world.clock.now() < began + 29
        sent = [call for call in world.wire.calls[mark:] if call.action == action]
        # One call is what asks the same: the table's are not told apart by their names.
        most = max(Counter(json.dumps(call.parameters) for call in sent).values())
        assert most <= TRIES[kind], f"{action} was sent {most} times"
        situation.settle(world)
        world.finish()
        assert inventory.everything() == undisturbed.state


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("TransactWriteItems", "throttled"),
        ("GetRole", "failing"),
        ("CreateRole", "throttled"),
        ("CreateRole", "concurrent"),
        ("AttachRolePolicy", "silent"),
        ("AttachRolePolicy", "concurrent"),
        ("StartExecution", "failing"),
    ],
)
def test_a_call_is_tried_so_often_and_no_more(action: str, kind: str) -> None:
    _tried(POST, action, kind)


@pytest.mark.soak
@pytest.mark.parametrize("situation", [POST, PUT, REAPPLY, DELETE], ids=lambda each: each.name)
def test_any_call_is_tried_so_often_and_no_more(situation: Situation, scenario: Scenario) -> None:
    calls = {call.action: call for call in situation.undisturbed().calls}
    for action, call in sorted(calls.items()):
        for kind in TRIES:
            if kind != "concurrent" or (call.service == "IAM" and call.writes):
                with scenario(action=action, kind=kind):
                    _tried(situation, action, kind)


class _Unheard:
    """The first good answer to an action is lost."""

    def __init__(self, action: str) -> None:
        self._action = action
        self.lost: list[Call] = []

    def __call__(self, call: Call, deliver: Deliver) -> AWSResponse:
        answer = deliver()
        if call.action == self._action and answer.status_code == 200 and not self.lost:
            self.lost.append(call)
            raise ReadTimeoutError(endpoint_url=call.url)
        return answer


def test_an_unheard_start_starts_no_second_execution(world: World) -> None:
    # By the time that it is sent again, the execution has ended, and its name is taken.
    with world.wire.through(_Unheard("StartExecution"), Latency(world.clock, 0.5)):
        answer = world.ask_for(wait=20)
    assert answer.status == 201
    assert world.finish()["smoke_test"]["status"] == "succeeded"
    assert inventory.executions() == 1


def test_an_unheard_policy_version_is_not_made_again(world: World) -> None:
    REAPPLY.prepare(world)
    with world.wire.through(_Unheard("CreatePolicyVersion")):
        assert REAPPLY.request(world).status == 503
    made = [call for call in world.wire.calls if call.action == "CreatePolicyVersion"]
    assert REAPPLY.request(world).status == 200
    assert [call for call in world.wire.calls if call.action == "CreatePolicyVersion"] == made
    assert inventory.everything()["policies"][WORKFLOW_POLICY]["versions"] == 5


@pytest.mark.parametrize(
    ("situation", "action"),
    [
        (POST, "CreateRole"),
        (POST, "CreatePolicy"),
        (POST, "CreateStateMachine"),
        (POST, "TransactWriteItems"),
        (REAPPLY, "TransactWriteItems"),
        (SMOKE_TEST, "PutItem"),
        (DRIFT_RUN, "UpdateItem"),
        (DELETE, "DeleteRole"),
        (DELETE, "TransactWriteItems"),
    ],
    ids=lambda each: each if isinstance(each, str) else each.name,
)
def test_an_unheard_change_is_seen_to_be_ours(situation: Situation, action: str) -> None:
    undisturbed = situation.undisturbed()
    with fresh() as world:
        situation.prepare(world)
        unheard = _Unheard(action)
        with world.wire.through(unheard):
            answer = situation.request(world)
        assert unheard.lost
        assert situation.done(answer), answer
        world.finish()
        assert inventory.everything() == undisturbed.state


def test_bad_times_leave_the_next_call_its_retries(world: World) -> None:
    """botocore's retries are out of a quota that a client has for its life."""
    with world.wire.through(_Always("BatchGetItem", "silent")):
        for _ in range(30):
            assert world.get(ENVIRONMENT).status == 503
        with world.wire.recording() as calls:
            world.get(ENVIRONMENT)
    assert calls.names.count("BatchGetItem") == TRIES["silent"]


def test_a_record_that_cannot_be_ended_says_when_the_lease_runs_out(world: World) -> None:
    with world.wire.through(_unwritable_after("StartExecution")):
        answer = world.ask_for()
    assert answer.status == 503
    assert world.ask_for().status == 409
    world.clock.sleep(int(answer.headers["retry-after"]))
    assert world.ask_for().status == 200


def _unwritable_after(action: str) -> Layer:
    """Return a fault by which nothing can be written to the table once an action was called."""
    seen: list[Call] = []

    def fail(call: Call, deliver: Deliver) -> AWSResponse:
        if call.action == action:
            seen.append(call)
        if seen and call.action == "TransactWriteItems":
            raise ReadTimeoutError(endpoint_url=call.url)
        return deliver()

    return fail
