"""The service control policy: others keep their hands off, Trivet and its deployers go on."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from tools.child import REPOSITORY

from .authorization import AuthorizationRequest, ContextValue
from .cases import ACCOUNT
from .simulator import simulate

GUARD = json.loads((REPOSITORY / "deploy" / "service-control-policy.json").read_text())
OURS = {"aws:ResourceTag/trivet:environment": "lake"}
OUR_TAG: Mapping[str, ContextValue] = {
    "aws:RequestTag/trivet:environment": "lake",
    "aws:TagKeys": ("trivet:environment",),
}
ROLE = f"arn:aws:iam::{ACCOUNT}:role/lake-SageMaker"
POLICY = f"arn:aws:iam::{ACCOUNT}:policy/lake-LambdaTriggerStepFuncRole"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/TrivetEnvironmentBoundary"
TRIVETS = (
    *("trivet-dev-api_handler", "trivet-prod-drift_run", "trivet-prod-fleet_step"),
    *("trivet-prod-IamChangeRole-1A2B3C", "TrivetMember"),
)
DEPLOYERS = ("TrivetDeployer", "TrivetDeployer-ci", "stacksets-exec-0123456789abcdef")
OTHERS = (
    *("admin", "lake-SageMaker", "trivet-dev-x-SageMaker", "api_handler", "TrivetMember2"),
    "trivet-dev-operations-SageMaker",
)

Question = tuple[str, str, Mapping[str, ContextValue]]


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:us-east-1:{ACCOUNT}:{resource}"


ON_ITS_GROUND: list[Question] = [
    ("lambda:InvokeFunction", arn("lambda", "function:trivet-dev"), {}),
    ("lambda:UpdateFunctionCode", arn("lambda", "function:trivet-dev-drift_run"), {}),
    ("lambda:AddPermission", arn("lambda", "function:trivet-dev"), {}),
    ("dynamodb:PutItem", arn("dynamodb", "table/trivet-dev"), {}),
    ("dynamodb:DeleteTable", arn("dynamodb", "table/trivet-prod"), {}),
    ("events:DisableRule", arn("events", "rule/trivet-dev-drift_run-event"), {}),
    ("events:RemoveTargets", arn("events", "rule/trivet-iam-changes"), {}),
    ("states:StartExecution", arn("states", "stateMachine:trivet-dev-fleet"), {}),
    ("states:UpdateStateMachine", arn("states", "stateMachine:trivet-dev-fleet"), {}),
    ("cloudwatch:DeleteAlarms", arn("cloudwatch", "alarm:trivet-dev-failed-repairs"), {}),
    ("logs:DeleteLogGroup", arn("logs", "log-group:/aws/lambda/trivet-dev"), {}),
    ("cloudformation:DeleteStack", arn("cloudformation", "stack/trivet-dev-operations/1"), {}),
    ("iam:CreatePolicy", BOUNDARY, {}),
]
WHAT_IT_MADE: list[Question] = [
    ("iam:PutRolePolicy", ROLE, OURS),
    ("iam:AttachRolePolicy", ROLE, OURS),
    ("iam:UpdateAssumeRolePolicy", ROLE, OURS),
    ("iam:DeleteRolePermissionsBoundary", ROLE, OURS),
    ("iam:UntagRole", ROLE, OURS),
    ("iam:DeleteRole", ROLE, OURS),
    ("iam:CreatePolicyVersion", POLICY, OURS),
    ("iam:DeletePolicy", POLICY, OURS),
    ("states:UpdateStateMachine", arn("states", "stateMachine:lake-smoke-test"), OURS),
    ("iam:CreateRole", ROLE, OUR_TAG),
    ("iam:TagRole", ROLE, OUR_TAG),
]
ITS_OWN_ROLES: list[Question] = [
    ("iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/trivet-dev-api_handler", {}),
    ("iam:UpdateAssumeRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/TrivetMember", {}),
    ("iam:DeleteRole", f"arn:aws:iam::{ACCOUNT}:role/trivet-dev-operations-FleetRole-1A2B3C", {}),
    (
        "iam:PassRole",
        f"arn:aws:iam::{ACCOUNT}:role/trivet-dev-api_handler",
        {"iam:PassedToService": "lambda.amazonaws.com"},
    ),
    ("iam:CreatePolicyVersion", BOUNDARY, {}),
    ("iam:DeletePolicy", BOUNDARY, {}),
    ("iam:SetDefaultPolicyVersion", BOUNDARY, {}),
]
NONE_OF_ITS_BUSINESS: list[Question] = [
    ("lambda:InvokeFunction", arn("lambda", "function:theirs"), {}),
    ("lambda:GetFunction", arn("lambda", "function:trivet-dev"), {}),
    ("dynamodb:PutItem", arn("dynamodb", "table/theirs"), {}),
    ("dynamodb:DescribeTable", arn("dynamodb", "table/trivet-dev"), {}),
    ("iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/theirs", {}),
    ("iam:GetRole", ROLE, OURS),
    ("iam:PassRole", ROLE, {"iam:PassedToService": "sagemaker.amazonaws.com"}),
    ("states:StartExecution", arn("states", "stateMachine:lake-smoke-test"), OURS),
    ("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/theirs", {}),
    (
        "iam:TagRole",
        f"arn:aws:iam::{ACCOUNT}:role/theirs",
        {"aws:RequestTag/team": "finance", "aws:TagKeys": ("team",)},
    ),
]


def outcomes(principal: str, questions: list[Question]) -> list[bool]:
    """What a principal, whose own policies allow everything, may do under the guard."""
    arn_ = f"arn:aws:iam::{ACCOUNT}:{principal}"
    requests = [
        AuthorizationRequest(action, resource, arn_, {"aws:PrincipalArn": arn_, **context})
        for action, resource, context in questions
    ]
    decisions = simulate({"guard": GUARD}, [("guard", one) for one in requests], guards=True)
    return [each.allowed for each in decisions]


@pytest.mark.parametrize(
    "principal", [*(f"role/{each}" for each in OTHERS), "user/someone", "root"]
)
def test_others_keep_their_hands_off(principal: str) -> None:
    questions = ON_ITS_GROUND + WHAT_IT_MADE + ITS_OWN_ROLES

    assert outcomes(principal, questions) == [False] * len(questions)


@pytest.mark.parametrize("name", TRIVETS)
def test_trivet_goes_on_and_leaves_its_own_roles_alone(name: str) -> None:
    questions = ON_ITS_GROUND + WHAT_IT_MADE

    assert outcomes(f"role/{name}", questions) == [True] * len(questions)
    assert outcomes(f"role/{name}", ITS_OWN_ROLES) == [False] * len(ITS_OWN_ROLES)


@pytest.mark.parametrize("name", DEPLOYERS)
def test_deployers_deploy(name: str) -> None:
    questions = ON_ITS_GROUND + ITS_OWN_ROLES

    assert outcomes(f"role/{name}", questions) == [True] * len(questions)


def test_the_fleets_state_machine_calls_its_function() -> None:
    [invocation, *_] = ON_ITS_GROUND

    assert outcomes("role/trivet-dev-operations-FleetRole-1A2B3C", [invocation]) == [True]


def test_what_is_not_trivets_is_left_alone() -> None:
    assert outcomes("role/admin", NONE_OF_ITS_BUSINESS) == [True] * len(NONE_OF_ITS_BUSINESS)
