"""Each AWS call asks IAM what the Service Authorization Reference says it asks."""

from __future__ import annotations

import pytest

from .authorization import AuthorizationRequest, Call, ContextValue, Entity, UnknownCallError
from .cases import (
    ACCOUNT,
    BOUNDARY,
    MACHINE,
    PRINCIPAL,
    ROLE,
    S3_FULL,
    TAGS,
    WORKFLOW_ROLE,
    Context,
    allow,
    asked,
    call,
    decide,
    outcomes,
    when,
)


def test_creating_a_role_with_tags_asks_for_tagging_too() -> None:
    creation, tagging = asked(
        call(
            "iam",
            "CreateRole",
            RoleName="lake-dev-SageMaker",
            Tags=TAGS,
            PermissionsBoundary=BOUNDARY,
        )
    )

    tags: Context = {
        "aws:RequestTag/trivet:environment": "lake-dev",
        "aws:RequestTag/trivet:role": "notebook",
        "aws:TagKeys": ("trivet:environment", "trivet:role"),
    }
    always: Context = {
        "aws:PrincipalAccount": ACCOUNT,
        "aws:RequestedRegion": "us-east-1",
        "aws:ResourceAccount": ACCOUNT,
    }
    assert creation == AuthorizationRequest(
        "iam:CreateRole",
        ROLE,
        PRINCIPAL,
        {**always, **tags, "iam:PermissionsBoundary": BOUNDARY},
    )
    assert tagging == AuthorizationRequest("iam:TagRole", ROLE, PRINCIPAL, {**always, **tags})


def test_boundary_is_the_new_one_when_it_is_put_and_the_present_one_otherwise() -> None:
    role = Entity(ROLE, boundary=BOUNDARY)
    name = "lake-dev-SageMaker"

    def boundary(operation: str, **parameters: str) -> ContextValue | None:
        (given,) = asked(call("iam", operation, RoleName=name, **parameters), role)
        return given.context.get("iam:PermissionsBoundary")

    assert boundary("PutRolePermissionsBoundary", PermissionsBoundary=S3_FULL) == S3_FULL
    assert boundary("AttachRolePolicy", PolicyArn=S3_FULL) == BOUNDARY
    assert boundary("DeleteRolePermissionsBoundary") == BOUNDARY
    assert boundary("TagRole") is None


def test_role_outside_the_root_path_has_its_real_arn() -> None:
    somewhere = Entity(f"arn:aws:iam::{ACCOUNT}:role/team/theirs")

    (given,) = asked(call("iam", "GetRole", RoleName="theirs"), somewhere)

    assert given.resource == somewhere.arn


def test_state_machine_cannot_be_made_with_the_wrong_role() -> None:
    statements = [
        allow(["states:CreateStateMachine", "states:TagResource"], MACHINE, sid="Machine"),
        allow(
            "iam:PassRole",
            "arn:*:iam::*:role/*-StepFunctionsWorkflowExecution",
            sid="Pass",
            **when("StringEquals", "iam:PassedToService", "states.amazonaws.com"),
        ),
    ]

    def creation(role: str) -> list[AuthorizationRequest]:
        return asked(
            call(
                "stepfunctions",
                "CreateStateMachine",
                name="lake-dev-smoke-test",
                definition="{}",
                roleArn=role,
                tags=[{"key": "trivet:environment", "value": "lake-dev"}],
            )
        )

    right, wrong = decide(statements, *creation(WORKFLOW_ROLE)), decide(statements, *creation(ROLE))

    assert [(d.request.action, d.allowed) for d in right] == [
        ("states:CreateStateMachine", True),
        ("states:TagResource", True),
        ("iam:PassRole", True),
    ]
    assert [d.allowed for d in wrong] == [True, True, False]
    assert wrong[2].reasons == ("Pass: resource does not match",)


@pytest.mark.parametrize(("given", "passes"), [({"roleArn": ROLE}, True), ({}, False)])
def test_updating_a_state_machine_passes_only_a_new_role(
    given: dict[str, str], passes: bool
) -> None:
    actions = [
        r.action
        for r in asked(
            call("stepfunctions", "UpdateStateMachine", stateMachineArn=MACHINE, **given)
        )
    ]

    assert actions == ["states:UpdateStateMachine"] + ["iam:PassRole"] * passes


def test_transaction_is_authorized_by_its_parts() -> None:
    steps = [
        {"Put": {"TableName": "trivet-dev", "Item": {}}},
        {"ConditionCheck": {"TableName": "trivet-dev", "Key": {}}},
    ]

    requests = asked(call("dynamodb", "TransactWriteItems", TransactItems=steps))

    table = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/trivet-dev"
    assert [(r.action, r.resource) for r in requests] == [
        ("dynamodb:PutItem", table),
        ("dynamodb:ConditionCheckItem", table),
    ]


def test_events_are_asked_about_per_bus() -> None:
    entries = [
        {"Source": "trivet", "DetailType": "Drift found"},
        {"Source": "trivet", "DetailType": "Drift repaired"},
        {"Source": "trivet", "DetailType": "Drift found", "EventBusName": "audit"},
    ]

    requests = asked(call("events", "PutEvents", Entries=entries))

    bus = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus"
    assert [(r.resource, r.context["events:detail-type"]) for r in requests] == [
        (f"{bus}/default", ("Drift found", "Drift repaired")),
        (f"{bus}/audit", ("Drift found",)),
    ]
    source = when("ForAllValues:StringEquals", "events:source", "trivet")
    assert outcomes([allow("events:PutEvents", f"{bus}/default", **source)], *requests) == [
        True,
        False,
    ]


EVERY_CALL = [
    call("iam", operation, RoleName="lake-dev-SageMaker", **more)
    for operation, more in (
        ("CreateRole", {"Tags": TAGS, "PermissionsBoundary": BOUNDARY}),
        ("GetRole", {}),
        ("UpdateRole", {}),
        ("UpdateAssumeRolePolicy", {}),
        ("TagRole", {"Tags": TAGS}),
        ("UntagRole", {"TagKeys": ["trivet:role"]}),
        ("PutRolePermissionsBoundary", {"PermissionsBoundary": BOUNDARY}),
        ("DeleteRolePermissionsBoundary", {}),
        ("AttachRolePolicy", {"PolicyArn": S3_FULL}),
        ("DetachRolePolicy", {"PolicyArn": S3_FULL}),
        ("PutRolePolicy", {}),
        ("GetRolePolicy", {}),
        ("DeleteRolePolicy", {}),
        ("ListRolePolicies", {}),
        ("ListRoleTags", {}),
        ("ListAttachedRolePolicies", {}),
        ("ListInstanceProfilesForRole", {}),
        ("RemoveRoleFromInstanceProfile", {"InstanceProfileName": "theirs"}),
        ("DeleteRole", {}),
    )
] + [
    call("iam", operation, PolicyArn=BOUNDARY, **more)
    for operation, more in (
        ("GetPolicy", {}),
        ("GetPolicyVersion", {}),
        ("ListPolicyVersions", {}),
        ("CreatePolicyVersion", {}),
        ("DeletePolicyVersion", {}),
        ("SetDefaultPolicyVersion", {}),
        ("TagPolicy", {"Tags": TAGS}),
        ("UntagPolicy", {"TagKeys": ["trivet:role"]}),
        ("ListPolicyTags", {}),
        ("DeletePolicy", {}),
        ("ListEntitiesForPolicy", {}),
        ("DetachUserPolicy", {"UserName": "someone"}),
        ("DetachGroupPolicy", {"GroupName": "some"}),
    )
] + [
    call("iam", "CreatePolicy", PolicyName="boundary", Tags=TAGS),
    call("iam", "GetAccountAuthorizationDetails"),
    call("iam", "ListRoles"),
    call("iam", "ListPolicies"),
    call("iam", "SimulatePrincipalPolicy", PolicySourceArn=ROLE),
    call("iam", "SimulatePrincipalPolicy", PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:user/someone"),
    call("iam", "SimulatePrincipalPolicy", PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:group/some"),
    call("stepfunctions", "CreateStateMachine", name="a", roleArn=ROLE,
         tags=[{"key": "a", "value": "b"}]),
    call("stepfunctions", "UpdateStateMachine", stateMachineArn=MACHINE, roleArn=ROLE),
    call("stepfunctions", "DescribeStateMachine", stateMachineArn=MACHINE),
    call("stepfunctions", "DeleteStateMachine", stateMachineArn=MACHINE),
    call("stepfunctions", "StartExecution", stateMachineArn=MACHINE),
    call("stepfunctions", "ListExecutions", stateMachineArn=MACHINE),
    call("stepfunctions", "ListStateMachines"),
    call("stepfunctions", "ListTagsForResource", resourceArn=MACHINE),
    call("stepfunctions", "TagResource", resourceArn=MACHINE, tags=[{"key": "a", "value": "b"}]),
    call("stepfunctions", "UntagResource", resourceArn=MACHINE, tagKeys=["a"]),
] + [
    call("stepfunctions", operation,
         executionArn=f"arn:aws:states:us-east-1:{ACCOUNT}:execution:lake-dev-smoke-test:1")
    for operation in (
        "DescribeExecution", "DescribeStateMachineForExecution", "GetExecutionHistory",
        "StopExecution",
    )
] + [
    call("dynamodb", operation, TableName="trivet-dev", **more)
    for operation, more in (
        ("CreateTable", {"Tags": [{"Key": "a", "Value": "b"}],
                         "SSESpecification": {"Enabled": True}}),
        ("DescribeTable", {}),
        ("UpdateContinuousBackups", {}),
        ("DescribeContinuousBackups", {}),
        ("UpdateTable", {"DeletionProtectionEnabled": True}),
        ("UpdateTimeToLive", {}),
        ("DescribeTimeToLive", {}),
        ("GetItem", {}),
        ("PutItem", {}),
        ("UpdateItem", {}),
        ("DeleteItem", {}),
        ("Query", {}),
        ("Query", {"IndexName": "by-name"}),
        ("Scan", {}),
    )
] + [
    call("dynamodb", "BatchWriteItem", RequestItems={"trivet-dev": []}),
    call("dynamodb", "BatchGetItem", RequestItems={"trivet-dev": {}}),
    call("dynamodb", "TransactWriteItems", TransactItems=[
        {kind: {"TableName": "trivet-dev"}}
        for kind in ("Put", "Update", "Delete", "ConditionCheck")
    ]),
    call("dynamodb", "TransactGetItems", TransactItems=[{"Get": {"TableName": "trivet-dev"}}]),
    call("dynamodb", "TagResource", Tags=[{"Key": "a", "Value": "b"}],
         ResourceArn=f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/trivet-dev"),
    call("dynamodb", "ListTagsOfResource",
         ResourceArn=f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/trivet-dev"),
    call("events", "PutEvents", Entries=[{"Source": "trivet", "DetailType": "Drift found"}]),
    call("sts", "AssumeRole", RoleArn=ROLE, RoleSessionName="trivet", ExternalId="a"),
]  # fmt: skip


def test_every_request_is_one_that_aws_documents() -> None:
    """Each action takes such a resource and knows such condition keys, else it is an error."""
    tags = {"trivet:environment": "lake-dev"}
    held = [
        Entity(ROLE, tags, BOUNDARY),
        Entity(BOUNDARY, tags),
        Entity(MACHINE, tags),
        Entity(f"arn:aws:iam::{ACCOUNT}:user/someone", tags, BOUNDARY),
        Entity(f"arn:aws:iam::{ACCOUNT}:group/some"),
        Entity(f"arn:aws:iam::{ACCOUNT}:instance-profile/theirs", tags),
    ]
    for entities in (held, []):
        requests = [r for given in EVERY_CALL for r in asked(given, *entities)]

        assert all(outcomes([allow("*")], *requests))


def test_caller_identity_needs_no_permission() -> None:
    assert asked(call("sts", "GetCallerIdentity")) == []


@pytest.mark.parametrize(
    ("unknown", "message"),
    [
        (call("iam", "CreateUser", UserName="a"), "iam:CreateUser"),
        (call("s3", "PutObject"), "s3:PutObject"),
        (call("sts", "GetSessionToken"), "sts:GetSessionToken"),
        (call("sts", "AssumeRole", RoleArn=ROLE, SourceIdentity="a"), "SourceIdentity"),
        (call("stepfunctions", "StartSyncExecution"), "stepfunctions:StartSyncExecution"),
        (call("dynamodb", "ExportTableToPointInTime"), "dynamodb:ExportTableToPointInTime"),
        (call("events", "PutRule"), "events:PutRule"),
        (
            call("stepfunctions", "CreateStateMachine", name="a", loggingConfiguration={}),
            "loggingConfiguration",
        ),
        (
            call(
                "dynamodb",
                "CreateTable",
                TableName="a",
                SSESpecification={"Enabled": True, "KMSMasterKeyId": "alias/own"},
            ),
            "SSESpecification",
        ),
    ],
)
def test_unknown_calls_are_errors(unknown: Call, message: str) -> None:
    with pytest.raises(UnknownCallError, match=message):
        asked(unknown)
