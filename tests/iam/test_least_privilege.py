"""The generated policies suffice for all that Trivet does, and allow nothing beside it."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.settings import Function
from tools.permissions.functions import FUNCTIONS

from .authorization import AuthorizationRequest, ContextValue
from .cases import ACCOUNT, request
from .conftest import Recorded
from .policies import checked_in
from .refused import REFUSED
from .simulator import Decision, Policy, actions_of, simulate
from .test_functions import UNBOUNDED, let_through

US, CHINA = "us-east-1", "cn-north-1"

BY_LAMBDA_ITSELF = {
    "logs:CreateLogGroup": "Lambda makes a function's log group at its first invocation",
    "logs:CreateLogStream": "Lambda makes one for each instance of a function",
    "logs:PutLogEvents": "Lambda writes what a function prints",
    "xray:PutTelemetryRecords": "Lambda tells X-Ray of its daemon, where tracing is on",
    "xray:PutTraceSegments": "Lambda sends the traces, where tracing is on",
}
"""Granted actions that no code of Trivet's calls, each with the reason why it is granted."""

WITHOUT_RESOURCE = {"ListRolesAndPolicies", "TraceWithXRay"}
"""The statements whose actions IAM allows on everything only."""

POLICIES: Mapping[str, Policy] = {function: checked_in(function) for function in FUNCTIONS}

Asked = list[tuple[str, AuthorizationRequest]]


def asked(recorded: Recorded, region: str, lifted: bool = False) -> Asked:
    calls = recorded(region, lifted)
    return [(each.function, one) for each in calls for one in each.requests]


def of_lambda_itself(function: str, region: str = US) -> list[AuthorizationRequest]:
    """What Lambda asks under the role of a function, in a name of `chalice deploy`'s and one of
    CloudFormation's.
    """
    by_chalice = "trivet-dev" if function == "api_handler" else f"trivet-dev-{function}"
    requests = [request(f"xray:Put{what}", "*") for what in ("TelemetryRecords", "TraceSegments")]
    for name in (by_chalice, "trivet-dev-SomeFunction-1A2B3C"):
        group = f"arn:aws:logs:{region}:{ACCOUNT}:log-group:/aws/lambda/{name}"
        stream = f"{group}:log-stream:2026/01/01/[$LATEST]abc"
        requests.append(request("logs:CreateLogGroup", group))
        requests += [
            request(f"logs:{each}", stream) for each in ("CreateLogStream", "PutLogEvents")
        ]
    return requests


def moved(asked: Asked, partition: str) -> Asked:
    """The same requests in another partition."""

    def there(value: ContextValue) -> ContextValue:
        if isinstance(value, tuple):
            return value
        return value.replace("arn:aws:", f"arn:{partition}:")

    requests = [
        (
            function,
            replace(
                one,
                resource=str(there(one.resource)),
                principal=str(there(one.principal)),
                context={key: there(value) for key, value in one.context.items()},
            ),
        )
        for function, one in asked
    ]
    assert partition == "aws" or "arn:aws:" not in str(requests)
    return requests


def refusals(decisions: Iterable[Decision]) -> list[str]:
    return sorted({str(decision) for decision in decisions if not decision.allowed})


# --- they suffice


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_every_call_is_allowed(recorded: Recorded, partition: str) -> None:
    requests = moved(asked(recorded, US), partition)

    assert refusals(simulate(POLICIES, requests)) == []


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_every_call_is_allowed_where_the_boundary_is_lifted(
    recorded: Recorded, partition: str
) -> None:
    requests = moved(asked(recorded, US, lifted=True), partition)

    assert refusals(simulate(UNBOUNDED, requests)) == []


@pytest.mark.soak
def test_every_call_made_in_china_is_allowed(recorded: Recorded) -> None:
    requests = asked(recorded, CHINA)

    assert {one.principal.split(":")[1] for _, one in requests} == {"aws-cn"}
    assert refusals(simulate(POLICIES, requests)) == []


def test_what_lambda_does_itself_is_allowed() -> None:
    requests = [(function, one) for function in FUNCTIONS for one in of_lambda_itself(function)]

    assert refusals(simulate(POLICIES, requests)) == []


# --- nothing in them is superfluous


def test_every_granted_action_is_used(recorded: Recorded) -> None:
    for function in FUNCTIONS:
        assert (function, unused(POLICIES[function], used(recorded, function))) == (function, [])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_statement_is_needed(recorded: Recorded, function: Function) -> None:
    """Without any one statement, something that the function does is refused."""
    policy = POLICIES[function]
    requests = [(function, one) for one in used(recorded, function)]
    rested_on: dict[str, AuthorizationRequest] = {}
    for decision in simulate(POLICIES, requests):
        if len(decision.statements) == 1:
            rested_on.setdefault(decision.statements[0], decision.request)
    sids = [each["Sid"] for each in policy["Statement"]]

    assert len(set(sids)) == len(sids)
    assert set(sids) - set(rested_on) == set()
    lacking = {
        sid: {**policy, "Statement": [each for each in policy["Statement"] if each["Sid"] != sid]}
        for sid in sids
    }
    decisions = simulate(lacking, list(rested_on.items()))
    assert [decision.policy for decision in decisions if decision.allowed] == []


def test_more_than_is_used_is_noticed(recorded: Recorded) -> None:
    for function in FUNCTIONS:
        tampered = copy.deepcopy(dict(POLICIES[function]))
        tampered["Statement"].append(statement("iam:*", "*"))

        assert "iam:*" in unused(tampered, used(recorded, function))
        assert wide(tampered) != []
        assert let_through({"tampered": tampered}, [("tampered", each) for each in REFUSED]) != []


def used(recorded: Recorded, function: str) -> list[AuthorizationRequest]:
    # A step of the fleet does to one account what a run over one account does.
    done_by = "drift_run" if function == "fleet_step" else function
    own = [one for name, one in asked(recorded, US) if name == done_by]
    return own + of_lambda_itself(function)


def unused(policy: Policy, requests: Iterable[AuthorizationRequest]) -> list[str]:
    """The granted actions that nothing uses and nothing justifies."""
    needed = {one.action for one in requests} | set(BY_LAMBDA_ITSELF)
    granted = {action for each in policy["Statement"] for action in each["Action"]}
    return sorted(granted - needed)


# --- nothing in them is wider than it need be


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_no_resource_is_wider_than_iam_allows(stage: str) -> None:
    for function in FUNCTIONS:
        assert wide(checked_in(function, stage)) == []


def test_actions_on_everything_are_those_that_know_no_resources() -> None:
    actions = {
        action
        for policy in POLICIES.values()
        for each in policy["Statement"]
        if each["Sid"] in WITHOUT_RESOURCE
        for action in each["Action"]
    }
    known = {name: details for s in ("iam", "xray") for name, details in actions_of(s).items()}

    assert actions
    assert {action for action in actions if known[action].resource_types} == set()


def wide(policy: Policy) -> list[str]:
    """The resources that hold no name."""
    found = []
    for each in policy["Statement"]:
        for resource in each["Resource"]:
            _, *names = re.split("[:/]", resource.split(":", 5)[-1])
            named = any(name.strip("*") for name in names)
            if not named and each["Sid"] not in WITHOUT_RESOURCE:
                found.append(f"{each['Sid']}: {resource}")
    return found


def statement(action: str, resource: str) -> dict[str, Any]:
    return {"Sid": "Added", "Effect": "Allow", "Action": [action], "Resource": [resource]}
