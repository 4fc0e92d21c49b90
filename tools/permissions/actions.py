"""The AWS actions that Trivet needs, by what it needs them for.

What puts a difference right is said where Trivet knows it, in `chalicelib/resources/`: a new kind
of change brings its actions along. Those that other conditions go with are named here.

What AWS asks for each call, with which resources and condition keys:
https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from chalicelib.resources import policy, role
from chalicelib.resources.change import AnyChange

LIST_EVERYTHING = ("iam:GetAccountAuthorizationDetails", "iam:ListPolicies", "iam:ListRoles")
"""IAM allows these on `*` only."""

READ_ROLE = (
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
)
SIMULATE_ROLE = ("iam:SimulatePrincipalPolicy",)
READ_POLICY = ("iam:GetPolicy", "iam:GetPolicyVersion", "iam:ListPolicyVersions")
SEE_WHO_USES_ROLE = ("iam:ListInstanceProfilesForRole",)
SEE_WHO_USES_POLICY = ("iam:ListEntitiesForPolicy",)

CREATE_ROLE = ("iam:CreateRole",)
CREATE_POLICY = ("iam:CreatePolicy",)
TAG = ("iam:TagPolicy", "iam:TagRole")
UNTAG = ("iam:UntagPolicy", "iam:UntagRole")
PUT_BOUNDARY = ("iam:PutRolePermissionsBoundary",)
TAKE_BOUNDARY_OFF = ("iam:DeleteRolePermissionsBoundary",)
ATTACH = ("iam:AttachRolePolicy",)
DELETE = ("iam:DeletePolicy", "iam:DeleteRole")

_OTHERWISE = {
    *(*CREATE_ROLE, *CREATE_POLICY, *TAG, *UNTAG),
    *(*PUT_BOUNDARY, *TAKE_BOUNDARY_OFF, *ATTACH, *DELETE),
}


def _others(changes: tuple[type[AnyChange], ...]) -> tuple[str, ...]:
    needed = {action for each in changes for action in each.actions}
    return tuple(sorted(needed - _OTHERWISE))


CHANGE_ROLE = _others(role.CHANGES)
"""All of these must know the condition key `iam:PermissionsBoundary`."""
CHANGE_POLICY = _others(policy.CHANGES)

PASS_ROLE = ("iam:PassRole",)
CREATE_MACHINE = ("states:CreateStateMachine", "states:TagResource")
READ_MACHINE = ("states:DescribeStateMachine",)
RUN_MACHINE = ("states:StartExecution", "states:UpdateStateMachine")
DELETE_MACHINE = ("states:DeleteStateMachine",)
READ_EXECUTION = ("states:DescribeExecution", "states:DescribeStateMachineForExecution")
START_EXECUTION = ("states:StartExecution",)
SEE_EXECUTION = ("states:DescribeExecution",)

ASSUME_ROLE = ("sts:AssumeRole",)
WRITE_LOGS = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
TRACE = ("xray:PutTelemetryRecords", "xray:PutTraceSegments")
PUT_EVENTS = ("events:PutEvents",)
USE_RECORD = (
    "dynamodb:BatchGetItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
)
USE_TABLE = (*USE_RECORD, "dynamodb:BatchWriteItem", "dynamodb:Query", "dynamodb:UpdateItem")
"""A transaction is authorised as the single operations in it."""
LOOK_AFTER_TABLE = (
    "dynamodb:CreateTable",
    "dynamodb:DescribeContinuousBackups",
    "dynamodb:DescribeTable",
    "dynamodb:DescribeTimeToLive",
    "dynamodb:UpdateContinuousBackups",
    "dynamodb:UpdateTable",
    "dynamodb:UpdateTimeToLive",
)
