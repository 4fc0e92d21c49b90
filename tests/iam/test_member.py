"""What a member account grants to Trivet: who comes in, and what a session may then do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from chalicelib.settings import Function
from tools.child import REPOSITORY
from tools.make_policies import INLINE_POLICY_LIMIT, SESSION_POLICY_LIMIT
from tools.permissions.functions import FUNCTIONS, function_policy, session_policy
from tools.permissions.names import Names, Stage
from tools.permissions.statements import minified

from .authorization import AuthorizationRequest
from .cases import ACCOUNT
from .policies import BOUNDARY, NAMES, STAGES, checked_in
from .refused import ONLY_THE_API_MAY, REFUSED
from .simulator import Decision, Policy, simulate
from .test_functions import CHANGES, on_role

HUB, EXTERNAL_ID, ORGANIZATION = "999999999999", "said-by-the-hub", "o-abcdefghij"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/TrivetMember"
TEMPLATE = json.loads((REPOSITORY / "deploy" / "member-account.json").read_text())
SESSIONS: Mapping[str, Policy] = json.loads(
    (REPOSITORY / "policies" / "session-policies.json").read_text()
)
RESOURCES = TEMPLATE["Resources"]
MEMBER: Policy = RESOURCES["Role"]["Properties"]["Policies"][0]["PolicyDocument"]


def resolved(template: Any, organization: str = ORGANIZATION) -> Any:
    """What CloudFormation makes of a part of the template with these parameters."""
    values = {
        "AWS::Partition": "aws",
        "HubAccountId": HUB,
        "Stage": "prod",
        "ExternalId": EXTERNAL_ID,
        "OrganizationId": organization,
    }
    match template:
        case {"Ref": "AWS::NoValue"}:
            return None
        case {"Ref": name}:
            return values[name]
        case {"Fn::Sub": text}:
            for name, value in values.items():
                text = text.replace(f"${{{name}}}", value)
            return text
        case {"Fn::If": ["InOrganization", there, otherwise]}:
            return resolved(there if organization else otherwise, organization)
        case dict():
            parts = {key: resolved(value, organization) for key, value in template.items()}
            return {key: value for key, value in parts.items() if value is not None}
        case list():
            return [resolved(each, organization) for each in template]
    return template


def entering(role: str, account: str = HUB, **context: str) -> AuthorizationRequest:
    principal = f"arn:aws:iam::{account}:role/{role}"
    says = {"sts:ExternalId": EXTERNAL_ID, "aws:PrincipalOrgID": ORGANIZATION, **context}
    return AuthorizationRequest(
        "sts:AssumeRole",
        ROLE,
        f"arn:aws:sts::{account}:assumed-role/{role}/session",
        {"aws:PrincipalArn": principal, **{key: value for key, value in says.items() if value}},
    )


def let_in(request: AuthorizationRequest, organization: str = ORGANIZATION) -> bool:
    trust = RESOURCES["Role"]["Properties"]["AssumeRolePolicyDocument"]
    [decision] = simulate({"trust": resolved(trust, organization)}, [("trust", request)])
    return decision.allowed


# --- who comes in


@pytest.mark.parametrize(
    "role", [*(f"trivet-prod-{each}" for each in FUNCTIONS), "trivet-prod-DriftRunRole-1A2B3C"]
)
def test_trivets_functions_come_in(role: str) -> None:
    assert let_in(entering(role))


@pytest.mark.parametrize(
    ("what", "request_"),
    [
        ("another role of the hub", entering("admin")),
        ("another stage's function", entering("trivet-dev-api_handler")),
        ("a role whose name begins so", entering("trivet-prod-api_handler2")),
        ("a provisioned role of an environment named so", entering("trivet-prod-x-SageMaker")),
        ("the fleet's own role", entering("trivet-prod-operations-FleetRole-1A2B3C")),
        ("another account's role of that name", entering("trivet-prod-api_handler", ACCOUNT)),
        (
            "a wrong external id",
            entering("trivet-prod-api_handler", **{"sts:ExternalId": "guessed"}),
        ),
        ("no external id", entering("trivet-prod-api_handler", **{"sts:ExternalId": ""})),
        (
            "another organisation",
            entering("trivet-prod-api_handler", **{"aws:PrincipalOrgID": "o-zzzzzzzzzz"}),
        ),
    ],
)
def test_nobody_else_comes_in(what: str, request_: AuthorizationRequest) -> None:
    assert not let_in(request_), what


def test_organisation_is_asked_for_only_where_it_is_given() -> None:
    outside = entering("trivet-prod-api_handler", **{"aws:PrincipalOrgID": ""})

    assert let_in(outside, organization="")
    assert not let_in(outside)


# --- what a session may do


def in_session(function: str, requests: list[AuthorizationRequest]) -> list[bool]:
    """Whether the role and the function's session policy both allow these."""
    policies: dict[str, Policy] = {"role": MEMBER, "session": SESSIONS[function]}
    every = simulate(policies, [(name, one) for one in requests for name in policies])
    pairs: Iterator[tuple[Decision, Decision]] = zip(every[::2], every[1::2], strict=True)
    return [by_role.allowed and by_session.allowed for by_role, by_session in pairs]


def home_and_member_alike() -> list[AuthorizationRequest]:
    refused = [one for each in [*REFUSED, *ONLY_THE_API_MAY] for one in each.requests]
    changes = [
        on_role(each, tagged, boundary, **more)
        for each, more in CHANGES.items()
        for tagged in (True, False)
        for boundary in (None, f"arn:aws:iam::{ACCOUNT}:policy/TrivetEnvironmentBoundary")
    ]
    return [
        one
        for one in [*refused, *changes]
        if one.action.startswith(("iam:", "states:")) and "trivet-dev-fleet" not in one.resource
    ]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_session_may_do_what_the_function_may_at_home(function: str) -> None:
    requests = home_and_member_alike()
    at_home = simulate({"home": checked_in(function)}, [("home", one) for one in requests])

    assert in_session(function, requests) == [decision.allowed for decision in at_home]
    assert any(decision.allowed for decision in at_home)


def test_a_member_is_asked_for_iam_and_step_functions_only() -> None:
    services = {action.split(":")[0] for each in MEMBER["Statement"] for action in each["Action"]}
    home = {
        action
        for function in FUNCTIONS
        for each in checked_in(function, "prod")["Statement"]
        for action in each["Action"]
    }

    assert services == {"iam", "states"}
    assert {action for each in MEMBER["Statement"] for action in each["Action"]} <= home
    assert "trivet-" not in json.dumps(MEMBER)


def test_what_is_retired_is_the_apis_in_a_member_too() -> None:
    names = Names(
        *(NAMES.roles, NAMES.policies, NAMES.aws_managed_policies, NAMES.state_machines),
        NAMES.state_machine_roles,
        retired_roles=["${environment}-Old"],
        retired_policies=["${environment}-OldPolicy"],
    )
    stage = Stage("trivet", "dev", "trivet-dev")
    reading = AuthorizationRequest(
        "iam:GetRole",
        f"arn:aws:iam::{ACCOUNT}:role/lake-Old",
        f"arn:aws:iam::{ACCOUNT}:role/TrivetMember",
    )
    for function in FUNCTIONS:
        policies = {
            "home": function_policy(function, stage, names),
            "session": session_policy(function, [stage], names),
        }
        decisions = simulate(policies, [("home", reading), ("session", reading)])
        assert [each.allowed for each in decisions] == [function == "api_handler"] * 2


# --- the template


def test_sizes_fit() -> None:
    assert len(minified(MEMBER)) < INLINE_POLICY_LIMIT
    for function in FUNCTIONS:
        assert len(minified(SESSIONS[function])) < SESSION_POLICY_LIMIT
    trust = RESOURCES["Role"]["Properties"]["AssumeRolePolicyDocument"]
    assert len(minified(resolved(trust))) < 2_048


def test_boundary_is_the_one_that_trivet_knows_and_outlives_the_stack() -> None:
    boundary = RESOURCES["Boundary"]

    assert boundary["Properties"]["PolicyDocument"] == BOUNDARY
    assert boundary["Properties"]["ManagedPolicyName"] == "TrivetEnvironmentBoundary"
    assert boundary["DeletionPolicy"] == "Retain"


def test_withdrawal_takes_all_but_the_boundary() -> None:
    granted = {name for name, each in RESOURCES.items() if each.get("Condition") == "Granted"}

    assert set(RESOURCES) - granted == {"Boundary"}
    assert TEMPLATE["Parameters"]["Access"]["AllowedValues"] == ["granted", "withdrawn"]


def test_events_go_to_the_hubs_bus_and_nowhere_else() -> None:
    [target] = RESOURCES["IamChanges"]["Properties"]["Targets"]
    [policy] = RESOURCES["SendIamChanges"]["Properties"]["Policies"]
    [statement] = policy["PolicyDocument"]["Statement"]

    assert target["RoleArn"] == {"Fn::GetAtt": ["SendIamChanges", "Arn"]}
    assert statement["Action"] == "events:PutEvents"
    assert statement["Resource"] == target["Arn"]
    assert "event-bus/default" in target["Arn"]["Fn::Sub"]


def test_session_policies_are_for_each_function_and_every_stage() -> None:
    assert set(SESSIONS) == set(FUNCTIONS)
    function: Function
    for function in FUNCTIONS:
        assert SESSIONS[function] == session_policy(function, STAGES, NAMES)
