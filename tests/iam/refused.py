"""What Trivet's functions must not be able to do, whoever makes them try."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .authorization import AuthorizationRequest, Entity
from .cases import ACCOUNT, TAGS, asked, call, request

_ENVIRONMENT = {"trivet:environment": "lake-dev"}
_IAM = f"arn:aws:iam::{ACCOUNT}"
_OURS = "lake-dev-SageMaker"
_WORKFLOW = "lake-dev-StepFunctionsWorkflowExecution"
_OUR_POLICY = f"{_IAM}:policy/lake-dev-LambdaTriggerStepFuncRole"
_S3_FULL = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
_ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
_THEIRS = f"{_IAM}:policy/theirs"
BOUND = f"{_IAM}:policy/TrivetEnvironmentBoundary"
_OWN_TAG = {"aws:ResourceTag/trivet:environment": "lake-dev"}
_MACHINES = f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine"
_SMOKE_TEST = f"{_MACHINES}:lake-dev-smoke-test"
_TABLE = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/trivet-dev"


@dataclass(frozen=True)
class Refused:
    """A call that must be refused, with what AWS asks about it."""

    what: str
    requests: tuple[AuthorizationRequest, ...]


def _refused(
    what: str, service: str, operation: str, *entities: Entity, **parameters: Any
) -> Refused:
    return Refused(what, tuple(asked(call(service, operation, **parameters), *entities)))


def _role(name: str, tagged: bool = True, boundary: str | None = BOUND) -> Entity:
    return Entity(f"{_IAM}:role/{name}", _ENVIRONMENT if tagged else {}, boundary)


def _policy(arn: str, tagged: bool = True) -> Entity:
    return Entity(arn, _ENVIRONMENT if tagged else {})


_CHANGES_TO_BOUND_ROLES: dict[str, dict[str, Any]] = {
    "AttachRolePolicy": {"PolicyArn": _S3_FULL},
    "DeleteRolePolicy": {},
    "DetachRolePolicy": {"PolicyArn": _S3_FULL},
    "PutRolePolicy": {},
    "UpdateAssumeRolePolicy": {},
    "UpdateRole": {},
}
_CHANGES_TO_ROLES: dict[str, dict[str, Any]] = {
    **_CHANGES_TO_BOUND_ROLES,
    "DeleteRole": {},
    "DeleteRolePermissionsBoundary": {},
    "PutRolePermissionsBoundary": {"PermissionsBoundary": BOUND},
    "TagRole": {"Tags": [{"Key": "team", "Value": "theirs"}]},
    "UntagRole": {"TagKeys": ["team"]},
}
_CHANGES_TO_POLICIES = ("CreatePolicyVersion", "DeletePolicy", "DeletePolicyVersion")


def _roles() -> Iterator[Refused]:
    for arn in (_ADMINISTRATOR, "arn:aws:iam::aws:policy/IAMFullAccess", _THEIRS):
        yield _refused(
            f"attaches {arn}",
            "iam",
            "AttachRolePolicy",
            _role(_OURS),
            RoleName=_OURS,
            PolicyArn=arn,
        )
    for operation, parameters in _CHANGES_TO_ROLES.items():
        yield _refused(
            f"{operation} on an untagged role of one of our names",
            *("iam", operation, _role(_OURS, tagged=False)),
            **{"RoleName": _OURS, **parameters},
        )
        for name in ("admin", "trivet-dev-api_handler"):
            yield _refused(
                f"{operation} on {name}, though it carries our tag",
                *("iam", operation, _role(name)),
                **{"RoleName": name, **parameters},
            )
    yield _refused("tags a role of another name", "iam", "TagRole", RoleName="admin", Tags=TAGS)
    for what, name, tags in (
        ("without tags", _OURS, []),
        ("with other tags only", _OURS, [{"Key": "team", "Value": "lake"}]),
        ("of another name", "admin", TAGS),
    ):
        yield _refused(
            f"creates a role {what}",
            *("iam", "CreateRole"),
            RoleName=name,
            Tags=tags,
            PermissionsBoundary=BOUND,
        )
    yield _refused("reads a role of another name", "iam", "GetRole", RoleName="admin")
    yield _refused(
        "takes a policy of someone else's off someone else's role",
        *("iam", "DetachRolePolicy", _role("theirs", tagged=False)),
        RoleName="theirs",
        PolicyArn=_S3_FULL,
    )
    yield _refused(
        "takes a policy of ours off someone else's role",
        *("iam", "DetachRolePolicy", _role("theirs", tagged=False)),
        RoleName="theirs",
        PolicyArn=_OUR_POLICY,
    )
    yield _refused(
        "takes a role of ours out of an instance profile",
        *("iam", "RemoveRoleFromInstanceProfile"),
        InstanceProfileName="theirs",
        RoleName=_OURS,
    )


def _unbounded() -> Iterator[Refused]:
    for boundary in (None, _THEIRS, _ADMINISTRATOR):
        for operation, parameters in _CHANGES_TO_BOUND_ROLES.items():
            yield _refused(
                f"{operation} on a role of ours whose boundary is {boundary}",
                *("iam", operation, _role(_OURS, boundary=boundary)),
                **{"RoleName": _OURS, **parameters},
            )
    for what, boundary in (("an unbounded role", None), ("a role with another boundary", _THEIRS)):
        yield _refused(
            f"creates {what}",
            *("iam", "CreateRole"),
            RoleName=_OURS,
            Tags=TAGS,
            **({"PermissionsBoundary": boundary} if boundary else {}),
        )
    yield _refused(
        "gives a role another boundary",
        *("iam", "PutRolePermissionsBoundary", _role(_OURS)),
        RoleName=_OURS,
        PermissionsBoundary=_THEIRS,
    )
    yield _refused(
        "takes the boundary off a role",
        *("iam", "DeleteRolePermissionsBoundary", _role(_OURS)),
        RoleName=_OURS,
    )


def _the_boundary() -> Iterator[Refused]:
    for tagged in (True, False):
        for operation in (*_CHANGES_TO_POLICIES, "SetDefaultPolicyVersion"):
            yield Refused(
                f"{operation} on the boundary itself, {tagged=}",
                (request(f"iam:{operation}", BOUND, _OWN_TAG if tagged else {}),),
            )


def _policies() -> Iterator[Refused]:
    for operation in _CHANGES_TO_POLICIES:
        yield _refused(
            f"{operation} on an untagged policy of one of our names",
            *("iam", operation, _policy(_OUR_POLICY, tagged=False)),
            PolicyArn=_OUR_POLICY,
        )
        yield _refused(
            f"{operation} on a policy of another name, though it carries our tag",
            *("iam", operation, _policy(_THEIRS)),
            PolicyArn=_THEIRS,
        )
    name = _OUR_POLICY.rpartition("/")[2]
    yield _refused("creates a policy without tags", "iam", "CreatePolicy", PolicyName=name)
    yield _refused(
        "creates a policy of another name", "iam", "CreatePolicy", PolicyName="theirs", Tags=TAGS
    )
    yield _refused(
        "tags a policy of another name", "iam", "TagPolicy", PolicyArn=_THEIRS, Tags=TAGS
    )
    for operation, who in (("DetachUserPolicy", "UserName"), ("DetachGroupPolicy", "GroupName")):
        for arn in (_S3_FULL, _OUR_POLICY):
            yield _refused(
                f"{operation} of {arn}", "iam", operation, **{who: "someone", "PolicyArn": arn}
            )
    yield Refused(
        "makes an old version the default",
        (request("iam:SetDefaultPolicyVersion", _OUR_POLICY),),
    )


def _other_principals() -> Iterator[Refused]:
    user, group = f"{_IAM}:user/someone", f"{_IAM}:group/some"
    for action, resource in (
        *(("CreateUser", user), ("CreateAccessKey", user), ("CreateLoginProfile", user)),
        *(("PutUserPolicy", user), ("AttachUserPolicy", user), ("AddUserToGroup", group)),
        *(("CreateGroup", group), ("AttachGroupPolicy", group), ("PutGroupPolicy", group)),
        ("AddRoleToInstanceProfile", f"{_IAM}:instance-profile/theirs"),
        ("CreateSAMLProvider", f"{_IAM}:saml-provider/theirs"),
        ("CreateServiceLinkedRole", f"{_IAM}:role/aws-service-role/x.amazonaws.com/X"),
    ):
        yield Refused(f"iam:{action}", (request(f"iam:{action}", resource),))
    for role in (f"{_IAM}:role/{_OURS}", "arn:aws:iam::999999999999:role/admin"):
        yield Refused(f"assumes {role}", (request("sts:AssumeRole", role),))


def _passed_roles() -> Iterator[Refused]:
    for role, service in (
        (_OURS, "states.amazonaws.com"),
        ("lake-dev-LambdaTriggerStepFunc", "states.amazonaws.com"),
        ("admin", "states.amazonaws.com"),
        ("trivet-dev-api_handler", "lambda.amazonaws.com"),
        (_WORKFLOW, "lambda.amazonaws.com"),
        (_WORKFLOW, "sagemaker.amazonaws.com"),
    ):
        context = {"iam:PassedToService": service}
        yield Refused(
            f"passes {role} to {service}",
            (request("iam:PassRole", f"{_IAM}:role/{role}", context),),
        )


def _state_machines() -> Iterator[Refused]:
    for operation in (
        *("DeleteStateMachine", "DescribeStateMachine", "StartExecution", "UpdateStateMachine"),
    ):
        yield _refused(
            f"{operation} on a workflow that is no smoke test",
            *("stepfunctions", operation),
            stateMachineArn=f"{_MACHINES}:lake-dev-training",
        )
    for operation in ("DeleteStateMachine", "StartExecution", "UpdateStateMachine"):
        yield _refused(
            f"{operation} on someone's workflow that has the name of a smoke test",
            *("stepfunctions", operation),
            stateMachineArn=f"{_MACHINES}:lake-dev-smoke-test",
        )
    role = f"{_IAM}:role/{_WORKFLOW}"
    yield _refused(
        "creates a workflow that is no smoke test",
        *("stepfunctions", "CreateStateMachine"),
        name="lake-dev-training",
        roleArn=role,
        tags=[{"key": "trivet:environment", "value": "lake-dev"}],
    )
    yield _refused(
        "creates a smoke test without tags",
        *("stepfunctions", "CreateStateMachine"),
        name="lake-dev-smoke-test",
        roleArn=role,
    )
    yield _refused(
        "creates a smoke test under the notebook role",
        *("stepfunctions", "CreateStateMachine"),
        name="lake-dev-smoke-test",
        roleArn=f"{_IAM}:role/{_OURS}",
        tags=[{"key": "trivet:environment", "value": "lake-dev"}],
    )
    executions = _MACHINES.replace("stateMachine", "execution")
    yield _refused(
        "reads an execution that is no smoke test's",
        *("stepfunctions", "DescribeExecution"),
        executionArn=f"{executions}:lake-dev-training:1",
    )
    yield _refused(
        "stops an execution",
        *("stepfunctions", "StopExecution"),
        executionArn=f"{executions}:lake-dev-smoke-test:1",
    )


def _other_services() -> Iterator[Refused]:
    for table in ("trivet-prod", "theirs"):
        for operation in ("GetItem", "PutItem", "Query", "CreateTable"):
            yield _refused(f"{operation} in table {table}", "dynamodb", operation, TableName=table)
    yield _refused("scans its own table", "dynamodb", "Scan", TableName="trivet-dev")
    for action in ("DeleteTable", "ExportTableToPointInTime", "PutResourcePolicy"):
        yield Refused(f"dynamodb:{action}", (request(f"dynamodb:{action}", _TABLE),))
    yield _refused(
        "puts an event on another bus",
        *("events", "PutEvents"),
        Entries=[{"Source": "trivet", "DetailType": "Trivet Drift", "EventBusName": "audit"}],
    )
    for sources in (["theirs"], ["trivet", "theirs"]):
        yield _refused(
            f"puts events from {sources}",
            *("events", "PutEvents"),
            Entries=[{"Source": source, "DetailType": "Trivet Drift"} for source in sources],
        )
    rule = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/trivet-dev-drift_run-event"
    function = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:trivet-dev"
    logs = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/lambda"
    for action, resource in (
        *(("events:DisableRule", rule), ("events:PutTargets", rule)),
        *(("lambda:UpdateFunctionCode", function), ("lambda:InvokeFunction", function)),
        *(("logs:DeleteLogGroup", f"{logs}/trivet-dev"), ("logs:DeleteLogGroup", f"{logs}/other")),
        *(("s3:GetObject", "arn:aws:s3:::bucket/key"), ("s3:ListBucket", "arn:aws:s3:::bucket")),
        ("logs:PutLogEvents", f"{logs}/other:log-stream:a"),
        ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:a"),
    ):
        yield Refused(action, (request(action, resource),))


REFUSED = [
    *_roles(),
    *_the_boundary(),
    *_policies(),
    *_other_principals(),
    *_passed_roles(),
    *_state_machines(),
    *_other_services(),
]
"""What no function may do, whether a boundary is demanded or not."""

REFUSED_UNLESS_LIFTED = [*_unbounded()]
"""What no function may do where a boundary is demanded."""

ONLY_THE_API_MAY = [
    _refused("deletes a role", "iam", "DeleteRole", _role(_OURS), RoleName=_OURS),
    _refused(
        "deletes a policy", "iam", "DeletePolicy", _policy(_OUR_POLICY), PolicyArn=_OUR_POLICY
    ),
    _refused(
        "asks who uses a policy",
        *("iam", "ListEntitiesForPolicy", _policy(_OUR_POLICY)),
        PolicyArn=_OUR_POLICY,
    ),
    _refused("asks who uses a role", "iam", "ListInstanceProfilesForRole", RoleName=_OURS),
    _refused(
        "deletes a smoke test",
        *("stepfunctions", "DeleteStateMachine", Entity(_SMOKE_TEST, _ENVIRONMENT)),
        stateMachineArn=_SMOKE_TEST,
    ),
]
"""What only the API may do, since only it removes environments."""

ONLY_THOSE_WHO_START_THE_FLEET_MAY = [
    _refused(
        "starts the fleet",
        *("stepfunctions", "StartExecution"),
        stateMachineArn=f"{_MACHINES}:trivet-dev-fleet",
    ),
    _refused("makes the table", "dynamodb", "CreateTable", TableName="trivet-dev"),
    Refused("takes the protection off the table", (request("dynamodb:UpdateTable", _TABLE),)),
]
"""What a step of the fleet and the handler of events cannot do."""
