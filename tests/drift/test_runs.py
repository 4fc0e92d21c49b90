"""What a drift run says and does: its report, what it leaves alone, and what cannot be repaired."""

import json
from collections import Counter
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from moto.iam.models import iam_backends

from tests.kit.account import client
from tests.kit.drifts import Target, named
from tests.kit.faults import KillAt, Killed
from tests.kit.inventory import resources
from tests.kit.names import ACCOUNT, NAME, OPEN, OPEN_TRUST
from tests.kit.wire import Call, Deliver, refusing
from tests.kit.world import World

from .support import drift, latest, only, provision, requested_run, scheduled_run, writes

S3 = "arn:aws:iam::aws:policy/AmazonS3FullAccess"


@pytest.mark.parametrize(
    ("body", "status", "fields"),
    [
        ({"apply": "yes"}, 422, ["apply"]),
        ({"apply": None, "names": []}, 422, ["apply", "names"]),
        ([], 400, None),
        ("apply", 400, None),
    ],
)
def test_a_body_that_is_wrong_is_refused_before_any_call(
    world: World, body: Any, status: int, fields: list[str] | None
) -> None:
    with world.wire.recording() as made:
        answer = world.request("POST", "/drift-runs", body)
    assert answer.status == status
    if fields:
        assert [each["field"] for each in answer.body["errors"]] == fields
    assert not made


def test_before_the_first_run_there_is_no_report(world: World) -> None:
    assert world.request("GET", "/drift-runs/latest").status == 404
    report = requested_run(world)
    assert (report["checked"], report["environments"]) == (0, [])
    assert latest(world) == report


def test_an_environment_that_is_named_twice_is_checked_once(world: World) -> None:
    provision(world, NAME)
    answer = world.post("/drift-runs", {"environments": [NAME, NAME]})
    assert (answer.status, answer.body["checked"]) == (200, 1)


def test_the_report_says_what_was_done_to_whom(world: World) -> None:
    names = [f"{NAME}-{number}" for number in range(4)]
    for name in names:
        provision(world, name)
    declared = resources()
    detached = Target(names[3], "notebook").attached()[0]
    named("managed_policy_detached").on(names[3], "notebook")
    named("trust_opened").on(names[1], "lambda_trigger")

    with world.wire.recording() as made:
        report = requested_run(world, {"apply": True})

    assert latest(world) == report
    assert (report["trigger"], report["applied"]) == ("request", True)
    assert report["started_at"] <= report["finished_at"]
    assert (report["checked"], report["in_sync"], report["drifted"]) == (4, 2, 2)
    assert (report["repaired"], report["failed"], report["not_reached"]) == (2, 0, [])
    role = f"arn:aws:iam::{ACCOUNT}:role/{names[1]}-LambdaTriggerStepFunc"
    assert report["environments"][0] == {
        "account_id": ACCOUNT,
        "name": names[1],
        "outcome": "repaired",
        "changes": [
            {
                "kind": "update_trust_policy",
                "role": "lambda_trigger",
                "resource": role,
                "summary": "may be assumed by * besides",
                "effect": "widened",
                "expected": declared["roles"][role.rsplit("/", 1)[-1]]["trust"],
                "actual": OPEN_TRUST,
            }
        ],
        "error": None,
    }
    assert [each["name"] for each in report["environments"]] == [names[1], names[3]]
    assert resources() == declared
    assert sorted(writes(made)) == sorted(
        [
            f"UpdateAssumeRolePolicy {names[1]}-LambdaTriggerStepFunc",
            f"AttachRolePolicy {names[3]}-SageMaker {detached}",
            f"StartExecution {_machine(names[1])}",
            f"StartExecution {_machine(names[3])}",
        ]
    )


def _machine(name: str) -> str:
    return f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:{name}-smoke-test"


def test_calls_are_counted_as_they_were_sent_retries_included(world: World) -> None:
    provision(world, NAME)
    named("managed_policy_detached").on(NAME, "notebook")
    throttled = [
        refusing("GetAccountAuthorizationDetails", "Throttling", times=1),
        refusing("AttachRolePolicy", "Throttling", times=2),
    ]

    with world.wire.through(*throttled), world.wire.recording() as made:
        counted = requested_run(world)["aws_calls"]

    assert counted["iam:GetAccountAuthorizationDetails"] == 2
    assert counted["iam:AttachRolePolicy"] == 3
    sent = Counter(_counted_as(call) for call in made)
    # The calls that keep the report come after it.
    keeping = {
        f"dynamodb:{action}"
        for action in ("BatchGetItem", "BatchWriteItem", "PutItem", "Query", "UpdateItem")
    }
    assert {name: counted[name] for name in counted if name not in keeping} == {
        name: times for name, times in sent.items() if name not in keeping
    }


def _counted_as(call: Call) -> str:
    services = {"IAM": "iam", "SFN": "states", "DynamoDB": "dynamodb", "EventBridge": "events"}
    return f"{services.get(call.service, call.service.lower())}:{call.action}"


@pytest.mark.parametrize("code", ["AccessDenied", "Throttling", "ServiceFailure"])
def test_one_failing_environment_does_not_stop_the_others(world: World, code: str) -> None:
    names = [f"{NAME}-{number}" for number in range(3)]
    for name in names:
        provision(world, name)
    declared = resources()
    for name in names:
        named("managed_policy_detached").on(name, "notebook")

    def theirs(call: Call) -> bool:
        return call.action == "AttachRolePolicy" and names[1] in call.parameters["RoleName"]

    message = "User: x is not authorized to perform: iam:{action} on resource: y"
    with world.wire.through(refusing(theirs, code, message)):
        report = requested_run(world)

    assert (report["drifted"], report["repaired"], report["failed"]) == (3, 2, 1)
    failed = next(each for each in report["environments"] if each["outcome"] == "failed")
    assert failed["name"] == names[1]
    assert [change["kind"] for change in failed["changes"]] == ["attach_managed_policy"]
    assert f"{names[1]}-SageMaker" in failed["error"]
    if code == "AccessDenied":
        assert "iam:AttachRolePolicy" in failed["error"]
    assert only(requested_run(world))["name"] == names[1]
    assert resources() == declared


def test_what_nobody_expected_of_one_environment_does_not_stop_the_others(world: World) -> None:
    for number in range(2):
        provision(world, f"{NAME}-{number}")
        named("tag_added").on(f"{NAME}-{number}", "notebook")

    def broken(call: Call, deliver: Deliver) -> AWSResponse:
        answer = deliver()
        if call.action != "DescribeStateMachine" or f"{NAME}-0" not in str(call.parameters):
            return answer
        body = json.loads(answer.content) | {"definition": "{"}
        return call.answered(body)

    with world.wire.through(broken):
        report = requested_run(world)
    assert [each["outcome"] for each in report["environments"]] == ["failed", "repaired"]
    assert "Unexpected error; the log of operation" in report["environments"][0]["error"]


def test_a_role_made_anew_by_someone_else_is_a_conflict_and_left_alone(
    world: World, iam: Any
) -> None:
    provision(world, NAME)
    role = Target(NAME, "lambda_trigger").role
    named("role_deleted").on(NAME, "lambda_trigger")
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(OPEN_TRUST))
    named("tag_added").on(NAME, "notebook")
    provision(world, f"{NAME}-other")
    named("tag_added").on(f"{NAME}-other", "notebook")
    before = resources()

    with world.wire.recording() as made:
        report = requested_run(world)

    theirs, other = report["environments"]
    assert (theirs["name"], theirs["outcome"]) == (NAME, "failed")
    assert f"role/{role}" in theirs["error"]
    assert other["outcome"] == "repaired"
    assert all(f"{NAME}-other" in write for write in writes(made))
    after = resources()
    assert {name: after["roles"][name] for name in after["roles"] if "other" not in name} == {
        name: before["roles"][name] for name in before["roles"] if "other" not in name
    }


def test_a_policy_made_anew_by_someone_else_is_a_conflict_and_left_alone(
    world: World, iam: Any
) -> None:
    provision(world, NAME)
    policy = Target(NAME, "lambda_trigger").policy
    named("policy_deleted").on(NAME, "lambda_trigger")
    iam.create_policy(PolicyName=policy.rsplit("/", 1)[-1], PolicyDocument=json.dumps(OPEN))
    before = resources()

    for apply in (False, True):
        finding = only(requested_run(world, {"apply": apply}))
        assert finding["outcome"] == "failed"
        assert policy in finding["error"]
    assert resources() == before


def test_a_policy_whose_id_went_unrecorded_is_ours_by_its_tags(world: World) -> None:
    provision(world, f"{NAME}-whole")
    policy = f"{NAME}-LambdaTriggerStepFuncRole"
    with pytest.raises(Killed), world.wire.through(KillAt((f"CreatePolicy {policy}", 1), True)):
        world.ask_for()
    world.clock.sleep(60)

    finding = only(requested_run(world))

    assert (finding["name"], finding["outcome"]) == (NAME, "repaired")
    assert drift(world, NAME)["in_sync"]
    with world.wire.recording() as made:
        assert requested_run(world)["in_sync"] == 2
    assert not [call for call in made if call.action == "GetPolicy"]


@pytest.mark.parametrize("default", ["v2", "v3"])
def test_a_policy_with_five_versions_loses_the_oldest_that_is_not_default(
    world: World, iam: Any, default: str
) -> None:
    provision(world, NAME)
    declared = resources()
    arn = Target(NAME, "lambda_trigger").policy
    for _ in range(4):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(OPEN))
    iam.set_default_policy_version(PolicyArn=arn, VersionId=default)
    if default == "v2":
        # The default is now the oldest of all.
        iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(OPEN))

    assert only(requested_run(world))["outcome"] == "repaired"

    versions = [each["VersionId"] for each in _versions(iam, arn)]
    kept = ["v2", "v4", "v5", "v6", "v7"] if default == "v2" else ["v2", "v3", "v4", "v5", "v6"]
    assert sorted(versions) == kept
    assert resources() == declared


def _versions(iam: Any, arn: str) -> Any:
    return iam.list_policy_versions(PolicyArn=arn)["Versions"]


def test_an_aws_managed_policy_that_is_no_more_is_reported_as_such(world: World) -> None:
    for number in range(3):
        provision(world, f"{NAME}-{number}")
        for key in ("notebook", "lambda_trigger"):
            role = Target(f"{NAME}-{number}", key).role
            client("iam").detach_role_policy(RoleName=role, PolicyArn=S3)
    del iam_backends[ACCOUNT]["aws"].managed_policies[S3]

    with world.wire.recording() as made:
        planned = requested_run(world, {"apply": False})
    for each in planned["environments"]:
        assert each["outcome"] == "drifted"
        assert f"AWS has no managed policy {S3}" in each["error"]
    assert [call.name for call in made if call.action == "GetPolicy"] == [f"GetPolicy {S3}"]

    done = requested_run(world)
    assert done["failed"] == 3
    for each in done["environments"]:
        assert f"AWS has no managed policy {S3}" in each["error"]


def test_the_smoke_test_of_a_repaired_environment_runs_again(world: World, states: Any) -> None:
    first = provision(world, NAME)["smoke_test"]["execution_arn"]
    named("trust_opened").on(NAME, "workflow_execution")
    requested_run(world)

    again = world.finish(NAME)["smoke_test"]

    assert again["execution_arn"] != first
    assert again["status"] == "succeeded"
    found = states.list_executions(stateMachineArn=again["state_machine_arn"])["executions"]
    assert {each["executionArn"] for each in found} == {first, again["execution_arn"]}


def test_an_unfinished_smoke_test_is_carried_on_unless_nothing_is_to_be_applied(
    world: World, dynamodb: Any
) -> None:
    world.ask_for()
    world.clock.sleep(5)
    assert requested_run(world, {"apply": False})["in_sync"] == 1
    assert _smoke_test(dynamodb) == "running"
    assert scheduled_run(world)["in_sync"] == 1
    assert _smoke_test(dynamodb) == "succeeded"


def _smoke_test(dynamodb: Any) -> str:
    key = {"pk": {"S": "environment"}, "sk": {"S": NAME}}
    item = dynamodb.get_item(TableName="trivet-local", Key=key)["Item"]
    return str(json.loads(item["document"]["S"])["smoke_test"]["status"])


def test_a_state_machine_that_cannot_be_made_yet_is_not_called_repaired(world: World) -> None:
    provision(world, NAME)
    declared = resources()
    named("state_machine_deleted").on(NAME, "workflow_execution")

    def too_early(call: Call) -> bool:
        return call.action == "CreateStateMachine"

    message = "... is not authorized to assume the provided role."
    refused = refusing(too_early, "AccessDeniedException", message)
    with world.wire.through(refused):
        finding = only(requested_run(world))
    assert finding["outcome"] == "drifted"
    assert "state machine cannot be made yet" in finding["error"]
    assert world.request("GET", "/environments").body["environments"][0]["status"] == "incomplete"

    assert only(requested_run(world))["outcome"] == "repaired"
    assert resources() == declared
