"""What is not an environment's own is left alone, or taken over when the caller says so."""

import json
from typing import Any

import pytest

from tests.kit import inventory
from tests.kit.drifts import delete_role
from tests.kit.http import Api
from tests.kit.names import ACCOUNT

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
}


def make_role(iam: Any, name: str, service: str = "sagemaker", **parameters: Any) -> str:
    trust = json.dumps(TRUST).replace("sagemaker", service)
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, **parameters)
    return str(made["Role"]["Arn"])


def make_policy(iam: Any, name: str, document: Any = POLICY, **parameters: Any) -> str:
    made = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(document), **parameters)
    return str(made["Policy"]["Arn"])


def tags(environment: str) -> list[dict[str, str]]:
    return [{"Key": "trivet:environment", "Value": environment}]


def test_foreign_roles_and_policies_are_all_named_and_nothing_is_changed(
    api: Api, iam: Any, name: str
) -> None:
    theirs = [
        make_role(iam, f"{name}-SageMaker"),
        make_role(iam, f"{name}-LambdaTriggerStepFunc"),
        make_policy(iam, f"{name}-LambdaTriggerStepFuncRole"),
        make_policy(iam, f"{name}-AmazonSageMaker-StepFunctionsWorkflowExecutionPolicy"),
    ]
    before = inventory.held()

    for body in ({}, {"dry_run": True}, {"wait": 0}):
        answer = api.post("/environments", {"name": name, **body})

        assert answer.status == 409
        assert [arn for arn in theirs if arn not in answer.body["detail"]] == []
        assert f"{name}-StepFunctionsWorkflowExecution" not in answer.body["detail"]
        assert f"POST /environments/{name}/adopt" in answer.body["detail"]
        after = inventory.held()
        assert {**after, "items": None} == {**before, "items": None}
        assert not [item for items in after["items"].values() for item in items if _is(item, name)]
        assert api.get(f"/environments/{name}").status == 404


def _is(item: Any, name: str) -> bool:
    return bool(item["sk"]["S"] == name)


@pytest.mark.parametrize("adopt", [False, True])
def test_what_belongs_to_another_environment_is_never_taken(
    api: Api, iam: Any, name: str, adopt: bool
) -> None:
    role = make_role(iam, f"{name}-SageMaker", Tags=tags("another"))
    policy = make_policy(iam, f"{name}-LambdaTriggerStepFuncRole", Tags=tags("another"))
    untagged = make_role(iam, f"{name}-LambdaTriggerStepFunc")
    before = inventory.held()

    answer = declare(api, name, adopt)

    assert answer.status == 409
    assert role in answer.body["detail"]
    assert policy in answer.body["detail"]
    assert "another" in answer.body["detail"]
    assert (untagged in answer.body["detail"]) is not adopt
    after = inventory.held()
    assert {**after, "items": None} == {**before, "items": None}
    assert api.get(f"/environments/{name}").status == 404


def test_role_at_another_path_is_never_taken(api: Api, iam: Any, name: str) -> None:
    role = make_role(iam, f"{name}-SageMaker", Path="/service-role/")
    before = inventory.held()

    for adopt in (False, True):
        answer = declare(api, name, adopt)
        assert answer.status == 409
        assert role in answer.body["detail"]

    after = inventory.held()
    assert {**after, "items": None} == {**before, "items": None}


def test_state_machine_of_someone_else_is_foreign(
    api: Api, iam: Any, states: Any, name: str
) -> None:
    role = make_role(iam, f"other-role-of-{name}", "states")
    definition = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
    machine = states.create_state_machine(
        name=f"{name}-smoke-test", definition=definition, roleArn=role
    )["stateMachineArn"]

    answer = api.post("/environments", {"name": name})

    assert answer.status == 409
    assert machine in answer.body["detail"]
    kept = states.describe_state_machine(stateMachineArn=machine)
    assert kept["definition"] == definition


def declare(api: Api, name: str, adopt: bool) -> Any:
    """Declare an environment by the route that takes over what is there, or by the other."""
    path = f"/environments/{name}"
    return api.post(f"{path}/adopt", {}) if adopt else api.put(path, {})


def by_hand(iam: Any, name: str) -> dict[str, str]:
    """Follow the manual procedure of the appendix, with its names, as far as IAM lets one."""
    attached = {
        f"{name}-SageMaker": (
            "sagemaker",
            [
                "AWSStepFunctionsFullAccess",
                "AmazonS3FullAccess",
                "AmazonEC2ContainerRegistryFullAccess",
                "AmazonSageMakerFullAccess",
                "AmazonAthenaFullAccess",
                "AmazonRedshiftFullAccess",
                "SecretsManagerReadWrite",
            ],
        ),
        f"{name}-LambdaTriggerStepFunc": (
            "lambda",
            [
                "AWSStepFunctionsFullAccess",
                "AWSLambda_FullAccess",
                "CloudWatchFullAccess",
                "AmazonS3FullAccess",
                "SecretsManagerReadWrite",
            ],
        ),
    }
    for role, (service, policies) in attached.items():
        make_role(iam, role, service, Description="Allows things", Tags=[])
        for policy in policies:
            iam.attach_role_policy(RoleName=role, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
    own = make_policy(iam, f"LambdaTriggerStepFuncRole-{name}")
    iam.attach_role_policy(RoleName=f"{name}-LambdaTriggerStepFunc", PolicyArn=own)
    return {"own": own}


def test_adopting_roles_made_by_hand(api: Api, iam: Any, name: str) -> None:
    own = by_hand(iam, name)["own"]
    ids = {role: held["id"] for role, held in inventory.held()["roles"].items() if name in role}
    before = inventory.held()
    body = {"tags": {"team": "a"}}

    planned = api.post(f"/environments/{name}/adopt", {**body, "dry_run": True})
    unchanged = inventory.held()
    done = api.post(f"/environments/{name}/adopt", body)

    assert (planned.status, done.status) == (200, 201)
    assert {**unchanged, "items": None} == {**before, "items": None}
    assert _sorted(planned) == _sorted(done)
    of_trigger = [
        (change["kind"], change["expected"], change["actual"])
        for change in done.body["changes"]
        if change["resource"].endswith(f"role/{name}-LambdaTriggerStepFunc")
    ]
    assert sorted(kind for kind, _, _ in of_trigger) == [
        "attach_managed_policy",
        "detach_managed_policy",
        "put_permissions_boundary",
        "tag_role",
        "update_role",
    ]
    assert ("detach_managed_policy", None, own) in of_trigger
    # Taken over, not made anew; and as every other environment is.
    for role, unique_id in ids.items():
        assert inventory.role(role)["id"] == unique_id
    other = f"{name}-fresh"
    api.provision(other, tags={"team": "a"})
    for suffix in ("SageMaker", "StepFunctionsWorkflowExecution", "LambdaTriggerStepFunc"):
        assert _of(other, inventory.role(f"{other}-{suffix}")) == _of(
            name, inventory.role(f"{name}-{suffix}")
        )
    # Someone else's policy: detached, and still there.
    assert inventory.policy(own)["document"] == POLICY
    assert api.get(f"/environments/{name}/drift").body["in_sync"] is True


def _sorted(answer: Any) -> list[Any]:
    return sorted(answer.body["changes"], key=json.dumps)


def _of(name: str, held: dict[str, Any]) -> Any:
    return json.loads(json.dumps({**held, "id": None}).replace(name, "E"))


def test_adopted_once_is_ours_from_then_on(api: Api, iam: Any, name: str) -> None:
    by_hand(iam, name)
    assert declare(api, name, adopt=True).status == 201
    iam.untag_role(RoleName=f"{name}-SageMaker", TagKeys=["trivet:environment", "trivet:role"])

    repaired = api.post("/environments", {"name": name})

    assert repaired.status == 200
    assert [change["kind"] for change in repaired.body["changes"]] == ["tag_role"]
    assert (
        f"arn:aws:iam::{ACCOUNT}:role/{name}-SageMaker"
        in (api.delete(f"/environments/{name}").body["deleted"])
    )


def test_adopting_in_an_environment_that_exists(api: Api, iam: Any, name: str) -> None:
    api.provision(name)
    role = f"{name}-LambdaTriggerStepFunc"
    delete_role(role)
    make_role(iam, role, "ec2")

    with api.wire.recording() as calls:
        refused = api.post("/environments", {"name": name})
    adopted = declare(api, name, adopt=True)

    assert refused.status == 409
    assert calls.writes == []
    assert adopted.status == 200
    assert "update_trust_policy" in [change["kind"] for change in adopted.body["changes"]]
    assert "lambda.amazonaws.com" in str(inventory.role(role)["trust"])
    assert api.post("/environments", {"name": name}).body["changes"] == []
