"""Where AWS is known to behave otherwise than an emulator: each case as a caller meets it."""

import json
import os
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError

from chalicelib.aws.answers import translated
from chalicelib.errors import Rejected
from tests.kit import inventory
from tests.kit.account import client
from tests.kit.drifts import named
from tests.kit.events import cloudtrail
from tests.kit.hostile import LateExecutions, OutdatedExecutions, SlowToAppear, SlowToDisappear
from tests.kit.http import invoke
from tests.kit.names import NAME
from tests.kit.situations import DELETE, ENVIRONMENT, NOTEBOOK, POST, TRIGGER, WORKFLOW
from tests.kit.wire import Call
from tests.kit.world import World, fresh

GRANTED = Path(__file__).parents[2] / ".chalice" / "policy-dev-iam_change.json"
SERVICES = {"SFN": "states", "EventBridge": "events"}
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def _smoke_test(world: World) -> Any:
    return world.get(ENVIRONMENT).body["smoke_test"]


def test_a_state_machine_that_is_still_being_deleted_is_waited_for() -> None:
    undisturbed = POST.undisturbed()
    with fresh() as world, world.wire.through(SlowToDisappear(world.clock, 60)):
        world.ask_for()
        world.finish()
        assert DELETE.request(world).status == 200
        answer = world.ask_for()
        assert answer.status == 201, answer
        assert answer.body["smoke_test"]["status"] == "pending"
        run = world.post("/drift-runs").body
        assert run["failed"] == 0, run
        world.clock.sleep(60)
        assert world.finish()["smoke_test"]["status"] == "succeeded"
        assert inventory.everything() == undisturbed.state


@pytest.mark.parametrize("seconds", [1, 50])
def test_an_execution_that_is_not_heard_of_yet_has_not_failed(world: World, seconds: float) -> None:
    with world.wire.through(LateExecutions(world.clock, seconds)):
        assert world.ask_for(wait=0).body["smoke_test"]["status"] == "running"
        assert _smoke_test(world)["status"] == "running"
        world.clock.sleep(seconds)
        assert _smoke_test(world)["status"] == "succeeded"
    assert inventory.executions() == 1


def test_an_execution_that_stays_unheard_of_has_failed(world: World) -> None:
    with world.wire.through(LateExecutions(world.clock, 1_000)):
        world.ask_for()
        world.clock.sleep(61)
        found = _smoke_test(world)
    assert found["status"] == "failed"
    assert any("does not exist any more" in each["detail"] for each in found["checks"])


@pytest.mark.parametrize("edited", ["definition", "role"])
def test_an_execution_of_what_was_before_an_update_is_run_again(world: World, edited: str) -> None:
    world.ask_for()
    world.finish()
    if edited == "definition":
        named("state_machine_edited").on(NAME, "workflow_execution")
    else:
        states = client("stepfunctions")
        [machine] = states.list_state_machines()["stateMachines"]
        role = client("iam").get_role(RoleName=TRIGGER)["Role"]["Arn"]
        states.update_state_machine(stateMachineArn=machine["stateMachineArn"], roleArn=role)
    before = inventory.executions()
    with world.wire.through(OutdatedExecutions(world.clock, 5)):
        answer = world.post(f"{ENVIRONMENT}/reapply", {"wait": 20})
    assert answer.status == 200, answer
    assert [each["kind"] for each in answer.body["changes"]] == ["update_state_machine"]
    assert answer.body["smoke_test"]["status"] == "succeeded"
    assert inventory.executions() >= before + 2


def _event(world: World, seconds_ago: float = 0) -> None:
    at = world.clock.now() - seconds_ago
    invoke("iam_change", cloudtrail(at, "AttachRolePolicy", {"roleName": NOTEBOOK}))


def _actions(call: Call) -> set[str]:
    """Return what a call needs to be granted: a transaction, what it is made of."""
    parts = call.parameters.get("TransactItems", ())
    names = {f"{kind}Item" for part in parts for kind in part} or {call.action}
    service = SERVICES.get(call.service, call.service.lower())
    return {f"{service}:{name}" for name in names}


def test_the_event_handler_keeps_to_its_grants_when_a_state_machine_becomes_makeable(
    world: World,
) -> None:
    """Its role may make the state machine and start it, and judges nothing."""
    allowed = [
        action
        for statement in json.loads(GRANTED.read_text())["Statement"]
        if statement["Effect"] == "Allow"
        for action in statement["Action"]
    ]
    with world.wire.through(SlowToAppear(world.clock, 0, 30)):
        assert world.ask_for().body["smoke_test"]["status"] == "pending"
        world.clock.sleep(60)
        with world.wire.recording() as calls:
            _event(world)
    assert "CreateStateMachine" in calls.names
    made = {action for call in calls for action in _actions(call)}
    beyond = {each for each in made if not any(fnmatchcase(each, one) for one in allowed)}
    assert beyond == set()
    assert world.finish()["smoke_test"]["status"] == "succeeded"


@pytest.mark.parametrize(("seconds_ago", "is_repaired"), [(5, True), (29, True), (60, False)])
def test_only_a_check_well_after_a_change_settles_it(
    world: World, seconds_ago: float, is_repaired: bool
) -> None:
    """A check soon after the change may have read what was before it."""
    iam = client("iam")
    world.ask_for()
    world.finish()
    world.clock.sleep(120)
    _event(world)
    iam.attach_role_policy(RoleName=NOTEBOOK, PolicyArn=READ_ONLY)
    _event(world, seconds_ago)
    attached = iam.list_attached_role_policies(RoleName=NOTEBOOK)["AttachedPolicies"]
    assert (READ_ONLY not in [each["PolicyArn"] for each in attached]) == is_repaired


@pytest.fixture
def time_zone() -> Iterator[Any]:
    """Moves the process to a time zone, and back in the end."""
    before = os.environ.get("TZ")

    def move(name: str) -> None:
        os.environ["TZ"] = name
        time.tzset()

    yield move
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def test_ids_do_not_depend_on_the_time_zone(world: World, time_zone: Any) -> None:
    time_zone("Asia/Kolkata")
    world.ask_for()
    world.finish()
    [recorded] = [
        json.loads(item["document"]["S"])["unique_ids"]
        for item in client("dynamodb").scan(TableName="trivet-local")["Items"]
        if item["pk"]["S"] == "environment"
    ]
    [created] = [each for arn, each in recorded.items() if ":stateMachine:" in arn]
    assert created.endswith("+00:00")
    time_zone("America/Caracas")
    # Under another role, the id alone tells that it is ours.
    states = client("stepfunctions")
    [machine] = states.list_state_machines()["stateMachines"]
    role = client("iam").get_role(RoleName=NOTEBOOK)["Role"]["Arn"]
    states.update_state_machine(stateMachineArn=machine["stateMachineArn"], roleArn=role)
    assert world.post(f"{ENVIRONMENT}/reapply").status == 200
    ran = states.describe_state_machine(stateMachineArn=machine["stateMachineArn"])
    assert ran["roleArn"].endswith(f"/{WORKFLOW}")


def test_what_the_sdk_refuses_to_send_is_nobodys_weather(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too short a parameter, say: calling again would not help."""
    error = ParamValidationError(report="Invalid length for parameter PermissionsBoundary")
    assert isinstance(translated(error, "creating role x"), Rejected)
    with world.wire.through(_unsendable("CreateRole", error)):
        answer = world.ask_for()
    assert answer.status == 502, answer
    assert "retry-after" not in answer.headers
    assert "PermissionsBoundary" in answer.body["detail"]


def _unsendable(action: str, error: Exception) -> Any:
    def fail(call: Call, deliver: Any) -> Any:
        if call.action == action:
            raise error
        return deliver()

    return fail
