"""The generated policies suffice for all that Trivet does, and allow nothing beside it."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from chalicelib import templates
from tools.child import REPOSITORY
from tools.permissions import FUNCTIONS, Function, Names, Stage, function_policy

from .authorization import AuthorizationRequest, ContextValue
from .cases import ACCOUNT, request
from .conftest import Recorded
from .refused import ONLY_THE_API_MAY, REFUSED, Refused, refused_under
from .simulator import Decision, Policy, actions_of, simulate

US, CHINA = "us-east-1", "cn-north-1"
BOUNDARY_NAME = "provisioned-roles"

BY_LAMBDA_ITSELF = {
    "logs:CreateLogGroup": "Lambda makes a function's log group at its first invocation",
    "logs:CreateLogStream": "Lambda makes one for each instance of a function",
    "logs:PutLogEvents": "Lambda writes what a function prints",
    "xray:PutTelemetryRecords": "Lambda tells X-Ray of its daemon, where tracing is on",
    "xray:PutTraceSegments": "Lambda sends the traces, where tracing is on",
}
"""Granted actions that no code of Trivet's calls, each with the reason why it is granted."""

ON_ANYTHING_OF_A_KIND = {
    ("DetachOwnPoliciesFromAnyone", "arn:*:iam::*:group/*"): "limited by iam:PolicyARN",
    ("DetachOwnPoliciesFromAnyone", "arn:*:iam::*:role/*"): "limited by iam:PolicyARN",
    ("DetachOwnPoliciesFromAnyone", "arn:*:iam::*:user/*"): "limited by iam:PolicyARN",
    ("SeeWhetherPoliciesExist", "arn:*:iam::*:policy/*"): "callers may name any as a boundary",
    ("TakeRolesOutOfInstanceProfiles", "arn:*:iam::*:instance-profile/*"): (
        "a role of ours can be in anyone's, and IAM asks about nothing else"
    ),
}
"""Resources without a name in them, by statement, each with the reason why none can be given."""

WITHOUT_RESOURCE = "ActionsWithoutResourceLevelPermissions"


def checked_in(function: str, stage: str = "dev") -> dict[str, Any]:
    config = json.loads((REPOSITORY / ".chalice" / "config.json").read_text())
    settings = config["stages"][stage]["lambda_functions"][function]
    policy: dict[str, Any] = json.loads(
        (REPOSITORY / ".chalice" / settings["iam_policy_file"]).read_text()
    )
    return policy


POLICIES: Mapping[str, dict[str, Any]] = {function: checked_in(function) for function in FUNCTIONS}


def bounded(partition: str) -> dict[str, Policy]:
    """The policies of a stage that demands a permissions boundary."""
    arn = f"arn:{partition}:iam::{ACCOUNT}:policy/{BOUNDARY_NAME}"
    names = Names.of(templates.load(), {})
    stage = Stage("trivet-dev", "trivet-dev", arn)
    return {function: function_policy(function, stage, names) for function in FUNCTIONS}


Asked = list[tuple[str, AuthorizationRequest]]
Cases = list[tuple[str, Refused]]


def asked(recorded: Recorded, region: str, boundary: str | None = None) -> Asked:
    calls = recorded(region, boundary)
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


@pytest.mark.soak
def test_every_call_made_in_china_is_allowed(recorded: Recorded) -> None:
    requests = asked(recorded, CHINA)

    assert {one.principal.split(":")[1] for _, one in requests} == {"aws-cn"}
    assert refusals(simulate(POLICIES, requests)) == []


def test_what_lambda_does_itself_is_allowed() -> None:
    requests = [(function, one) for function in FUNCTIONS for one in of_lambda_itself(function)]

    assert refusals(simulate(POLICIES, requests)) == []


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_every_call_is_allowed_where_a_boundary_is_demanded(
    recorded: Recorded, partition: str
) -> None:
    requests = moved(asked(recorded, US, BOUNDARY_NAME), partition)
    # Made before the stage began to demand it.
    early = [
        one for _, one in requests if one.action == "iam:CreateRole" and "/early-" in one.resource
    ]

    decisions = simulate(bounded(partition), requests)

    assert len(early) == 3
    assert [decision.request for decision in decisions if not decision.allowed] == early


# --- they bind


def test_all_that_must_be_refused_is_refused() -> None:
    every: Cases = [(function, each) for function in FUNCTIONS for each in REFUSED]
    others = [function for function in FUNCTIONS if function != "api_handler"]
    beyond: Cases = [(function, each) for function in others for each in ONLY_THE_API_MAY]

    assert allowed(POLICIES, every + beyond) == []


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_no_stage_touches_the_table_of_another(stage: str) -> None:
    other = {"dev": "prod", "prod": "dev"}[stage]
    tables = [f"arn:aws:dynamodb:{US}:{ACCOUNT}:table/trivet-{name}" for name in (stage, other)]
    policies: dict[str, Policy] = {each: checked_in(each, stage) for each in FUNCTIONS}

    decisions = simulate(
        policies,
        [
            (function, request(f"dynamodb:{operation}Item", table))
            for function in FUNCTIONS
            for operation in ("Get", "Put")
            for table in tables
        ],
    )

    assert [decision.allowed for decision in decisions] == [True, False] * 6


def test_no_other_boundary_than_the_demanded_one() -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:policy/{BOUNDARY_NAME}"
    every: Cases = [(function, each) for function in FUNCTIONS for each in refused_under(arn)]

    assert allowed(bounded("aws"), every) == []


def test_refusals_are_the_policies_own() -> None:
    """With a policy that allows everything, all that must be refused would be allowed."""
    everything = {"Version": "2012-10-17", "Statement": [statement("*", "*")]}
    bounding = refused_under(f"arn:aws:iam::{ACCOUNT}:policy/{BOUNDARY_NAME}")
    listed = [*REFUSED, *ONLY_THE_API_MAY, *bounding]

    let_through = allowed({"all": everything}, [("all", each) for each in listed])

    assert len(let_through) == len(listed)


def allowed(policies: Mapping[str, Policy], every: Sequence[tuple[str, Refused]]) -> list[str]:
    """What of a list of refusals is allowed: every request that the call makes."""
    requests = [(function, one) for function, each in every for one in each.requests]
    answers = iter(simulate(policies, requests))
    found = []
    for function, each in every:
        decisions = [next(answers) for _ in each.requests]
        if all(decision.allowed for decision in decisions):
            found.append(f"{function}: {each.what}")
    return found


# --- nothing in them is superfluous


def test_every_granted_action_is_used(recorded: Recorded) -> None:
    for function in FUNCTIONS:
        assert unused(POLICIES[function], used(recorded, function)) == []


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


def test_every_statement_is_needed_where_a_boundary_is_demanded(recorded: Recorded) -> None:
    policies = bounded("aws")
    requests = asked(recorded, US) + asked(recorded, US, BOUNDARY_NAME)
    requests += [(function, one) for function in FUNCTIONS for one in of_lambda_itself(function)]
    alone = {(d.policy, *d.statements) for d in simulate(policies, requests) if d.allowed}

    for function in FUNCTIONS:
        sids = {each["Sid"] for each in policies[function]["Statement"]}
        assert {sid for sid in sids if (function, sid) not in alone} == set()


def test_more_than_is_used_is_noticed(recorded: Recorded) -> None:
    for function in FUNCTIONS:
        tampered = copy.deepcopy(POLICIES[function])
        tampered["Statement"].append(statement("iam:*", "*"))

        assert unused(tampered, used(recorded, function)) == ["iam:*"]
        assert wide(tampered) != []
        assert allowed({"tampered": tampered}, [("tampered", each) for each in REFUSED]) != []


def used(recorded: Recorded, function: str) -> list[AuthorizationRequest]:
    own = [one for name, one in asked(recorded, US) if name == function]
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
        if each["Sid"] == WITHOUT_RESOURCE
        for action in each["Action"]
    }
    known = {name: details for s in ("iam", "xray") for name, details in actions_of(s).items()}

    assert actions
    assert {action for action in actions if known[action].resource_types} == set()


def wide(policy: Policy) -> list[str]:
    """The resources that hold no name, where there is no reason for that."""
    found = []
    for each in policy["Statement"]:
        for resource in each["Resource"]:
            _, *names = re.split("[:/]", resource.split(":", 5)[-1])
            named = any(name.strip("*") for name in names)
            reason = (each["Sid"], resource) in ON_ANYTHING_OF_A_KIND
            if not named and not reason and each["Sid"] != WITHOUT_RESOURCE:
                found.append(f"{each['Sid']}: {resource}")
    return found


def statement(action: str, resource: str) -> dict[str, Any]:
    return {"Sid": "Added", "Effect": "Allow", "Action": [action], "Resource": [resource]}
