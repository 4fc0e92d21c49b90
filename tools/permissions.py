"""The IAM policies of Trivet's own functions, and the boundary for what it provisions. Pure.

Names come from the templates, so that another role or managed policy under `policies/` needs no
change here. Partition and account stand as wildcards: the policies hold in `aws`, `aws-cn` and
`aws-us-gov` as they are, and IAM, unlike S3, has no call that reaches another account. There are
no policy variables in them: Terraform would read `${...}` as its own.

What AWS asks for each call, with which resources and condition keys:
https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from chalicelib.model import ENVIRONMENT_TAG
from chalicelib.templates import Templates

Function = Literal["api_handler", "drift_run", "iam_change"]
FUNCTIONS: tuple[Function, ...] = ("api_handler", "drift_run", "iam_change")

Policy = dict[str, Any]
_Statement = dict[str, Any]

_IAM_VERBS_THAT_WRITE = (
    *("Accept", "Add", "Associate", "Attach", "Change", "Create", "Deactivate", "Delete"),
    *("Detach", "Disable", "Enable", "Put", "Reject", "Remove", "Reset", "Resync", "Send", "Set"),
    *("Tag", "Untag", "Update", "Upload"),
)
"""All but `PassRole`; the tests hold them against the Service Authorization Reference."""

_IS_OURS = {"Null": {f"aws:ResourceTag/{ENVIRONMENT_TAG}": "false"}}
_BECOMES_OURS = {"Null": {f"aws:RequestTag/{ENVIRONMENT_TAG}": "false"}}


@dataclass(frozen=True, slots=True)
class Stage:
    """What a Chalice stage decides. Not to be taken for a Trivet environment."""

    app: str
    """The app's name and the stage's, such as `trivet-dev`: the functions' names begin with it."""
    table: str
    permissions_boundary: str | None = None
    """The ARN that every provisioned role must have as its boundary, if any."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names that Trivet gives, as IAM patterns such as `*-SageMaker`."""

    roles: Sequence[str]
    policies: Sequence[str]
    aws_managed_policies: Sequence[str]
    state_machine: str
    state_machine_role: str
    retired_roles: Sequence[str] = field(default=())
    """Names that the templates had once: environments that still have them can be removed."""
    retired_policies: Sequence[str] = field(default=())

    @classmethod
    def of(cls, templates: Templates, retired: Mapping[str, Sequence[str]]) -> "Names":
        """Return the names in these templates.

        Args:
            retired: `roles` and `policies` that the templates named once.
        """
        roles, machine = templates.role_names(), templates.state_machine
        return cls(
            roles=[_pattern(name) for name in roles.values()],
            policies=[_pattern(name) for name in templates.policy_names()],
            aws_managed_policies=templates.aws_managed_policies(),
            state_machine=_pattern(machine.name),
            state_machine_role=_pattern(roles[machine.role]),
            retired_roles=[_pattern(name) for name in retired.get("roles", ())],
            retired_policies=[_pattern(name) for name in retired.get("policies", ())],
        )


def function_policy(function: Function, stage: Stage, names: Names) -> Policy:
    """Return what a function may do in a stage.

    The API answers every route, so it may do all that Trivet ever does. The drift run repairs,
    but removes nothing. The handler of IAM's change events repairs one environment, without
    bulk listings, and without waiting for the smoke test that it starts.
    """
    removes, sees_fleet = function == "api_handler", function != "iam_change"
    statements = [
        *_lambda_itself(stage, sees_fleet),
        *_reading(stage, names, removes, sees_fleet),
        *_creating(stage, names),
        *_changing(stage, names, removes),
        *(_removing(names) if removes else ()),
        *_smoke_testing(names, removes, sees_fleet),
        _table(stage, sees_fleet),
        _allow(
            "TellEventBridgeAsTrivet",
            ["events:PutEvents"],
            ["arn:*:events:*:*:event-bus/default"],
            {"ForAllValues:StringEquals": {"events:source": "trivet"}},
        ),
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def permissions_boundary(app: str, templates: Templates) -> Policy:
    """Return the most that any provisioned role may do, whatever is attached to it.

    One policy serves all environments: a role's own environment is the one in its tag.

    Args:
        app: the app's name; the names of Trivet's own resources begin with it.
    """
    # Without a default, IAM may skip the whole statement for a role that lost its tag. This one is
    # no environment's name: those are in lower case.
    own = f"${{aws:PrincipalTag/{ENVIRONMENT_TAG}, 'NONE'}}"
    own_roles = [name.replace("${environment}", own) for name in templates.role_names().values()]
    return {
        "Version": "2012-10-17",
        "Statement": [
            _allow("WhateverTheRolesPoliciesAllow", ["*"], ["*"]),
            _deny(
                "NoChangeToPrincipalsOrPolicies",
                [f"iam:{verb}*" for verb in _IAM_VERBS_THAT_WRITE],
                # Service-linked roles, which SageMaker asks for, are AWS's own and stay allowed.
                not_resources=["arn:*:iam::*:role/aws-service-role/*"],
            ),
            _deny(
                "NoRolePassedFromOutsideTheEnvironment",
                ["iam:PassRole"],
                not_resources=[f"arn:*:iam::*:role/{name}" for name in own_roles],
            ),
            _deny("NoEventsInTrivetsName", ["events:PutEvents"], ["*"])
            | {"Condition": {"ForAnyValue:StringEquals": {"events:source": "trivet"}}},
            _deny(
                "HandsOffTrivet",
                ["dynamodb:*", "events:*", "lambda:*", "logs:*"],
                [
                    f"arn:*:dynamodb:*:*:table/{app}-*",
                    f"arn:*:events:*:*:rule/{app}-*",
                    f"arn:*:lambda:*:*:function:{app}-*",
                    f"arn:*:logs:*:*:log-group:/aws/lambda/{app}-*",
                ],
            ),
        ],
    }


def _lambda_itself(stage: Stage, sees_fleet: bool) -> Iterator[_Statement]:
    group = f"arn:*:logs:*:*:log-group:/aws/lambda/{stage.app}"
    yield _allow(
        "WriteLogs",
        ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
        # `chalice deploy` names a function trivet-dev or trivet-dev-drift_run, CloudFormation
        # trivet-dev-DriftRun-1A2B3C, where the stack is called trivet-dev.
        [group, f"{group}:*", f"{group}-*"],
    )
    listings = ["iam:GetAccountAuthorizationDetails", "iam:ListPolicies", "iam:ListRoles"]
    yield _allow(
        "ActionsWithoutResourceLevelPermissions",
        [*(listings if sees_fleet else []), "xray:PutTelemetryRecords", "xray:PutTraceSegments"],
        ["*"],
    )


def _reading(stage: Stage, names: Names, removes: bool, sees_fleet: bool) -> Iterator[_Statement]:
    yield _allow(
        "ReadRoles",
        [
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            *(["iam:ListInstanceProfilesForRole"] if removes else []),
            "iam:ListRolePolicies",
            *(["iam:SimulatePrincipalPolicy"] if sees_fleet else []),
        ],
        _roles(names, removes),
    )
    yield _allow(
        "ReadPolicies",
        [
            "iam:GetPolicy",
            "iam:GetPolicyVersion",
            *(["iam:ListEntitiesForPolicy"] if removes else []),
            "iam:ListPolicyVersions",
        ],
        _policies(names, removes),
    )
    boundary = stage.permissions_boundary
    # Callers may name any policy as a boundary, unless the stage demands one.
    any_policy = removes and not boundary
    yield _allow(
        "SeeWhetherPoliciesExist",
        ["iam:GetPolicy"],
        [_iam("policy/*")]
        if any_policy
        else [*_aws_managed(names), *([boundary] if removes and boundary else [])],
    )


def _creating(stage: Stage, names: Names) -> Iterator[_Statement]:
    yield _allow(
        "CreateRolesWithTag",
        ["iam:CreateRole"],
        _roles(names),
        _BECOMES_OURS | _with_boundary(stage),
    )
    yield _allow("CreatePoliciesWithTag", ["iam:CreatePolicy"], _policies(names), _BECOMES_OURS)


def _changing(stage: Stage, names: Names, removes: bool) -> Iterator[_Statement]:
    roles, policies = _roles(names, removes), _policies(names, removes)
    # What is adopted, or lost its tags, is tagged first; only then may it be changed.
    yield _allow("TagByName", ["iam:TagPolicy", "iam:TagRole"], [*roles, *policies])
    unbounded = [] if stage.permissions_boundary else ["iam:DeleteRolePermissionsBoundary"]
    yield _allow(
        "ChangeTaggedRoles",
        [
            *unbounded,
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:PutRolePolicy",
            "iam:UntagRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:UpdateRole",
        ],
        roles,
        _IS_OURS,
    )
    yield _allow(
        "BoundTaggedRoles",
        ["iam:PutRolePermissionsBoundary"],
        _roles(names),
        _IS_OURS | _with_boundary(stage),
    )
    own = [*_aws_managed(names), *_policies(names)]
    yield _allow(
        "AttachPoliciesOfTheTemplates",
        ["iam:AttachRolePolicy"],
        _roles(names),
        _IS_OURS | {"ArnLike": {"iam:PolicyARN": own}},
    )
    yield _allow(
        "ChangeTaggedPolicies",
        ["iam:CreatePolicyVersion", "iam:DeletePolicyVersion", "iam:UntagPolicy"],
        policies,
        _IS_OURS,
    )


def _removing(names: Names) -> Iterator[_Statement]:
    roles, policies = _roles(names, retired=True), _policies(names, retired=True)
    yield _allow(
        "DeleteTagged", ["iam:DeletePolicy", "iam:DeleteRole"], [*roles, *policies], _IS_OURS
    )
    yield _allow(
        "DetachOwnPoliciesFromAnyone",
        ["iam:DetachGroupPolicy", "iam:DetachRolePolicy", "iam:DetachUserPolicy"],
        [_iam("group/*"), _iam("role/*"), _iam("user/*")],
        {"ArnLike": {"iam:PolicyARN": policies}},
    )
    # IAM asks about the instance profile only, and that can be anyone's.
    yield _allow(
        "TakeRolesOutOfInstanceProfiles",
        ["iam:RemoveRoleFromInstanceProfile"],
        [_iam("instance-profile/*")],
    )


def _smoke_testing(names: Names, removes: bool, waits: bool) -> Iterator[_Statement]:
    machine = f"arn:*:states:*:*:stateMachine:{names.state_machine}"
    yield _allow(
        "PassWorkflowRoleToStepFunctions",
        ["iam:PassRole"],
        [_iam(f"role/{names.state_machine_role}")],
        {"StringEquals": {"iam:PassedToService": "states.amazonaws.com"}},
    )
    yield _allow(
        "CreateSmokeTestsWithTag",
        ["states:CreateStateMachine", "states:TagResource"],
        [machine],
        _BECOMES_OURS,
    )
    yield _allow(
        "RunSmokeTests",
        [
            *(["states:DeleteStateMachine"] if removes else []),
            "states:DescribeStateMachine",
            "states:StartExecution",
            "states:UpdateStateMachine",
        ],
        [machine],
    )
    if waits:
        yield _allow(
            "ReadSmokeTestResults",
            ["states:DescribeExecution"],
            [f"arn:*:states:*:*:execution:{names.state_machine}:*"],
        )


def _table(stage: Stage, sees_fleet: bool) -> _Statement:
    for_the_fleet = [
        "dynamodb:CreateTable",
        "dynamodb:DeleteItem",
        "dynamodb:DescribeContinuousBackups",
        "dynamodb:DescribeTable",
        "dynamodb:Query",
        "dynamodb:UpdateContinuousBackups",
        "dynamodb:UpdateItem",
    ]
    return _allow(
        "KeepDeclaredState",
        ["dynamodb:GetItem", "dynamodb:PutItem", *(for_the_fleet if sees_fleet else [])],
        [f"arn:*:dynamodb:*:*:table/{stage.table}"],
    )


def _pattern(name: str) -> str:
    return name.replace("${environment}", "*")


def _iam(resource: str) -> str:
    return f"arn:*:iam::*:{resource}"


def _roles(names: Names, retired: bool = False) -> list[str]:
    wanted = [*names.roles, *(names.retired_roles if retired else ())]
    return [_iam(f"role/{name}") for name in wanted]


def _policies(names: Names, retired: bool = False) -> list[str]:
    wanted = [*names.policies, *(names.retired_policies if retired else ())]
    return [_iam(f"policy/{name}") for name in wanted]


def _aws_managed(names: Names) -> list[str]:
    return [f"arn:*:iam::aws:policy/{name}" for name in names.aws_managed_policies]


def _with_boundary(stage: Stage) -> dict[str, Any]:
    boundary = stage.permissions_boundary
    return {"StringEquals": {"iam:PermissionsBoundary": boundary}} if boundary else {}


def _allow(
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str],
    condition: Mapping[str, Any] | None = None,
) -> _Statement:
    statement = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    return statement | ({"Condition": dict(condition)} if condition else {})


def _deny(
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str] = (),
    not_resources: Sequence[str] = (),
) -> _Statement:
    on = {"NotResource": not_resources} if not_resources else {"Resource": resources}
    return {"Sid": sid, "Effect": "Deny", "Action": actions} | on
