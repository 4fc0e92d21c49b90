"""What POST and PUT declare, what they plan, and what holds from then on."""

import json
from typing import Any

import pytest

from tests.kit import inventory
from tests.kit.account import client
from tests.kit.checks import fields_in_error
from tests.kit.http import Api, on_lambda
from tests.kit.names import ACCOUNT, IN_MEMBER
from tests.kit.wire import Wire

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}
BOUNDARY = "TrivetEnvironmentBoundary"
ROLES = ("SageMaker", "StepFunctionsWorkflowExecution", "LambdaTriggerStepFunc")


def kinds(answer: Any) -> list[str]:
    return sorted(change["kind"] for change in answer.body["changes"])


def in_order(answer: Any) -> list[Any]:
    return sorted(answer.body["changes"], key=json.dumps)


def boundary(iam: Any, name: str) -> str:
    made = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(POLICY))
    return str(made["Policy"]["Arn"])


@pytest.fixture
def boundaries_of_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no boundary demanded, so that callers may name one."""
    monkeypatch.setenv("TRIVET_PERMISSIONS_BOUNDARY", "none")


# --- the declaration


@pytest.mark.usefixtures("boundaries_of_callers")
@pytest.mark.parametrize("by", ["POST", "PUT", "adopt"])
def test_fields_left_out_keep_the_values_they_have(api: Api, iam: Any, name: str, by: str) -> None:
    declared: dict[str, Any] = {
        "profile": "scoped",
        "parameters": {"buckets": ["data-*"]},
        "tags": {"team": "a", "cost": "b"},
        "permissions_boundary": boundary(iam, f"limit-of-{name}"),
        "on_extras": "report",
        "deletion_protection": True,
    }
    api.provision(name, **declared)
    before = inventory.held()

    if by == "POST":
        answer = api.post("/environments", {"name": name})
    elif by == "PUT":
        answer = api.put(f"/environments/{name}", {})
    else:
        answer = api.post(f"/environments/{name}/adopt")

    assert answer.status == 200
    assert {field: answer.body[field] for field in declared} == declared
    assert answer.body["changes"] == []
    assert inventory.held() == before


@pytest.mark.usefixtures("boundaries_of_callers")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("profile", "standard"),
        ("parameters", {}),
        ("tags", {}),
        ("permissions_boundary", None),
        ("on_extras", "remove"),
    ],
)
def test_a_field_that_is_given_changes_and_no_other(
    api: Api, iam: Any, name: str, field: str, value: Any
) -> None:
    declared: dict[str, Any] = {
        "profile": "scoped",
        "parameters": {"buckets": ["data-*"]},
        "tags": {"team": "a"},
        "permissions_boundary": boundary(iam, f"limit-of-{name}"),
        "on_extras": "report",
        "deletion_protection": True,
    }
    api.provision(name, wait=0, **declared)
    if field == "profile":
        # A parameter of the one profile that the other does not have goes with it.
        declared["parameters"] = {}

    answer = api.put(f"/environments/{name}", {field: value, "wait": 0})

    assert answer.status == 200
    assert {each: answer.body[each] for each in declared} == {**declared, field: value}


def test_a_new_environment_has_the_contracts_defaults(api: Api, name: str) -> None:
    document = api.provision(name, wait=0)

    assert (document["profile"], document["parameters"], document["tags"]) == ("standard", {}, {})
    assert document["permissions_boundary"] == f"arn:aws:iam::{ACCOUNT}:policy/{BOUNDARY}"
    assert (document["on_extras"], document["deletion_protection"]) == ("remove", False)
    assert document["paused_until"] is None


def test_tags_declared_anew_replace_the_old(api: Api, name: str) -> None:
    api.provision(name, tags={"team": "a", "cost": "1"})

    answer = api.post("/environments", {"name": name, "tags": {"team": "b", "stage": "x"}})

    assert answer.body["tags"] == {"team": "b", "stage": "x"}
    for role in ROLES:
        tags = inventory.role(f"{name}-{role}")["tags"]
        assert {key: tags[key] for key in tags if ":" not in key} == {"team": "b", "stage": "x"}
    policy = f"arn:aws:iam::{ACCOUNT}:policy/{name}-LambdaTriggerStepFuncRole"
    assert inventory.policy(policy)["tags"] == {
        "trivet:environment": name,
        "trivet:role": "lambda_trigger",
        "team": "b",
        "stage": "x",
    }
    assert api.get(f"/environments/{name}/drift").body["in_sync"] is True


@pytest.mark.usefixtures("boundaries_of_callers")
def test_declaration_is_kept_apart_from_iam_and_put_back_by_reapply(
    api: Api, iam: Any, name: str
) -> None:
    limit = boundary(iam, f"limit-of-{name}")
    declared = api.provision(name, tags={"team": "a"}, permissions_boundary=limit)
    before = inventory.held()["roles"]
    iam.delete_role_permissions_boundary(RoleName=f"{name}-SageMaker")
    iam.untag_role(RoleName=f"{name}-SageMaker", TagKeys=["team"])

    answer = api.post(f"/environments/{name}/reapply")

    assert answer.status == 200
    assert kinds(answer) == ["put_permissions_boundary", "tag_role"]
    assert inventory.held()["roles"] == before
    for field in ("tags", "permissions_boundary", "created_at"):
        assert answer.body[field] == declared[field]


def test_dry_run_and_wait_concern_their_call_alone(api: Api, name: str) -> None:
    api.provision(name, wait=0)
    document = api.get(f"/environments/{name}").body

    assert not {"dry_run", "wait"} & set(document)


# --- extras


def add_extras(iam: Any, name: str) -> None:
    role = f"{name}-SageMaker"
    iam.attach_role_policy(RoleName=role, PolicyArn=READ_ONLY)
    iam.put_role_policy(RoleName=role, PolicyName="more", PolicyDocument=json.dumps(POLICY))
    iam.tag_role(RoleName=role, Tags=[{"Key": "added", "Value": "by hand"}])


def test_extras_are_removed_by_default(api: Api, iam: Any, name: str) -> None:
    api.provision(name)
    before = inventory.held()["roles"]
    add_extras(iam, name)

    answer = api.post("/environments", {"name": name})

    assert kinds(answer) == ["delete_inline_policy", "detach_managed_policy", "untag_role"]
    removed = {change["kind"]: change["actual"] for change in answer.body["changes"]}
    assert removed["detach_managed_policy"] == READ_ONLY
    assert removed["delete_inline_policy"] == {"name": "more", "document": POLICY}
    assert removed["untag_role"]["added"] == "by hand"
    assert inventory.held()["roles"] == before


def test_extras_are_reported_and_stay_where_declared_so(api: Api, iam: Any, name: str) -> None:
    api.provision(name, on_extras="report")
    add_extras(iam, name)
    iam.detach_role_policy(
        RoleName=f"{name}-SageMaker", PolicyArn="arn:aws:iam::aws:policy/AmazonS3FullAccess"
    )
    with_extras = inventory.role(f"{name}-SageMaker")

    drift = api.get(f"/environments/{name}/drift").body
    repaired = api.post("/environments", {"name": name, "on_extras": "report"})
    after = api.get(f"/environments/{name}/drift").body

    added = ["delete_inline_policy", "detach_managed_policy", "untag_role"]
    assert sorted(each["kind"] for each in drift["changes"]) == [
        "attach_managed_policy",
        *added,
    ]
    assert kinds(repaired) == ["attach_managed_policy"]
    assert (after["in_sync"], sorted(each["kind"] for each in after["changes"])) == (False, added)
    held = inventory.role(f"{name}-SageMaker")
    assert set(held["attached"]) - set(with_extras["attached"]) == {
        "arn:aws:iam::aws:policy/AmazonS3FullAccess"
    }
    assert (held["inline"], held["tags"]) == (with_extras["inline"], with_extras["tags"])


def test_extra_tags_of_policies_stay_where_declared_so(api: Api, iam: Any, name: str) -> None:
    api.provision(name, on_extras="report", tags={"team": "a"})
    arn = f"arn:aws:iam::{ACCOUNT}:policy/{name}-LambdaTriggerStepFuncRole"
    own = inventory.policy(arn)["tags"]
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "added", "Value": "x"}])
    iam.untag_policy(PolicyArn=arn, TagKeys=["team"])

    reported = api.post(f"/environments/{name}/reapply")
    kept = inventory.policy(arn)["tags"]
    removed = api.post("/environments", {"name": name, "on_extras": "remove"})

    assert kinds(reported) == ["tag_policy"]
    assert kinds(removed) == ["untag_policy"]
    assert kept == own | {"added": "x"}
    assert inventory.policy(arn)["tags"] == own


# --- the permissions boundary


@pytest.mark.usefixtures("boundaries_of_callers")
def test_boundary_is_put_on_all_roles_changed_and_taken_off(api: Api, iam: Any, name: str) -> None:
    one, two = boundary(iam, f"one-{name}"), boundary(iam, f"two-{name}")

    for declared in (one, two, READ_ONLY, None):
        document = api.provision(name, permissions_boundary=declared)

        assert document["permissions_boundary"] == declared
        assert [inventory.role(f"{name}-{role}")["boundary"] for role in ROLES] == [declared] * 3


@pytest.mark.parametrize(
    "boundary",
    [
        f"arn:aws:iam::{ACCOUNT}:policy/no-such-policy",
        "arn:aws:iam::aws:policy/NoSuchPolicy",
        "arn:aws:iam::999999999999:policy/of-another-account",
        f"arn:aws-cn:iam::{ACCOUNT}:policy/of-another-partition",
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.usefixtures("boundaries_of_callers")
def test_boundary_that_cannot_be_put_is_a_422(
    api: Api, name: str, boundary: str, dry_run: bool
) -> None:
    before = inventory.held()

    answer = api.post(
        "/environments", {"name": name, "permissions_boundary": boundary, "dry_run": dry_run}
    )

    assert fields_in_error(answer) == ["permissions_boundary"]
    after = inventory.held()
    assert {**after, "items": None} == {**before, "items": None}
    assert api.get(f"/environments/{name}").status == 404


@pytest.mark.usefixtures("boundaries_of_callers")
def test_boundary_that_cannot_be_put_leaves_what_was_declared(api: Api, name: str) -> None:
    before = api.provision(name, tags={"team": "a"})
    missing = f"arn:aws:iam::{ACCOUNT}:policy/no-such-policy"

    answer = api.post("/environments", {"name": name, "permissions_boundary": missing})

    assert fields_in_error(answer) == ["permissions_boundary"]
    assert api.get(f"/environments/{name}").body == {**before, "changes": []}


def test_deployments_own_boundary_is_put_on_every_environment(
    api: Api, iam: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    demanded, other = boundary(iam, f"demanded-{name}"), boundary(iam, f"other-{name}")
    monkeypatch.setenv("TRIVET_PERMISSIONS_BOUNDARY", demanded)

    unsaid = api.provision(name)
    said = api.provision(f"{name}-b", permissions_boundary=demanded)
    with api.wire.recording() as calls:
        refused = api.post("/environments", {"name": f"{name}-c", "permissions_boundary": other})

    assert unsaid["permissions_boundary"] == said["permissions_boundary"] == demanded
    for environment in (name, f"{name}-b"):
        assert [inventory.role(f"{environment}-{role}")["boundary"] for role in ROLES] == [
            demanded
        ] * 3
    assert fields_in_error(refused) == ["permissions_boundary"]
    assert calls.names == (["GetItem"] if IN_MEMBER else []), "whether the account is registered"


# --- dry run


def test_dry_run_of_what_does_not_exist_shows_what_a_post_then_does(api: Api, name: str) -> None:
    before = inventory.held()
    body = {"name": name, "tags": {"team": "a"}}

    with api.wire.recording() as calls:
        planned = api.post("/environments", {**body, "dry_run": True})
    after = inventory.held()
    done = api.post("/environments", body)

    assert (planned.status, done.status) == (200, 201)
    assert calls.writes == []
    assert after == before
    assert planned.body["roles"] == done.body["roles"]
    assert planned.body["status"] == "incomplete"
    assert planned.body["smoke_test"]["status"] == "pending"
    assert in_order(planned) == in_order(done)


def test_dry_run_of_what_exists_shows_what_a_post_then_does(api: Api, iam: Any, name: str) -> None:
    api.provision(name)
    add_extras(iam, name)
    iam.update_role(RoleName=f"{name}-SageMaker", Description="edited")
    before, recorded = inventory.held(), api.get(f"/environments/{name}").body
    body = {"name": name, "tags": {"team": "b"}, "deletion_protection": True}

    with api.wire.recording() as calls:
        planned = api.post("/environments", {**body, "dry_run": True})
    unchanged, still = inventory.held(), api.get(f"/environments/{name}").body
    done = api.post("/environments", body)

    assert calls.writes == []
    assert unchanged == before
    assert still == recorded
    assert planned.body["tags"] == {"team": "b"}
    assert in_order(planned) == in_order(done)


def test_dry_run_of_what_is_in_sync_plans_nothing(api: Api, name: str) -> None:
    document = api.provision(name)

    planned = api.post("/environments", {"name": name, "dry_run": True})

    assert planned.status == 200
    assert planned.body == {**document, "changes": [], "dry_run": True}


@pytest.mark.home
def test_dry_run_in_an_account_without_a_table_makes_none(
    api: Api, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIVET_TABLE", f"table-of-{name}")
    with api.wire.recording() as calls:
        assert api.post("/environments", {"name": name, "dry_run": True}).status == 200
        assert api.get("/environments").body == {"environments": [], "next_cursor": None}
        assert api.get(f"/environments/{name}").status == 404

    assert calls.writes == []
    assert f"table-of-{name}" not in client("dynamodb").list_tables()["TableNames"]


@pytest.mark.home
def test_table_is_made_on_demand_encrypted_and_recoverable(
    api: Api, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, dynamodb = f"table-of-{name}", client("dynamodb")
    monkeypatch.setenv("TRIVET_TABLE", table)

    api.provision(name, wait=0)

    made = dynamodb.describe_table(TableName=table)["Table"]
    backups = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    assert made["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert made["SSEDescription"]["Status"] == "ENABLED"
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


@pytest.mark.parametrize(
    ("variables", "table"),
    [
        ({}, "trivet-local"),
        ({"AWS_LAMBDA_FUNCTION_NAME": "trivet-prod", "TRIVET_STAGE": "prod"}, "trivet-prod"),
        ({"TRIVET_TABLE": "mine", "TRIVET_STAGE": "prod"}, "mine"),
        ({"AWS_LAMBDA_FUNCTION_NAME": "x", "TRIVET_TABLE": "mine"}, "mine"),
    ],
)
def test_table_is_named_by_the_environment(
    cloud: Wire, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], table: str
) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    with cloud.recording() as calls:
        on_lambda("GET", "/environments")

    assert {call.parameters["TableName"] for call in calls} == {table}


# --- deletion protection


def test_protected_environments_are_not_deleted(api: Api, name: str) -> None:
    api.provision(name, deletion_protection=True)
    before = inventory.held()

    refused = api.delete(f"/environments/{name}")

    assert refused.status == 409
    assert "protect" in refused.body["detail"]
    assert inventory.held() == before

    kept = api.put(f"/environments/{name}", {"deletion_protection": False})
    assert kept.status == 409
    assert f"DELETE /environments/{name}/deletion-protection" in kept.body["detail"]
    assert inventory.held() == before

    freed = api.delete(f"/environments/{name}/deletion-protection")
    assert (freed.status, freed.body["deletion_protection"]) == (200, False)
    assert api.delete(f"/environments/{name}").status == 200
