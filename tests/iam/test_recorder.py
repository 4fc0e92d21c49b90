"""The recorder sees every call of the application, and no other."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from time import sleep
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.kit.names import ACCOUNT
from tests.kit.recorder import Recorder, recording
from tests.kit.wire import Wire

from .authorization import UnknownCallError
from .cases import BOUNDARY, TAGS, allow
from .simulator import simulate

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "states.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    }
)
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"},
    }
)


def client(service: str, mark: str | None = "trivet/1", region: str = "us-east-1") -> Any:
    make: Any = boto3.client
    return make(service, region_name=region, config=Config(user_agent_extra=mark))


def actions(recorder: Recorder) -> list[tuple[str, str]]:
    return [(function, given.action) for function, given in recorder.requests()]


def test_recorder_takes_the_resource_as_it_is_at_the_time_of_each_call(cloud: Wire) -> None:
    iam = client("iam")
    iam.create_policy(PolicyName="boundary", PolicyDocument=POLICY)
    name = "lake-dev-SageMaker"

    with recording(cloud, "api") as recorder:
        iam.create_role(RoleName=name, Path="/team/", AssumeRolePolicyDocument=TRUST)
        iam.tag_role(RoleName=name, Tags=TAGS)
        iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=BOUNDARY)
        with recorder.attributing("drift_run"):
            iam.delete_role(RoleName=name)

    assert actions(recorder) == [
        ("api", "iam:CreateRole"),
        ("api", "iam:TagRole"),
        ("api", "iam:PutRolePermissionsBoundary"),
        ("drift_run", "iam:DeleteRole"),
    ]
    requests = [given for _, given in recorder.requests()]
    assert {given.resource for given in requests} == {
        f"arn:aws:iam::{ACCOUNT}:role/team/lake-dev-SageMaker"
    }
    tag = "iam:ResourceTag/trivet:environment"
    assert [given.context.get(tag) for given in requests] == [None, None, "lake-dev", "lake-dev"]
    assert requests[3].context["iam:PermissionsBoundary"] == BOUNDARY


def test_recorder_sees_policies_users_profiles_and_state_machines(cloud: Wire) -> None:
    iam, states = client("iam"), client("stepfunctions")
    owned = {"Tags": [{"Key": "owner", "Value": "me"}]}
    iam.create_policy(PolicyName="boundary", PolicyDocument=POLICY, **owned)
    iam.create_user(UserName="someone", **owned)
    iam.create_group(GroupName="some")
    iam.create_instance_profile(InstanceProfileName="theirs", **owned)
    role = iam.create_role(RoleName="a", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    iam.add_role_to_instance_profile(InstanceProfileName="theirs", RoleName="a")
    iam.attach_user_policy(UserName="someone", PolicyArn=BOUNDARY)
    iam.attach_group_policy(GroupName="some", PolicyArn=BOUNDARY)
    machine = states.create_state_machine(
        name="m",
        definition=json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}),
        roleArn=role,
        tags=[{"key": "owner", "value": "me"}],
    )["stateMachineArn"]

    with recording(cloud, "api") as recorder:
        iam.detach_user_policy(UserName="someone", PolicyArn=BOUNDARY)
        iam.detach_group_policy(GroupName="some", PolicyArn=BOUNDARY)
        iam.remove_role_from_instance_profile(InstanceProfileName="theirs", RoleName="a")
        iam.delete_policy(PolicyArn=BOUNDARY)
        states.delete_state_machine(stateMachineArn=machine)

    requests = [given for _, given in recorder.requests()]
    assert [r.context.get("aws:ResourceTag/owner") for r in requests] == [
        "me", None, "me", "me", "me"
    ]  # fmt: skip
    simulate(
        {"api": {"Version": "2012-10-17", "Statement": [allow("*")]}},
        recorder.requests(),
    )
    cloud.calls.clear()  # some are none of Trivet's


def test_recorder_counts_pages_threads_and_failed_calls(cloud: Wire) -> None:
    iam = client("iam")

    with recording(cloud, "api") as recorder, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: list(iam.get_paginator("list_roles").paginate()), range(4)))
        with pytest.raises(ClientError):
            iam.get_role(RoleName="absent")

    assert sorted(actions(recorder)) == [("api", "iam:GetRole")] + [("api", "iam:ListRoles")] * 4


def test_recorder_leaves_out_calls_of_tests_and_of_the_emulators_state_machines(
    cloud: Wire,
) -> None:
    role = client("iam").create_role(RoleName="a", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    states = client("stepfunctions")
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:sts:getCallerIdentity",
        "End": True,
    }

    with recording(cloud, "api") as recorder:
        machine = states.create_state_machine(
            name="m", definition=json.dumps({"StartAt": "A", "States": {"A": task}}), roleArn=role
        )["stateMachineArn"]
        execution = states.start_execution(stateMachineArn=machine)["executionArn"]
        seen_by_test = client("stepfunctions", mark=None)
        while (now := seen_by_test.describe_execution(executionArn=execution))["status"] == (
            "RUNNING"
        ):
            sleep(0.05)

    assert ACCOUNT in now["output"]
    assert [recorded.call.name for recorded in recorder.calls] == [
        "stepfunctions:CreateStateMachine",
        "stepfunctions:StartExecution",
    ]


def test_recorder_fails_at_the_end_for_unknown_calls(cloud: Wire) -> None:
    iam = client("iam")

    with pytest.raises(UnknownCallError, match="iam:CreateUser"), recording(cloud, "api"):
        iam.create_user(UserName="a")
    cloud.calls.clear()


def test_recorder_knows_the_partition(cloud: Wire) -> None:
    iam = client("iam", region="cn-northwest-1")
    dynamodb = client("dynamodb", region="cn-northwest-1")

    with recording(cloud, "api") as recorder:
        iam.create_role(RoleName="a", AssumeRolePolicyDocument=TRUST)
        with pytest.raises(ClientError):
            dynamodb.describe_table(TableName="trivet-dev")

    assert [(r.resource, r.context["aws:RequestedRegion"]) for _, r in recorder.requests()] == [
        (f"arn:aws-cn:iam::{ACCOUNT}:role/a", "cn-north-1"),
        (f"arn:aws-cn:dynamodb:cn-northwest-1:{ACCOUNT}:table/trivet-dev", "cn-northwest-1"),
    ]
