"""DELETE: all that is the environment's own, whatever was attached since, and nothing else."""

import json
from typing import Any

import pytest

from tests.kit import inventory
from tests.kit.drifts import delete_role
from tests.kit.http import Api
from tests.kit.names import ACCOUNT
from tests.kit.wire import Call, answering

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
    }
)


def own_arns(name: str) -> list[str]:
    iam = f"arn:aws:iam::{ACCOUNT}"
    return sorted(
        [
            f"{iam}:role/{name}-SageMaker",
            f"{iam}:role/{name}-StepFunctionsWorkflowExecution",
            f"{iam}:role/{name}-LambdaTriggerStepFunc",
            f"{iam}:policy/{name}-AmazonSageMaker-StepFunctionsWorkflowExecutionPolicy",
            f"{iam}:policy/{name}-LambdaTriggerStepFuncRole",
            f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:{name}-smoke-test",
        ]
    )


def left_of(name: str) -> dict[str, list[str]]:
    return {
        kind: [each for each in held if name in each]
        for kind, held in inventory.held().items()
        if kind != "items"
    }


NOTHING: dict[str, list[str]] = {"roles": [], "policies": [], "state machines": []}


def test_deletion_names_all_that_it_deleted(api: Api, name: str) -> None:
    before = inventory.held()
    api.provision(name)

    answer = api.delete(f"/environments/{name}")

    assert answer.status == 200
    assert set(answer.body) == {"name", "deleted", "detached", "left"}
    assert answer.body["detached"] == answer.body["left"] == []
    assert answer.body["name"] == name
    assert sorted(answer.body["deleted"]) == own_arns(name)
    assert inventory.held()["roles"] == before["roles"]
    assert left_of(name) == NOTHING
    assert api.get(f"/environments/{name}").status == 404
    assert api.delete(f"/environments/{name}").status == 404


def test_what_was_attached_since_is_detached_never_deleted(api: Api, iam: Any, name: str) -> None:
    api.provision(name)
    role, policy = f"{name}-SageMaker", f"{name}-LambdaTriggerStepFuncRole"
    theirs = iam.create_policy(PolicyName="theirs", PolicyDocument=POLICY)["Policy"]["Arn"]
    own = f"arn:aws:iam::{ACCOUNT}:policy/{policy}"
    iam.attach_role_policy(RoleName=role, PolicyArn=theirs)
    iam.attach_role_policy(RoleName=role, PolicyArn=READ_ONLY)
    iam.put_role_policy(RoleName=role, PolicyName="more", PolicyDocument=POLICY)
    for number in range(4):
        iam.create_policy_version(
            PolicyArn=own, PolicyDocument=POLICY, SetAsDefault=number % 2 == 0
        )

    answer = api.delete(f"/environments/{name}")

    assert sorted(answer.body["deleted"]) == own_arns(name)
    assert left_of(name) == NOTHING
    assert iam.get_policy(PolicyArn=theirs)["Policy"]["AttachmentCount"] == 0
    assert sorted(answer.body["detached"], key=str) == [
        {"policy": theirs, "role": role},
        {"policy": READ_ONLY, "role": role},
    ]
    assert answer.body["left"] == []


@pytest.mark.parametrize("user", ["instance profile", "role", "user", "group"])
def test_what_others_use_is_a_409_that_names_them_and_nothing_is_deleted(
    api: Api, iam: Any, name: str, user: str
) -> None:
    api.provision(name)
    role, theirs = f"{name}-SageMaker", f"theirs-{name}"
    own = f"arn:aws:iam::{ACCOUNT}:policy/{name}-LambdaTriggerStepFuncRole"
    if user == "instance profile":
        iam.create_instance_profile(InstanceProfileName=theirs)
        iam.add_role_to_instance_profile(InstanceProfileName=theirs, RoleName=role)
    elif user == "role":
        iam.create_role(RoleName=theirs, AssumeRolePolicyDocument="{}")
        iam.attach_role_policy(RoleName=theirs, PolicyArn=own)
    elif user == "user":
        iam.create_user(UserName=theirs)
        iam.attach_user_policy(UserName=theirs, PolicyArn=own)
    else:
        iam.create_group(GroupName=theirs)
        iam.attach_group_policy(GroupName=theirs, PolicyArn=own)
    before = left_of(name)

    with api.wire.recording() as calls:
        answer = api.delete(f"/environments/{name}")

    assert answer.status == 409
    assert f"{user} {theirs}" in answer.body["detail"]
    assert (role if user == "instance profile" else own) in answer.body["detail"]
    assert {call.service for call in calls if call.writes} <= {"DynamoDB"}
    assert left_of(name) == before
    assert api.get(f"/environments/{name}").body["status"] == "ready"


def test_foreign_role_under_one_of_our_names_stays(api: Api, iam: Any, name: str) -> None:
    api.provision(name)
    role = f"{name}-LambdaTriggerStepFunc"
    delete_role(role)
    iam.create_role(RoleName=role, AssumeRolePolicyDocument="{}")
    iam.attach_role_policy(RoleName=role, PolicyArn=READ_ONLY)
    iam.put_role_policy(RoleName=role, PolicyName="theirs", PolicyDocument=POLICY)
    theirs = inventory.held()["roles"][role]

    answer = api.delete(f"/environments/{name}")

    arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    assert sorted(answer.body["deleted"]) == [each for each in own_arns(name) if each != arn]
    assert [each["resource"] for each in answer.body["left"]] == [arn]
    assert "none of Trivet's tags" in answer.body["left"][0]["reason"]
    assert left_of(name) == {**NOTHING, "roles": [role]}
    assert inventory.held()["roles"][role] == theirs
    assert api.get(f"/environments/{name}").status == 404


def test_policy_that_limits_someone_is_not_deleted_nor_anything_else(
    api: Api, iam: Any, name: str
) -> None:
    api.provision(name)
    own = f"arn:aws:iam::{ACCOUNT}:policy/{name}-LambdaTriggerStepFuncRole"

    @answering
    def used_as_boundary(call: Call) -> dict[str, Any] | None:
        # moto counts no uses of a policy as a boundary, and lists none.
        if call.action == "GetPolicy" and call.parameters["PolicyArn"] == own:
            policy = iam.get_policy(PolicyArn=own)["Policy"]
            counted = {"PermissionsBoundaryUsageCount": 1}
            return {"Policy": {**policy, **counted}}
        if call.action == "ListEntitiesForPolicy" and call.parameters["PolicyArn"] == own:
            users = [{"UserName": "limited", "UserId": "AIDA"}]
            return {"PolicyRoles": [], "PolicyUsers": users, "PolicyGroups": []}
        return None

    before = left_of(name)
    with api.wire.through(used_as_boundary):
        answer = api.delete(f"/environments/{name}")

    assert answer.status == 409
    assert own in answer.body["detail"]
    assert "user limited" in answer.body["detail"]
    assert left_of(name) == before
    assert sorted(api.delete(f"/environments/{name}").body["deleted"]) == own_arns(name)


def test_deletion_of_what_is_half_gone(api: Api, iam: Any, name: str) -> None:
    api.provision(name)
    role = f"{name}-SageMaker"
    delete_role(role)

    answer = api.delete(f"/environments/{name}")

    gone = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    assert sorted(answer.body["deleted"]) == [each for each in own_arns(name) if each != gone]
    assert left_of(name) == NOTHING


def test_deleted_environment_can_be_made_anew(api: Api, name: str) -> None:
    first = api.provision(name, tags={"team": "a"})
    api.delete(f"/environments/{name}")

    second = api.post("/environments", {"name": name})

    assert second.status == 201
    assert second.body["roles"] == first["roles"]
    assert second.body["tags"] == {}
    assert second.body["smoke_test"]["status"] == "succeeded"


def test_state_machine_of_someone_else_stays(api: Api, iam: Any, states: Any, name: str) -> None:
    machine = api.provision(name)["smoke_test"]["state_machine_arn"]
    states.delete_state_machine(stateMachineArn=machine)
    role = iam.create_role(RoleName=f"other-{name}", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    definition = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
    states.create_state_machine(name=f"{name}-smoke-test", definition=definition, roleArn=role)

    answer = api.delete(f"/environments/{name}")

    assert machine not in answer.body["deleted"]
    assert [each["resource"] for each in answer.body["left"]] == [machine]
    assert states.describe_state_machine(stateMachineArn=machine)["roleArn"] == role
