"""The doctor finds each planted fault, one at a time, and nothing on a sound deployment."""

import json
from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner

from tests.operations.sound import (
    ACCOUNT,
    STAGE,
    Answers,
    client,
    create_function,
    deploy,
    deployment,
)
from tests.operations.standing import Standing, session, standing
from trivet import aws
from trivet.doctor import command
from trivet.doctor.checking import CHECKS, Finding
from trivet.doctor.deployment import packaged
from trivet.doctor.examination import findings

BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/{packaged()['boundary_name']}"
ROLE = f"trivet-{STAGE}-drift_run"
FUNCTION = f"trivet-{STAGE}-drift_run"
TABLE = f"trivet-{STAGE}"
ALARM = f"trivet-{STAGE}-failed-repairs"


@pytest.fixture(scope="module")
def deployed() -> Iterator[Standing]:
    with standing(deploy) as made:
        yield made


@pytest.fixture
def sound(deployed: Standing) -> Iterator[Answers]:
    """A sound deployment, which is one again after the test."""
    yield Answers()
    deployed.put_back()


def look(answers: Answers) -> dict[str, Finding]:
    return {each.name: each for each in findings(deployment(answers))}


def test_nothing_is_found_on_a_sound_deployment(sound: Answers) -> None:
    found = look(sound)

    assert {name: each.saw for name, each in found.items() if each.status != "passed"} == {}
    assert len(found) == len(CHECKS) > 20


# --- faults, each with the check that finds it


def policy_of(effect: str, **rest: str) -> str:
    statement = {"Sid": "All", "Effect": effect, "Action": "*", **rest}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def policy_edited() -> None:
    client("iam").put_role_policy(
        RoleName=ROLE, PolicyName=ROLE, PolicyDocument=policy_of("Allow", Resource="*")
    )


def policy_added() -> None:
    client("iam").put_role_policy(
        RoleName=ROLE, PolicyName="more", PolicyDocument=policy_of("Allow", Resource="*")
    )


def policy_attached() -> None:
    client("iam").attach_role_policy(
        RoleName=ROLE, PolicyArn="arn:aws:iam::aws:policy/AmazonS3FullAccess"
    )


def trust_widened() -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    client("iam").update_assume_role_policy(
        RoleName=ROLE,
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def anyone_may_invoke() -> None:
    client("lambda").add_permission(
        FunctionName=f"trivet-{STAGE}",
        StatementId="other",
        Action="lambda:InvokeFunction",
        Principal="210987654321",
    )


def function_gone() -> None:
    client("lambda").delete_function(FunctionName=FUNCTION)


def function_off() -> None:
    client("lambda").put_function_concurrency(FunctionName=FUNCTION, ReservedConcurrentExecutions=0)


def function_of_another_release() -> None:
    functions = client("lambda")
    functions.delete_function(FunctionName=FUNCTION)
    create_function(functions, FUNCTION, f"arn:aws:iam::{ACCOUNT}:role/{ROLE}", "other")


def other_python() -> None:
    client("lambda").update_function_configuration(FunctionName=FUNCTION, Runtime="python3.13")


def other_stage() -> None:
    client("lambda").update_function_configuration(
        FunctionName=FUNCTION, Environment={"Variables": {"TRIVET_STAGE": "prod"}}
    )


def schedule_off() -> None:
    client("events").disable_rule(Name=f"trivet-{STAGE}-drift_run-event")


def schedule_slow() -> None:
    client("events").put_rule(
        Name=f"trivet-{STAGE}-drift_run-event", ScheduleExpression="rate(7 days)"
    )


def rule_gone() -> None:
    events, rule = client("events"), f"trivet-{STAGE}-iam_change-event"
    events.remove_targets(Rule=rule, Ids=["1"])
    events.delete_rule(Name=rule)


def rule_points_elsewhere() -> None:
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:other"
    client("events").put_targets(
        Rule=f"trivet-{STAGE}-iam_change-event", Targets=[{"Id": "1", "Arn": arn}]
    )


def rule_narrowed() -> None:
    client("events").put_rule(
        Name=f"trivet-{STAGE}-iam_change-event", EventPattern='{"source": ["aws.s3"]}'
    )


def trail_stopped() -> None:
    client("cloudtrail").stop_logging(Name="all")


def table_unprotected() -> None:
    client("dynamodb").update_table(TableName=TABLE, DeletionProtectionEnabled=False)


def table_unrecoverable() -> None:
    client("dynamodb").update_continuous_backups(
        TableName=TABLE, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )


def boundary_gone() -> None:
    client("iam").delete_policy(PolicyArn=BOUNDARY)


def boundary_old() -> None:
    client("iam").create_policy_version(
        PolicyArn=BOUNDARY, PolicyDocument=policy_of("Deny", Resource="*"), SetAsDefault=True
    )


def managed_policy_withdrawn() -> None:
    # Moto cannot withdraw one: the release names one that is gone, as AWSLambdaFullAccess is.
    packaged()["aws_managed_policies"].append("AWSLambdaFullAccess")


def quota_low() -> None:
    packaged()["per_environment"]["Roles"] = 400


def alarm_missing() -> None:
    client("cloudwatch").delete_alarms(AlarmNames=[ALARM])


def alarm_mute() -> None:
    client("cloudwatch").disable_alarm_actions(AlarmNames=[ALARM])


def alarm_on() -> None:
    client("cloudwatch").set_alarm_state(AlarmName=ALARM, StateValue="ALARM", StateReason="a test")


def destination_gone() -> None:
    client("lambda").delete_function_event_invoke_config(FunctionName=FUNCTION)


def event_failed() -> None:
    queues = client("sqs")
    url = queues.get_queue_url(QueueName=f"trivet-{STAGE}-drift_run-failed")["QueueUrl"]
    queues.send_message(QueueUrl=url, MessageBody="{}")


def queue_gone() -> None:
    queues = client("sqs")
    url = queues.get_queue_url(QueueName=f"trivet-{STAGE}-drift_run-failed")["QueueUrl"]
    queues.delete_queue(QueueUrl=url)


def logs_for_ever() -> None:
    client("logs").delete_retention_policy(logGroupName=f"/aws/lambda/{FUNCTION}")


def fleet_gone() -> None:
    arn = f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:trivet-{STAGE}-fleet"
    client("stepfunctions").delete_state_machine(stateMachineArn=arn)


def access_log_off() -> None:
    api = client("apigateway")
    [api_id] = [each["id"] for each in api.get_rest_apis()["items"]]
    api.delete_stage(restApiId=api_id, stageName=STAGE)
    api.create_deployment(restApiId=api_id, stageName=STAGE)


FAULTS: list[tuple[Callable[[], None], str]] = [
    (policy_edited, "functions' permissions are the packaged ones"),
    (policy_added, "functions' permissions are the packaged ones"),
    (policy_attached, "functions' permissions are the packaged ones"),
    (trust_widened, "only Lambda may assume the functions' roles"),
    (anyone_may_invoke, "only the API and the rules may invoke"),
    (function_gone, "functions are there"),
    (function_off, "functions can run"),
    (function_of_another_release, "functions are of one release"),
    (other_python, "functions run on the right Python"),
    (other_stage, "functions belong to the stage"),
    (schedule_off, "the schedule is on"),
    (schedule_slow, "the schedule is on"),
    (rule_gone, "IAM's events are listened to"),
    (rule_points_elsewhere, "IAM's events are listened to"),
    (rule_narrowed, "IAM's events are listened to"),
    (trail_stopped, "a trail records management events"),
    (table_unprotected, "the table is protected"),
    (table_unrecoverable, "the table is recoverable"),
    (boundary_gone, "the boundary is present"),
    (boundary_old, "the boundary is current"),
    (managed_policy_withdrawn, "AWS managed policies are there"),
    (quota_low, "there is room in IAM's quotas"),
    (alarm_missing, "alarms are there"),
    (alarm_mute, "alarms tell somebody"),
    (alarm_on, "no alarm is on"),
    (destination_gone, "failed events are kept"),
    (event_failed, "no failed event waits"),
    (queue_gone, "no failed event waits"),
    (logs_for_ever, "logs end some time"),
    (fleet_gone, "the fleet's state machine is there"),
    (access_log_off, "the API logs and throttles"),
]


@pytest.fixture
def _fresh_release() -> Iterator[None]:
    """Read what was released anew: a test may change it."""
    packaged.cache_clear()
    yield
    packaged.cache_clear()


# What goes with a fault that two checks see.
_BESIDES = {
    function_gone: {"failed events are kept"},
    function_of_another_release: {"failed events are kept"},
}


@pytest.mark.usefixtures("_fresh_release")
@pytest.mark.parametrize(("plant", "check"), FAULTS, ids=[each.__name__ for each, _ in FAULTS])
def test_each_fault_is_found(plant: Callable[[], None], check: str, sound: Answers) -> None:
    plant()

    found = look(sound)

    failed = {name for name, each in found.items() if each.status == "failed"}
    assert failed - _BESIDES.get(plant, set()) == {check}
    assert found[check].do


def test_other_version_is_found(sound: Answers) -> None:
    sound.version = "0.9.0"

    assert look(sound)["versions are equal"].status == "failed"


def test_unreachable_member_is_found(sound: Answers) -> None:
    sound.accounts[1] |= {"status": "unreachable", "detail": "TrivetMember is missing"}

    finding = look(sound)["member accounts are reached"]

    assert finding.status == "failed"
    assert "TrivetMember is missing" in finding.saw


@pytest.fixture
def ask(sound: Answers, monkeypatch: pytest.MonkeyPatch) -> Answers:
    monkeypatch.setattr(command, "_asker", lambda stage: sound)
    monkeypatch.setattr(aws, "session", session)
    return sound


def test_command_ends_with_0_on_a_sound_deployment(ask: Answers) -> None:
    done = CliRunner().invoke(command.doctor, ["--stage", STAGE, "-o", "json"])

    checks = json.loads(done.stdout)["checks"]
    assert done.exit_code == 0
    assert {each["status"] for each in checks} == {"passed"}
    assert all(each["why"] for each in checks)


def test_command_ends_with_1_and_says_what_to_do(ask: Answers) -> None:
    schedule_off()

    done = CliRunner().invoke(command.doctor, ["--stage", STAGE])

    assert done.exit_code == 1
    assert f"aws events enable-rule --name trivet-{STAGE}-drift_run-event" in done.output
    assert f"{len(CHECKS) - 1} passed, 1 failed, 0 skipped" in done.output
