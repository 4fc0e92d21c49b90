"""The simulator decides as AWS does, and refuses what AWS could not be asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from .authorization import AuthorizationRequest, Entity
from .cases import (
    ACCOUNT,
    BOUNDARY,
    MACHINE,
    ROLE,
    S3_FULL,
    TAGS,
    Statement,
    allow,
    asked,
    call,
    decide,
    outcomes,
    request,
    when,
)
from .simulator import SimulationError, ensure_installed, simulate


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_partition_wildcard_matches_every_partition(partition: str) -> None:
    statements = [
        allow("iam:GetRole", "arn:*:iam::*:role/*-SageMaker"),
        allow("states:StartExecution", "arn:*:states:*:*:stateMachine:*-smoke-test"),
        allow("logs:PutLogEvents", "arn:*:logs:*:*:*"),
        allow(
            "iam:AttachRolePolicy",
            "arn:*:iam::*:role/*-SageMaker",
            **when("ArnLike", "iam:PolicyARN", "arn:*:iam::aws:policy/AmazonS3FullAccess"),
        ),
    ]

    def here(service: str, resource: str, region: str = "cn-north-1") -> str:
        return f"arn:{partition}:{service}:{region}:{ACCOUNT}:{resource}"

    managed = f"arn:{partition}:iam::aws:policy/AmazonS3FullAccess"
    asking = [
        request("iam:GetRole", here("iam", "role/lake-dev-SageMaker", "")),
        request("states:StartExecution", here("states", "stateMachine:lake-dev-smoke-test")),
        request("logs:PutLogEvents", here("logs", "log-group:/aws/lambda/a:log-stream:b")),
        request(
            "iam:AttachRolePolicy",
            here("iam", "role/lake-dev-SageMaker", ""),
            {"iam:PolicyARN": managed},
        ),
        request("iam:GetRole", here("iam", "role/lake-dev-SageMaker2", "")),
        request("iam:GetRole", here("iam", "role/lake-dev-sagemaker", "")),
        request("iam:DeleteRole", here("iam", "role/lake-dev-SageMaker", "")),
    ]
    asking = [replace(r, principal=here("iam", "role/caller", "")) for r in asking]

    assert outcomes(statements, *asking) == [True, True, True, True, False, False, False]


def test_explicit_deny_wins_and_is_named() -> None:
    statements = [
        allow("iam:*"),
        {"Sid": "NotThese", "Effect": "Deny", "Action": "iam:Delete*", "Resource": ROLE},
    ]

    deletion, reading = decide(
        statements, request("iam:DeleteRole", ROLE), request("iam:GetRole", ROLE)
    )

    assert (deletion.outcome, deletion.statements) == ("ExplicitlyDenied", ("NotThese",))
    assert (reading.outcome, reading.statements) == ("Allowed", ("Given",))


def test_action_without_resources_needs_a_star() -> None:
    listing = request("iam:ListRoles", "*")

    assert outcomes([allow("iam:ListRoles", "arn:*:iam::*:role/*")], listing) == [False]
    assert outcomes([allow("iam:ListRoles")], listing) == [True]


@pytest.mark.parametrize(
    ("condition", "key", "allowed", "refused"),
    [
        (when("StringEquals", "iam:PassedToService", "states.amazonaws.com"),
         "iam:PassedToService", "states.amazonaws.com", "lambda.amazonaws.com"),
        (when("StringLike", "iam:PassedToService", "states.*"),
         "iam:PassedToService", "states.amazonaws.com", "lambda.amazonaws.com"),
        (when("StringEquals", "iam:PassedToService", "states.*"),
         "iam:PassedToService", "states.*", "states.amazonaws.com"),
        (when("ArnLike", "iam:AssociatedResourceArn", "arn:*:states:*:*:stateMachine:*-smoke-test"),
         "iam:AssociatedResourceArn", MACHINE, MACHINE + "2"),
    ],
)  # fmt: skip
def test_conditions_on_passing_a_role(
    condition: Statement, key: str, allowed: str, refused: str
) -> None:
    given = [allow("iam:PassRole", ROLE, **condition)]

    assert outcomes(
        given,
        request("iam:PassRole", ROLE, {key: allowed}),
        request("iam:PassRole", ROLE, {key: refused}),
        request("iam:PassRole", ROLE),
    ) == [True, False, False]


@pytest.mark.parametrize("operator", ["ArnEquals", "ArnLike", "StringEquals"])
@pytest.mark.parametrize(
    ("action", "key", "arn"),
    [
        ("iam:AttachRolePolicy", "iam:PolicyARN", S3_FULL),
        ("iam:CreateRole", "iam:PermissionsBoundary", BOUNDARY),
    ],
)
def test_conditions_on_arns(operator: str, action: str, key: str, arn: str) -> None:
    given = [allow(action, ROLE, **when(operator, key, ["arn:aws:iam::aws:policy/Other", arn]))]

    assert outcomes(
        given,
        request(action, ROLE, {key: arn}),
        request(action, ROLE, {key: arn + "2"}),
        request(action, ROLE),
    ) == [True, False, False]


@pytest.mark.parametrize("key", ["iam:ResourceTag", "aws:ResourceTag", "aws:resourcetag"])
def test_both_spellings_of_a_roles_tags(key: str) -> None:
    given = [allow("iam:DeleteRole", **when("StringLike", f"{key}/trivet:environment", "lake-*"))]
    deletion = call("iam", "DeleteRole", RoleName="lake-dev-SageMaker")

    def holding(**tags: str) -> Entity:
        return Entity(ROLE, {f"trivet:{name}": value for name, value in tags.items()})

    assert outcomes(
        given,
        *asked(deletion, holding(environment="lake-dev")),
        *asked(deletion, holding(environment="other")),
        *asked(deletion, holding(role="lake-dev")),
        *asked(deletion),
    ) == [True, False, False, False]


def test_null_and_for_all_values_on_tags_in_the_request() -> None:
    given = [
        allow(
            "iam:TagRole",
            Condition={
                "Null": {"aws:RequestTag/trivet:environment": "false"},
                "ForAllValues:StringEquals": {"aws:TagKeys": ["trivet:environment", "trivet:role"]},
            },
        )
    ]

    def tagging(**tags: str) -> AuthorizationRequest:
        parameters = [{"Key": f"trivet:{key}", "Value": value} for key, value in tags.items()]
        (given,) = asked(call("iam", "TagRole", RoleName="lake-dev-SageMaker", Tags=parameters))
        return given

    assert outcomes(
        given,
        tagging(environment="a", role="b"),
        tagging(environment="a", owner="b"),
        tagging(role="b"),
    ) == [True, False, False]


def test_null_asks_for_the_absence_of_a_tag() -> None:
    given = [allow("iam:TagRole", **when("Null", "aws:ResourceTag/trivet:environment", "true"))]
    tagging = call("iam", "TagRole", RoleName="lake-dev-SageMaker", Tags=TAGS)
    tagged = Entity(ROLE, {"trivet:environment": "other"})

    assert outcomes(given, *asked(tagging), *asked(tagging, tagged)) == [True, False]


def test_policy_variables() -> None:
    given = [
        allow("iam:TagRole", "arn:*:iam::*:role/${aws:RequestTag/trivet:environment}-SageMaker"),
        allow("iam:GetRole", **when("StringEquals", "aws:ResourceAccount",
                                    "${aws:PrincipalAccount}")),
    ]  # fmt: skip

    def tagging(name: str) -> AuthorizationRequest:
        (given,) = asked(call("iam", "TagRole", RoleName=name, Tags=TAGS))
        return given

    assert outcomes(
        given,
        tagging("lake-dev-SageMaker"),
        tagging("lake-prod-SageMaker"),
        *asked(call("iam", "GetRole", RoleName="any")),
    ) == [True, False, True]


def test_refusal_says_why() -> None:
    statements = [
        allow("iam:DeleteRole", "arn:*:iam::*:role/other", sid="Other"),
        allow(
            "iam:DeleteRole",
            sid="Tagged",
            **when("StringEquals", "aws:ResourceTag/trivet:role", "notebook"),
        ),
        allow("iam:GetRole", sid="Reading"),
    ]
    untagged = request("iam:DeleteRole", ROLE)
    tagged = request("iam:DeleteRole", ROLE, {"aws:ResourceTag/trivet:role": "guest"})

    first, second, third = decide(statements, untagged, tagged, request("iam:TagRole", ROLE))

    assert first.reasons == (
        "Other: resource does not match",
        "Tagged: StringEquals aws:ResourceTag/trivet:role: absent",
    )
    assert second.reasons[1] == "Tagged: StringEquals aws:ResourceTag/trivet:role: guest"
    assert third.reasons == ("no statement allows the action",)
    assert str(third) == (
        f"given: iam:TagRole on {ROLE}: ImplicitlyDenied (no statement allows the action)"
    )


def test_statement_without_sid_is_named_by_its_place() -> None:
    first = {"Effect": "Allow", "Action": "iam:GetRole", "Resource": "*"}
    second = {"Effect": "Allow", "Action": "iam:DeleteRole", "Resource": "*"}

    decisions = decide(
        [first, second], *[request("iam:DeleteRole", ROLE + suffix) for suffix in ("", "2")]
    )

    assert [decision.statements for decision in decisions] == [("Statement[1]",)] * 2


def test_writing_aws_managed_policies_is_always_refused() -> None:
    deletion, reading = decide(
        [allow("*")], request("iam:DeletePolicy", S3_FULL), request("iam:GetPolicy", S3_FULL)
    )

    assert not deletion.allowed
    assert reading.allowed


@pytest.mark.parametrize(
    ("impossible", "message"),
    [
        (request("iam:GetRoles", ROLE), "invalid.action"),
        (request("iam:GetRole", BOUNDARY), "no.resource.types"),
        (request("iam:ListRoles", ROLE), "must.use.wildcard"),
        (request("iam:GetRole", "arn:aws:iam::123456789012:role/*"), "holds no wildcard"),
        (request("iam:GetRole", ROLE, {"iam:PolicyARN": S3_FULL}), "iam:PolicyARN"),
        (request("iam:GetRole", ROLE, {"aws:RequestTag/a": "b"}), "aws:RequestTag/a"),
        (request("iam:GetPolicy", BOUNDARY, {"iam:ResourceTag/a": "b"}), "iam:ResourceTag/a"),
        (request("iam:ListRoles", "*", {"aws:ResourceTag/a": "b"}), "aws:ResourceTag/a"),
    ],
)
def test_requests_that_aws_could_never_see_are_errors(
    impossible: AuthorizationRequest, message: str
) -> None:
    with pytest.raises(SimulationError, match=message):
        decide([allow("*")], impossible)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (allow("iam:GetRole", Conditions={}), "Invalid key Conditions"),
        (allow("iam:GetRole", **when("Bool", "aws:ViaAWSService", "false")), "aws:ViaAWSService"),
        (allow("iam:GetRole", "arn:*:iam::*:role/${aws:username}"), "aws:username"),
    ],
)
def test_policies_that_cannot_be_judged_are_errors(statement: Statement, message: str) -> None:
    with pytest.raises(SimulationError, match=message):
        decide([statement], request("iam:GetRole", ROLE))


def test_policy_must_exist() -> None:
    with pytest.raises(SimulationError, match="no policy of the name api"):
        simulate({}, [("api", request("iam:GetRole", ROLE))])


def test_no_requests_need_no_simulator() -> None:
    assert simulate({}, []) == []


def test_each_request_is_decided_by_its_own_policy_and_in_order() -> None:
    reading = {"Version": "2012-10-17", "Statement": allow("iam:GetRole")}
    deleting = {"Version": "2012-10-17", "Statement": [allow("iam:DeleteRole")]}
    get, delete = request("iam:GetRole", ROLE), request("iam:DeleteRole", ROLE)

    decisions = simulate(
        {"api": reading, "drift_run": deleting},
        [("api", get), ("drift_run", get), ("api", delete), ("drift_run", delete), ("api", get)],
    )

    assert [(d.policy, d.request.action, d.allowed) for d in decisions] == [
        ("api", "iam:GetRole", True),
        ("drift_run", "iam:GetRole", False),
        ("api", "iam:DeleteRole", False),
        ("drift_run", "iam:DeleteRole", True),
        ("api", "iam:GetRole", True),
    ]


def test_installation_holds_no_registry_address() -> None:
    ensure_installed()

    lock = json.loads((Path(__file__).parent / "package-lock.json").read_text())
    packages = [package for path, package in lock["packages"].items() if path]
    assert packages
    assert all("integrity" in p and "resolved" not in p for p in packages)
