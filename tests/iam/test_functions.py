"""What Trivet's functions cannot do, and what a role must be before they change it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from chalice.utils import to_cfn_resource_name

from tools.permissions.functions import FUNCTIONS, STARTS_FLEET, role_patterns

from .authorization import AuthorizationRequest, Entity
from .cases import ACCOUNT, ROLE, TAGS, asked, call, request
from .policies import allowed, checked_in, of_functions
from .refused import (
    BOUND,
    ONLY_THE_API_MAY,
    ONLY_THOSE_WHO_START_THE_FLEET_MAY,
    REFUSED,
    REFUSED_UNLESS_LIFTED,
    Refused,
)
from .simulator import Policy, actions_of, simulate

POLICIES: Mapping[str, Policy] = {function: checked_in(function) for function in FUNCTIONS}
UNBOUNDED: Mapping[str, Policy] = of_functions(boundary=None)
"""Where the deployment lifts the boundary."""
NAME = ROLE.rpartition("/")[2]
ENVIRONMENT = {"trivet:environment": "lake-dev"}
INLINE = {"PolicyName": "any", "PolicyDocument": "{}"}

Cases = list[tuple[str, Refused]]


def let_through(policies: Mapping[str, Policy], every: Sequence[tuple[str, Refused]]) -> list[str]:
    """What of a list of refusals is allowed: every request that the call makes."""
    requests = [(function, one) for function, each in every for one in each.requests]
    answers = iter(simulate(policies, requests))
    found = []
    for function, each in every:
        decisions = [next(answers) for _ in each.requests]
        if all(decision.allowed for decision in decisions):
            found.append(f"{function}: {each.what}")
    return found


def cases(*of_all: Refused) -> Cases:
    """What each function must not do: these, and what is another function's alone."""
    every: Cases = [(function, each) for function in FUNCTIONS for each in of_all]
    for function in FUNCTIONS:
        if function != "api_handler":
            every += [(function, each) for each in ONLY_THE_API_MAY]
        if function not in STARTS_FLEET:
            every += [(function, each) for each in ONLY_THOSE_WHO_START_THE_FLEET_MAY]
    return every


def test_all_that_must_be_refused_is_refused() -> None:
    assert let_through(POLICIES, cases(*REFUSED, *REFUSED_UNLESS_LIFTED)) == []


def test_where_the_boundary_is_lifted_all_the_rest_is_refused() -> None:
    opened = [(function, each) for function in FUNCTIONS for each in REFUSED_UNLESS_LIFTED]

    assert let_through(UNBOUNDED, cases(*REFUSED)) == []
    assert len(let_through(UNBOUNDED, opened)) == len(opened)


def test_refusals_are_the_policies_own() -> None:
    """With a policy that allows everything, all that must be refused would be allowed."""
    anything = {"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"}
    everything = {"all": {"Version": "2012-10-17", "Statement": [anything]}}
    every = [*REFUSED, *REFUSED_UNLESS_LIFTED]
    listed = [*every, *ONLY_THE_API_MAY, *ONLY_THOSE_WHO_START_THE_FLEET_MAY]

    assert len(let_through(everything, [("all", each) for each in listed])) == len(listed)


def test_tagging_cannot_be_bound_to_the_boundary() -> None:
    """If AWS ever lets it, adopting can have a right of its own: see docs/decisions/."""
    known = actions_of("iam")

    assert "iam:PermissionsBoundary" in known["iam:PutRolePolicy"].condition_keys
    for action in ("iam:TagRole", "iam:UntagRole"):
        assert "iam:PermissionsBoundary" not in known[action].condition_keys


def test_only_the_api_deletes_and_only_two_start_the_fleet() -> None:
    found = let_through(POLICIES, [("api_handler", each) for each in ONLY_THE_API_MAY])
    starting = [
        (function, each) for function in STARTS_FLEET for each in ONLY_THOSE_WHO_START_THE_FLEET_MAY
    ]

    assert len(found) == len(ONLY_THE_API_MAY)
    assert len(let_through(POLICIES, starting)) == len(starting)


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_no_stage_touches_the_table_of_another(stage: str) -> None:
    other = {"dev": "prod", "prod": "dev"}[stage]
    tables = [
        f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/trivet-{each}" for each in (stage, other)
    ]
    for function in FUNCTIONS:
        for table in tables:
            requests = [request(f"dynamodb:{each}Item", table) for each in ("Get", "Put")]
            assert allowed(checked_in(function, stage), requests) == [table == tables[0]] * 2


# --- tag first, boundary second, all else last

CHANGES: dict[str, dict[str, Any]] = {
    "AttachRolePolicy": {"PolicyArn": "arn:aws:iam::aws:policy/AmazonS3FullAccess"},
    "DeleteRolePolicy": {"PolicyName": "any"},
    "DetachRolePolicy": {"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
    "PutRolePolicy": INLINE,
    "UpdateAssumeRolePolicy": {"PolicyDocument": "{}"},
    "UpdateRole": {},
}


def on_role(
    operation: str, tagged: bool, boundary: str | None, **parameters: Any
) -> AuthorizationRequest:
    role = Entity(ROLE, ENVIRONMENT if tagged else {}, boundary)
    [asking] = asked(call("iam", operation, RoleName=NAME, **parameters), role)
    return asking


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_is_changed_only_while_it_has_tag_and_boundary(function: str) -> None:
    for tagged, boundary, may in (
        (True, BOUND, True),
        (True, None, False),
        (True, "arn:aws:iam::aws:policy/AdministratorAccess", False),
        (False, BOUND, False),
        (False, None, False),
    ):
        changes = [on_role(each, tagged, boundary, **more) for each, more in CHANGES.items()]
        assert allowed(POLICIES[function], changes) == [may] * len(changes)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_that_lost_tag_and_boundary_gets_them_back_in_that_order(function: str) -> None:
    give_tag = on_role("TagRole", False, None, Tags=TAGS)
    bound_untagged = on_role("PutRolePermissionsBoundary", False, None, PermissionsBoundary=BOUND)
    bound_tagged = on_role("PutRolePermissionsBoundary", True, None, PermissionsBoundary=BOUND)
    change = on_role("PutRolePolicy", True, BOUND, **INLINE)

    assert allowed(POLICIES[function], [give_tag, bound_untagged, bound_tagged, change]) == [
        True, False, True, True
    ]  # fmt: skip


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_untagged_role_gets_no_tag_but_trivets(function: str) -> None:
    """What others' policies may trust (ABAC) goes on roles of Trivet's alone."""
    theirs = [{"Key": "team", "Value": "finance"}]

    assert allowed(
        POLICIES[function],
        [
            on_role("TagRole", False, None, Tags=theirs),
            on_role("TagRole", True, BOUND, Tags=theirs),
        ],
    ) == [False, True]


def test_boundary_that_is_lifted_lifts_the_conditions() -> None:
    """What `TRIVET_PERMISSIONS_BOUNDARY=none` opens: what docs/security.md says it does."""
    changes = [on_role(each, True, None, **more) for each, more in CHANGES.items()]
    untagged = [on_role(each, False, None, **more) for each, more in CHANGES.items()]
    off = [on_role("DeleteRolePermissionsBoundary", True, BOUND)]

    for function in FUNCTIONS:
        assert all(allowed(UNBOUNDED[function], [*changes, *off]))
        assert not any(allowed(UNBOUNDED[function], untagged))


@pytest.mark.parametrize(
    ("boundary", "right", "wrong"),
    [
        ("team-boundary", f"arn:aws:iam::{ACCOUNT}:policy/team-boundary", BOUND),
        (f"arn:aws:iam::{ACCOUNT}:policy/x/own", f"arn:aws:iam::{ACCOUNT}:policy/x/own", BOUND),
    ],
)
def test_another_boundary_can_be_demanded_by_name_or_arn(
    boundary: str, right: str, wrong: str
) -> None:
    policies = of_functions(boundary=boundary)
    creating = [
        asked(call("iam", "CreateRole", RoleName=NAME, Tags=TAGS, PermissionsBoundary=each))[0]
        for each in (right, wrong)
    ]
    making = asked(call("iam", "CreatePolicy", PolicyName="team-boundary"))

    for function in FUNCTIONS:
        assert allowed(policies[function], creating) == [True, False]
        assert allowed(policies[function], making) == [False]


def test_missing_boundary_is_made_and_never_changed() -> None:
    [making] = asked(call("iam", "CreatePolicy", PolicyName="TrivetEnvironmentBoundary"))
    [other] = asked(call("iam", "CreatePolicy", PolicyName="TrivetEnvironmentBoundary2"))
    changing = [
        request(f"iam:{each}", BOUND)
        for each in (
            *("CreatePolicyVersion", "DeletePolicy", "DeletePolicyVersion"),
            *("SetDefaultPolicyVersion", "TagPolicy", "UntagPolicy"),
        )
    ]

    for function in FUNCTIONS:
        assert allowed(POLICIES[function], [making, other, *changing]) == [True] + [False] * 7


def test_tag_keys_are_limited_where_the_deployment_says_so() -> None:
    policies = of_functions(tag_keys=("team", "cost-*"))

    def tagging(key: str) -> list[AuthorizationRequest]:
        tags = [*TAGS, {"Key": key, "Value": "any"}]
        new_role = call("iam", "CreateRole", RoleName=NAME, Tags=tags, PermissionsBoundary=BOUND)
        machine = call(
            *("stepfunctions", "CreateStateMachine"),
            name="lake-dev-smoke-test",
            definition="{}",
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/lake-dev-StepFunctionsWorkflowExecution",
            tags=[{"key": each["Key"], "value": each["Value"]} for each in tags],
        )
        return [
            on_role("TagRole", True, BOUND, Tags=[{"Key": key, "Value": "any"}]),
            on_role("TagRole", False, None, Tags=tags),
            *asked(new_role),
            asked(machine)[0],
        ]

    for function in FUNCTIONS:
        for key, may in (("team", True), ("cost-centre", True), ("owner", False)):
            outcomes = allowed(policies[function], tagging(key))
            assert outcomes == [may] * len(outcomes), key
        assert all(allowed(POLICIES[function], tagging("owner")))


def test_a_member_account_is_entered_by_one_role_only() -> None:
    member = request("sts:AssumeRole", "arn:aws:iam::999999999999:role/TrivetMember")

    for function in FUNCTIONS:
        assert allowed(POLICIES[function], [member]) == [True]


def test_functions_roles_are_named_as_chalice_names_them() -> None:
    patterns = role_patterns("trivet-dev")

    for function in FUNCTIONS:
        assert f"trivet-dev-{function}" in patterns
        assert f"trivet-dev-{to_cfn_resource_name(f'{function}_role')}-*" in patterns
