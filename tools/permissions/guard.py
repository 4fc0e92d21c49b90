"""The service control policy that keeps others' hands off what is Trivet's, in every account.

In an organisation's accounts nobody but Trivet's own roles and its deployers changes what Trivet
runs on and what it made, an account's administrators and root included. A service control policy
does not bind the organisation's management account, AWS's service-linked roles, or a service that
acts for itself, such as API Gateway calling a function.
"""

from collections.abc import Iterator, Sequence

from tools.permissions.functions import role_patterns
from tools.permissions.names import DEFAULT_BOUNDARY, MEMBER_ROLE, Stage
from tools.permissions.statements import (
    GETS_OUR_TAG,
    IS_OURS,
    Condition,
    Policy,
    Statement,
    arn,
    deny,
    iam,
    policy,
)

DEPLOYERS = ("TrivetDeployer*", "stacksets-exec-*")
"""Names of roles that deploy Trivet: by hand or pipeline, and CloudFormation's StackSets."""

_WRITES = (
    *("cloudformation:CreateChangeSet", "cloudformation:Delete*", "cloudformation:Execute*"),
    *("cloudformation:Update*", "cloudwatch:DeleteAlarms", "cloudwatch:DisableAlarmActions"),
    *("cloudwatch:PutMetricAlarm", "cloudwatch:SetAlarmState", "dynamodb:BatchWriteItem"),
    *("dynamodb:CreateTable", "dynamodb:Delete*", "dynamodb:PartiQL*", "dynamodb:Put*"),
    *("dynamodb:Restore*", "dynamodb:Update*", "events:Delete*", "events:Disable*"),
    *("events:Put*", "events:Remove*", "iam:CreatePolicy", "lambda:Add*", "lambda:Create*"),
    *("lambda:Delete*", "lambda:Invoke*", "lambda:Publish*", "lambda:Put*", "lambda:Remove*"),
    *("lambda:Update*", "logs:Delete*", "logs:PutRetentionPolicy", "sqs:DeleteQueue"),
    "sqs:PurgeQueue",
    *("states:Create*", "states:Delete*", "states:Redrive*", "states:Start*", "states:Stop*"),
    *("states:Update*", "states:TagResource", "states:UntagResource"),
)
_CHANGES_IN_IAM = (
    *("iam:AttachRolePolicy", "iam:CreatePolicyVersion", "iam:DeletePolicy*", "iam:DeleteRole*"),
    *("iam:DetachRolePolicy", "iam:PutRole*", "iam:SetDefaultPolicyVersion", "iam:TagPolicy"),
    *("iam:TagRole", "iam:UntagPolicy", "iam:UntagRole", "iam:UpdateAssumeRolePolicy"),
    "iam:UpdateRole*",
)
_CHANGES_OF_TAGGED_MACHINES = (
    *("states:DeleteStateMachine", "states:TagResource", "states:UntagResource"),
    "states:UpdateStateMachine",
)
_GIVES_TAGS = (
    *("iam:AcquireRole", "iam:CreatePolicy", "iam:CreateRole", "iam:TagPolicy", "iam:TagRole"),
    *("states:CreateStateMachine", "states:TagResource"),
)

_BOUNDARY = iam(f"policy/{DEFAULT_BOUNDARY}")


def service_control_policy(stages: Sequence[Stage]) -> Policy:
    """Return the policy for the accounts that Trivet is deployed in and works in.

    Args:
        stages: whose tables are kept; all else is known by the app's name.
    """
    return policy(_statements(stages))


def _statements(stages: Sequence[Stage]) -> Iterator[Statement]:
    [app] = {stage.app for stage in stages}
    own_roles = [*role_patterns(f"{app}-*"), fleet_role(f"{app}-*"), MEMBER_ROLE]
    by_others = _nobody_of([*own_roles, *DEPLOYERS])
    yield deny("WhatTrivetRunsOn", _WRITES, [*_runs_on(app, stages), _BOUNDARY], by_others)
    made = [*_CHANGES_IN_IAM, *_CHANGES_OF_TAGGED_MACHINES]
    yield deny("WhatTrivetMade", made, ["*"], IS_OURS, by_others)
    yield deny("TrivetsTags", _GIVES_TAGS, ["*"], GETS_OUR_TAG, by_others)
    # Not even Trivet changes these, nor does anyone lend its roles to a function of theirs.
    yield deny(
        "TrivetsOwnRoles",
        [*_CHANGES_IN_IAM, "iam:AcquireRole", "iam:CreateRole", "iam:PassRole"],
        [*(iam(f"role/{name}") for name in own_roles), _BOUNDARY],
        _nobody_of(DEPLOYERS),
    )


def fleet_role(prefix: str) -> str:
    """Return the name of the role under which the fleet's state machine runs, as a pattern.

    CloudFormation makes it of the stack's name and the resource's. Its capital keeps it from being
    the name of a provisioned role.

    Args:
        prefix: app and stage, such as `trivet-dev`, or a pattern of them.
    """
    return f"{prefix}-operations-Fleet*"


def _runs_on(app: str, stages: Sequence[Stage]) -> Iterator[str]:
    yield arn("cloudformation", f"stack/{app}-*")
    yield arn("cloudwatch", f"alarm:{app}-*")
    yield arn("events", f"rule/{app}-*")
    yield arn("lambda", f"function:{app}-*")
    yield arn("logs", f"log-group:/aws/lambda/{app}-*")
    yield arn("sqs", f"{app}-*")
    yield arn("states", f"stateMachine:{app}-*-fleet")
    yield arn("states", f"execution:{app}-*-fleet*")
    yield from (arn("dynamodb", f"table/{stage.table}") for stage in stages)


def _nobody_of(roles: Sequence[str]) -> Condition:
    return {"ArnNotLike": {"aws:PrincipalArn": [iam(f"role/{name}") for name in roles]}}
