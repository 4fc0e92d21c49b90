"""`make deploy`: what it needs, what it does, and that it does nothing twice."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.kit import product
from tests.kit.account import in_memory
from tests.operations.sound import ACCOUNT, STAGE, checked_in, client, make_api
from tools.child import REPOSITORY
from tools.deploy import api_stage, boundary, functions, gateway_responses, logs, stack
from tools.deploy.preflight import LAMBDA_PYTHON, NotReadyError, check
from tools.deploy.target import Target

BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/TrivetEnvironmentBoundary"


def test_stage_that_is_not_configured_says_what_to_do() -> None:
    with pytest.raises(NotReadyError, match=r'no stage "qa" \(it has dev, prod\).*make policies'):
        check("qa", REPOSITORY, LAMBDA_PYTHON)


def test_other_python_is_refused() -> None:
    with pytest.raises(NotReadyError, match=r"run on Python 3\.11.*would deploy Python 3\.12"):
        check("dev", REPOSITORY, (3, 12))


def test_stage_without_its_policies_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / ".chalice").mkdir()
    config = (REPOSITORY / ".chalice" / "config.json").read_text()
    (tmp_path / ".chalice" / "config.json").write_text(config)

    with pytest.raises(NotReadyError, match=r"policy-dev-api_handler\.json.*run make policies"):
        check("dev", tmp_path, LAMBDA_PYTHON)


@pytest.mark.parametrize(
    ("schedule", "seconds"),
    [
        ("rate(1 hour)", 7200),
        ("rate(10 minutes)", 1200),
        ("rate(1 day)", 86400),
        ("cron(0 6 * * ? *)", 86400),
    ],
)
def test_silence_that_is_told_follows_from_the_schedule(schedule: str, seconds: int) -> None:
    assert stack.seconds_between_runs(schedule) == seconds


def done(step: Any, target: Target) -> list[str]:
    lines = []
    for action in step(target):
        lines.append(action.line)
        if not target.planning:
            action.do()
    return lines


# Moto makes no alarms from templates; test_stack.py holds those.
@pytest.mark.filterwarnings("ignore:Tried to parse AWS..(CloudWatch..Alarm|Lambda..EventInvoke)")
def test_everything_beside_the_functions_is_made_once() -> None:
    # Where executions run, moto keeps state machines apart from those that templates make.
    with in_memory(executions=False):
        api_id = make_api()
        make_roles()
        target = Target(STAGE, REPOSITORY)
        steps = (boundary.steps, stack.steps, logs.steps, api_stage.steps)

        first = [line for step in steps for line in done(step, target)]
        [fleet] = client("stepfunctions").list_state_machines()["stateMachines"]
        again = [line for step in steps for line in done(step, target)]

        assert first[0] == f"boundary: make {BOUNDARY}"
        assert again == []
        assert fleet["name"] == "trivet-dev-fleet"
        version = client("iam").get_policy_version(PolicyArn=BOUNDARY, VersionId="v1")
        document = version["PolicyVersion"]["Document"]
        assert document == checked_in("policies/permissions-boundary.json")
        set_on = client("apigateway").get_stage(restApiId=api_id, stageName=STAGE)
        assert set_on["accessLogSettings"]["destinationArn"].endswith(":trivet-dev-access")
        assert set_on["methodSettings"]["*/*"]["throttlingRateLimit"] == 20
        groups = client("logs").describe_log_groups()["logGroups"]
        assert {each.get("retentionInDays") for each in groups} == {90}
        queues = client("sqs").list_queues()["QueueUrls"]
        assert {each.rsplit("/")[-1] for each in queues} == {
            "trivet-dev-drift_run-failed",
            "trivet-dev-iam_change-failed",
        }


def make_roles() -> None:
    """Make the functions' roles, to which the stack adds a right."""
    for key in ("drift_run", "iam_change"):
        client("iam").create_role(
            RoleName=f"trivet-{STAGE}-{key}",
            AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}',
        )


def test_plan_changes_nothing() -> None:
    with in_memory():
        target = Target(STAGE, REPOSITORY, planning=True)
        steps = (boundary.steps, functions.steps, stack.steps, logs.steps, api_stage.steps)

        lines = [line for step in steps for line in done(step, target)]

        assert any(line.startswith("stack: make trivet-dev-operations") for line in lines)
        assert any("trivet-dev-iam_change new" in line for line in lines)
        assert client("iam").list_policies(Scope="Local")["Policies"] == []
        assert client("cloudformation").list_stacks()["StackSummaries"] == []
        assert client("logs").describe_log_groups()["logGroups"] == []


def test_what_api_gateway_refuses_is_problem_json() -> None:
    with in_memory():
        api_id, target = make_api(), Target(STAGE, REPOSITORY)
        api = client("apigateway")
        deployments = len(api.get_deployments(restApiId=api_id)["items"])

        first = done(gateway_responses.steps, target)
        again = done(gateway_responses.steps, target)

        assert len(first) == 1
        assert again == []
        assert len(api.get_deployments(restApiId=api_id)["items"]) == deployments + 1
        answer = api.get_gateway_response(
            restApiId=api_id, responseType="MISSING_AUTHENTICATION_TOKEN"
        )
        said = answer["responseTemplates"]["application/json"]
        told = json.loads(said.replace("$context.error.messageString", '"no such route"'))
        assert told["status"] == 403 == int(answer["statusCode"])
        assert told["type"] in product.document()["components"]["schemas"]["ProblemType"]["enum"]


def test_old_boundary_is_replaced_and_its_oldest_version_pruned() -> None:
    with in_memory():
        iam = client("iam")
        old = json.dumps({"Version": "2012-10-17", "Statement": [deny("Old")]})
        iam.create_policy(PolicyName="TrivetEnvironmentBoundary", PolicyDocument=old)
        for _ in range(4):
            iam.create_policy_version(PolicyArn=BOUNDARY, PolicyDocument=old, SetAsDefault=True)

        lines = done(boundary.steps, Target(STAGE, REPOSITORY))

        assert lines[0] == "boundary: delete its oldest version v1, to have room for a new one"
        assert "Old" in lines[1]
        versions = iam.list_policy_versions(PolicyArn=BOUNDARY)["Versions"]
        [current] = [each["VersionId"] for each in versions if each["IsDefaultVersion"]]
        assert {each["VersionId"] for each in versions} == {"v2", "v3", "v4", "v5", "v6"}
        assert current == "v6"


def deny(sid: str) -> dict[str, str]:
    return {"Sid": sid, "Effect": "Deny", "Action": "iam:*", "Resource": "*"}
