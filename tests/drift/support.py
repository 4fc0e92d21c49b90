"""What the drift tests share: the other Lambda functions invoked, runs asked for, AWS looked at."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any
from unittest.mock import patch

import botocore.session
from chalice.local import LambdaContext
from chalice.test import Client

from app import app
from tests.conftest import ACCOUNT, ROOT
from tests.faults import answers
from tests.faults.wire import Call, Deliver, Fault
from tests.faults.world import World

CLIENT = Client(app, stage_name="dev", project_dir=str(ROOT))
QUARTER_OF_AN_HOUR = 900
"""Seconds: what Lambda gives a function at most."""


@cache
def client(service: str) -> Any:
    """Return a client that works behind Trivet's back, in whichever account is mocked."""
    return botocore.session.get_session().create_client(service)


def provision(world: World, name: str, **fields: Any) -> Any:
    """Provision an environment, wait until its smoke test has ended, and return its document."""
    answer = world.request("POST", "/environments", {"name": name, "wait": 20, **fields})
    assert answer.status == 201, answer
    assert answer.body["smoke_test"]["status"] == "succeeded", answer
    return answer.body


def invoke(function: str, event: dict[str, Any], seconds: float = QUARTER_OF_AN_HOUR) -> None:
    """Invoke one of the other Lambda functions, which has so many seconds."""
    context = partial(LambdaContext, max_runtime_ms=int(seconds * 1000))
    with patch("chalice.test.LambdaContext", context):
        CLIENT.lambda_.invoke(function, event)


def scheduled_run(world: World, seconds: float = QUARTER_OF_AN_HOUR) -> Any:
    """Let the schedule start a drift run, and return its report."""
    world.clock.sleep(1)
    invoke("drift_run", scheduled_event(), seconds)
    return latest(world)


def scheduled_event() -> dict[str, Any]:
    """Return the event with which EventBridge's schedule invokes a function."""
    rule = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/trivet-dev-drift_run"
    event: dict[str, Any] = CLIENT.events.generate_cw_event(
        "aws.events", "Scheduled Event", {}, [rule]
    )
    return event


def requested_run(world: World, body: Any = None, seconds: float = 30) -> Any:
    """Ask for a drift run over HTTP, and return its report."""
    world.clock.sleep(1)
    answer = world.request("POST", "/drift-runs", body, seconds)
    assert answer.status == 200, answer
    return answer.body


def latest(world: World) -> Any:
    """Return the last report."""
    answer = world.request("GET", "/drift-runs/latest")
    assert answer.status == 200, answer
    return answer.body


def drift(world: World, name: str) -> Any:
    """Return what GET .../drift says."""
    answer = world.request("GET", f"/environments/{name}/drift")
    assert answer.status == 200, answer
    return answer.body


def only(report: Any) -> Any:
    """Return the one environment of a report that was not in sync."""
    [environment] = report["environments"]
    return environment


def resources() -> dict[str, Any]:
    """Return all that IAM and Step Functions hold, ids, versions and times of its making left out.

    Read in bulk, which takes a tenth of the time that it takes role by role.
    """
    iam, states = client("iam"), client("stepfunctions")
    all_of_it = iam.get_account_authorization_details(Filter=["Role", "LocalManagedPolicy"])
    settings = {role["RoleName"]: role for role in iam.list_roles()["Roles"]}
    machines = [each["stateMachineArn"] for each in states.list_state_machines()["stateMachines"]]
    return {
        "roles": {
            role["RoleName"]: {
                "description": settings[role["RoleName"]].get("Description"),
                "session": settings[role["RoleName"]]["MaxSessionDuration"],
                "trust": role["AssumeRolePolicyDocument"],
                "attached": sorted(each["PolicyArn"] for each in role["AttachedManagedPolicies"]),
                "inline": {
                    each["PolicyName"]: each["PolicyDocument"] for each in role["RolePolicyList"]
                },
                "tags": _tags(role),
                "boundary": role.get("PermissionsBoundary"),
            }
            for role in all_of_it["RoleDetailList"]
        },
        "policies": {
            policy["Arn"]: {
                "document": [
                    each["Document"]
                    for each in policy["PolicyVersionList"]
                    if each["IsDefaultVersion"]
                ],
                "tags": _tags(iam.get_policy(PolicyArn=policy["Arn"])["Policy"]),
            }
            for policy in all_of_it["Policies"]
        },
        "state machines": {arn: _state_machine(states, arn) for arn in machines},
    }


def _tags(found: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}


def _state_machine(states: Any, arn: str) -> Any:
    found = states.describe_state_machine(stateMachineArn=arn)
    return {"role": found["roleArn"], "definition": json.loads(found["definition"])}


@contextmanager
def calls(world: World) -> Iterator[list[Call]]:
    """Give the calls that Trivet makes within, when they are made."""
    mark, made = len(world.wire.calls), list[Call]()
    yield made
    made += world.wire.calls[mark:]


def writes(made: Sequence[Call]) -> list[str]:
    """Return what was changed in IAM and Step Functions."""
    return [call.name for call in made if call.writes and call.service in ("IAM", "SFN")]


def reads(made: Sequence[Call]) -> list[str]:
    """Return what was read of IAM."""
    return [call.action for call in made if not call.writes and call.service == "IAM"]


def failing_once(fails: Callable[[Call], bool], code: str, times: int = 1) -> Fault:
    """Return a fault that refuses the first calls for which `fails` says so."""
    left = iter(range(times))

    def fail(call: Call, deliver: Deliver) -> Any:
        if fails(call) and next(left, None) is not None:
            return answers.error(call.service, call.url, code, "injected")
        return deliver()

    return fail
