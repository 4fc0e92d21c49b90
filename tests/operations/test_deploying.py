"""`make deploy`: what it needs, what it does, and that it does nothing twice."""

import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.kit import product
from tests.kit.account import in_memory
from tests.operations.sound import (
    ACCOUNT,
    FUNCTIONS,
    STAGE,
    Answers,
    checked_in,
    client,
    deployment,
    make_api,
    make_functions,
    make_rules,
)
from tools.child import REPOSITORY
from tools.deploy import __main__ as command
from tools.deploy import boundary, functions, gateway_responses, stack
from tools.deploy.preflight import LAMBDA_PYTHON, NotReadyError, check
from tools.deploy.target import Target
from tools.operations.names import function_name
from trivet.doctor.examination import findings

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


# --- the command, from beginning to end


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What `make deploy` reads of a checkout, and Chalice in it, which makes what it would make."""
    for path in (".chalice", "deploy"):
        shutil.copytree(REPOSITORY / path, tmp_path / path)
    (tmp_path / "policies").mkdir()
    shutil.copy(REPOSITORY / "policies" / "permissions-boundary.json", tmp_path / "policies")

    def chalice(command: list[str], cwd: Path, check: bool) -> None:
        assert command[1:] == ["deploy", "--stage", STAGE]
        state = cwd / ".chalice" / "deployed" / f"{STAGE}.json"
        if not state.exists():
            make_functions()
            make_rules()
            make_api()
            state.parent.mkdir()
            state.write_text("{}")

    monkeypatch.setattr(functions, "subprocess", SimpleNamespace(run=chalice))
    monkeypatch.setattr(command, "REPOSITORY", tmp_path)
    return tmp_path


def deploy(capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    assert command.main(["--stage", STAGE, *options]) == 0
    return capsys.readouterr().out.splitlines()


# Moto makes no alarms from templates; test_alarms.py holds those.
@pytest.mark.filterwarnings("ignore:Tried to parse AWS..(CloudWatch..Alarm|Lambda..EventInvoke)")
@pytest.mark.usefixtures("checkout")
def test_stage_is_deployed_once_and_then_as_it_should_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Where executions run, moto keeps state machines apart from those that templates make.
    with in_memory(executions=False):
        planned = deploy(capsys, "--plan")
        check_that_nothing_was_made()
        first = deploy(capsys)
        again = deploy(capsys)

        updated = "; ".join(f"{function_name(key, STAGE)} updated" for key in FUNCTIONS)
        assert all(line.startswith("would: ") for line in planned)
        assert "trivet-dev-iam_change new" in planned[1]
        assert "stack: make trivet-dev-operations" in planned[2]
        assert first[0] == planned[0].removeprefix("would: ") == f"boundary: make {BOUNDARY}"
        assert len(first) > len(command.STEPS)
        assert again == [
            "boundary: as it should be",
            f"functions: chalice deploy --stage dev ({updated})",
            *(f"{step}: as it should be" for step in ("stack", "logs", "refusals", "api")),
        ]
        check_what_was_made()


def check_that_nothing_was_made() -> None:
    assert client("iam").list_policies(Scope="Local")["Policies"] == []
    assert client("cloudformation").list_stacks()["StackSummaries"] == []
    assert client("logs").describe_log_groups()["logGroups"] == []


def check_what_was_made() -> None:
    version = client("iam").get_policy_version(PolicyArn=BOUNDARY, VersionId="v1")
    document = version["PolicyVersion"]["Document"]
    assert document == checked_in("policies/permissions-boundary.json")
    [fleet] = client("stepfunctions").list_state_machines()["stateMachines"]
    assert fleet["name"] == "trivet-dev-fleet"
    [api] = client("apigateway").get_rest_apis()["items"]
    set_on = client("apigateway").get_stage(restApiId=api["id"], stageName=STAGE)
    assert set_on["accessLogSettings"]["destinationArn"].endswith(":trivet-dev-access")
    assert set_on["methodSettings"]["*/*"]["throttlingRateLimit"] == 20
    groups = client("logs").describe_log_groups()["logGroups"]
    assert {each.get("retentionInDays") for each in groups} == {90}
    queues = client("sqs").list_queues()["QueueUrls"]
    assert {each.rsplit("/")[-1] for each in queues} == {
        "trivet-dev-drift_run-failed",
        "trivet-dev-iam_change-failed",
    }
    assert {each.name for each in findings(deployment(Answers())) if each.status != "passed"} == {
        # The account's, and what the first request makes.
        "a trail records management events",
        "the table is protected",
        "the table is recoverable",
        # What moto leaves out of templates.
        "alarms are there",
        "alarms tell somebody",
        "failed events are kept",
    }


@pytest.mark.usefixtures("checkout")
def test_chalice_that_fails_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def chalice(*_: object, **__: object) -> None:
        raise subprocess.CalledProcessError(2, "chalice")

    monkeypatch.setattr(functions, "subprocess", SimpleNamespace(run=chalice))
    with in_memory():
        assert command.main(["--stage", STAGE]) == 1

    assert capsys.readouterr().err == (
        "make deploy: chalice ended with 2; see above.\nThe same call again goes on from here.\n"
    )


def test_functions_without_chalices_state_are_left_alone(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with in_memory():
        make_functions()
        assert command.main(["--stage", STAGE]) == 1

    told = capsys.readouterr().err
    assert f"{checkout}/.chalice/deployed/dev.json does not" in told
    assert "docs/deploying.md" in told


# --- its steps


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
