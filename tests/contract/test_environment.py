"""Section 1: an environment made, named, repeated; what is its own and what is not."""

from typing import Any

import pytest

from tests.kit import inventory
from tests.kit.account import client
from tests.kit.checks import fields_in_error
from tests.kit.drifts import delete_role
from tests.kit.http import Api
from tests.kit.names import ACCOUNT, RECORDS


def test_state_machine_runs_under_the_workflow_role(api: Api, states: Any, name: str) -> None:
    document = api.provision(name)

    machine = states.describe_state_machine(
        stateMachineArn=document["smoke_test"]["state_machine_arn"]
    )
    assert machine["name"] == f"{name}-smoke-test"
    assert machine["roleArn"] == document["roles"]["workflow_execution"]["arn"]


def test_second_post_makes_no_write_call(api: Api, name: str) -> None:
    first = api.provision(name, tags={"team": "a"})
    before = inventory.held()

    with api.wire.recording() as calls:
        answer = api.post("/environments", {"name": name, "tags": {"team": "a"}})

    assert calls.names
    assert calls.writes == []
    assert answer.status == 200
    assert answer.body == {**first, "changes": []}
    assert inventory.held() == before


def test_put_and_post_are_the_same(api: Api, name: str) -> None:
    created = api.put(f"/environments/{name}", {"tags": {"team": "a"}})
    with api.wire.recording() as calls:
        repeated = api.post("/environments", {"name": name, "tags": {"team": "a"}})
    again = api.put(f"/environments/{name}", {"tags": {"team": "a"}})

    assert created.status == 201
    assert (repeated.status, again.status) == (200, 200)
    assert calls.writes == []
    assert repeated.body == again.body == {**created.body, "changes": []}


def test_put_needs_no_body(api: Api, name: str) -> None:
    answer = api.request("PUT", f"/environments/{name}")

    assert answer.status == 201
    assert answer.body["tags"] == {}
    assert answer.body["on_extras"] == "remove"


def test_new_environment_lists_all_that_was_made_as_changes(api: Api, name: str) -> None:
    document = api.provision(name)

    kinds = sorted(change["kind"] for change in document["changes"])
    assert kinds == sorted(
        ["create_role"] * 3
        + ["attach_managed_policy"] * (7 + 2 + 6)
        + ["put_inline_policy"]
        + ["create_policy"] * 2
        + ["create_state_machine"]
    )
    assert all(change["actual"] is None for change in document["changes"])
    attached = {
        "kind": "attach_managed_policy",
        "role": "notebook",
        "resource": document["roles"]["notebook"]["arn"],
        "summary": "AmazonS3FullAccess is not attached",
        "effect": "narrowed",
        "expected": "arn:aws:iam::aws:policy/AmazonS3FullAccess",
        "actual": None,
    }
    assert attached in document["changes"]


# --- names


@pytest.mark.parametrize("name", ["abc", "a-1", "a" * 33, "a" + "-" * 31 + "9"])
def test_names_that_fit(api: Api, name: str) -> None:
    assert api.post("/environments", {"name": name, "wait": 0}).status == 201
    assert inventory.role(f"{name}-StepFunctionsWorkflowExecution")["arn"].endswith(
        name[1:] + "-StepFunctionsWorkflowExecution"
    )


@pytest.mark.parametrize(
    "name",
    [
        *("", "a", "ab", "a" * 34, "Abc", "1bc", "-bc", "ab-", "a_b", "a.b", "a b", "ab\n", "äbc"),
        *("a/b", "a:b", "a*b", "${x}", "abc\u0000", "\u0430bc", "a" * 60_000),
    ],
)
def test_names_that_do_not(api: Api, name: str) -> None:
    with api.wire.recording() as calls:
        answer = api.post("/environments", {"name": name})

    assert fields_in_error(answer) == ["name"]
    assert calls.names == []


# --- ours, by tags or by the recorded id


def test_role_that_lost_its_tags_is_ours_and_repaired(api: Api, iam: Any, name: str) -> None:
    api.provision(name, tags={"team": "a"})
    role, untouched = f"{name}-SageMaker", inventory.role(f"{name}-SageMaker")
    iam.untag_role(RoleName=role, TagKeys=["trivet:environment", "trivet:role", "team"])

    answer = api.post("/environments", {"name": name, "tags": {"team": "a"}})

    assert answer.status == 200
    assert [change["kind"] for change in answer.body["changes"]] == ["tag_role"]
    assert inventory.role(role) == untouched


def test_policy_that_lost_its_tags_is_ours_and_repaired(api: Api, iam: Any, name: str) -> None:
    api.provision(name)
    arn = f"arn:aws:iam::{ACCOUNT}:policy/{name}-LambdaTriggerStepFuncRole"
    untouched = inventory.policy(arn)
    iam.untag_policy(PolicyArn=arn, TagKeys=["trivet:environment", "trivet:role"])

    answer = api.post(f"/environments/{name}/reapply")

    assert answer.status == 200
    assert [change["kind"] for change in answer.body["changes"]] == ["tag_policy"]
    assert inventory.policy(arn) == untouched


def test_role_that_lost_its_tags_is_deleted_with_its_environment(
    api: Api, iam: Any, name: str
) -> None:
    api.provision(name)
    iam.untag_role(RoleName=f"{name}-SageMaker", TagKeys=["trivet:environment", "trivet:role"])

    deleted = api.delete(f"/environments/{name}").body["deleted"]

    assert f"arn:aws:iam::{ACCOUNT}:role/{name}-SageMaker" in deleted
    assert not any(role.startswith(f"{name}-") for role in inventory.held()["roles"])


def test_role_made_anew_without_tags_is_foreign(api: Api, iam: Any, name: str) -> None:
    api.provision(name)
    role = f"{name}-LambdaTriggerStepFunc"
    remake_role(iam, role)
    theirs = inventory.held()

    answers = [
        api.post("/environments", {"name": name}),
        api.post(f"/environments/{name}/reapply"),
    ]
    drift = api.get(f"/environments/{name}/drift")

    assert [answer.status for answer in answers] == [409, 409]
    assert drift.status == 200
    assert [each["resource"] for each in drift.body["foreign"]] == [
        f"arn:aws:iam::{ACCOUNT}:role/{role}"
    ]
    assert drift.body["in_sync"] is False
    assert all(f"role/{role}" in answer.body["detail"] for answer in answers)
    assert {**inventory.held(), "items": None} == {**theirs, "items": None}


def test_role_made_anew_with_trivets_tags_is_ours(api: Api, iam: Any, name: str) -> None:
    api.provision(name)
    role, untouched = f"{name}-SageMaker", inventory.role(f"{name}-SageMaker")
    remake_role(iam, role)
    iam.tag_role(RoleName=role, Tags=[{"Key": "trivet:environment", "Value": name}])

    answer = api.post("/environments", {"name": name})

    assert answer.status == 200
    held = inventory.role(role)
    assert {**held, "id": None} == {**untouched, "id": None}


def remake_role(iam: Any, role: str) -> None:
    """Delete a role, and make one of the same name by hand."""
    delete_role(role)
    iam.create_role(RoleName=role, AssumeRolePolicyDocument="{}")


def test_environment_whose_record_was_lost_is_ours_by_its_tags(api: Api, name: str) -> None:
    api.provision(name)
    before = inventory.held()
    client("dynamodb").delete_item(
        TableName="trivet-local", Key={"pk": {"S": RECORDS}, "sk": {"S": name}}
    )

    answer = api.post("/environments", {"name": name})

    assert answer.status == 201
    assert (answer.body["changes"], answer.body["status"]) == ([], "ready")
    assert answer.body["smoke_test"]["status"] == "succeeded"
    assert {**inventory.held(), "items": None} == {**before, "items": None}


def test_incomplete_environment_is_completed_by_the_same_call(
    api: Api, iam: Any, name: str
) -> None:
    api.provision(name)
    whole = inventory.held()
    remake_role(iam, f"{name}-SageMaker")
    iam.delete_role(RoleName=f"{name}-SageMaker")

    answer = api.post("/environments", {"name": name})

    assert [change["kind"] for change in answer.body["changes"]] == [
        "create_role",
        "put_inline_policy",
        *["attach_managed_policy"] * 7,
    ]
    held, before = inventory.role(f"{name}-SageMaker"), whole["roles"][f"{name}-SageMaker"]
    assert {**held, "id": None} == {**before, "id": None}
    assert api.post("/environments", {"name": name}).body["changes"] == []
