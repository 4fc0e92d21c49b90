"""The examples of callers, run against the API over the embedded AWS as far as they can be."""

import importlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from tools.child import REPOSITORY
from tools.embedded_aws import embedded_aws
from tools.local_api import local_api
from tools.local_http import send

EXAMPLES = REPOSITORY / "examples"
PREFIX = "arn:aws:iam::123456789012:role/"


@pytest.fixture(scope="module")
def variables() -> Iterator[dict[str, str]]:
    """The variables of a caller: the API's URL and AWS credentials, and the way to trivet."""
    with embedded_aws() as aws, local_api(aws.environment) as (url, _):
        yield {
            **aws.environment,
            "TRIVET_URL": url,
            "AWS_SESSION_TOKEN": "a-session-token",
            "PYTHONPATH": str(REPOSITORY / "cli"),
        }


def run(
    variables: dict[str, str], *command: str, given: str = ""
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, env=variables, input=given, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def generated(
    variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The variables, and the way to a Python client as the example says to generate it."""
    folder = tmp_path_factory.mktemp("generated")
    described = folder / "openapi.json"
    described.write_text(json.dumps(send("GET", f"{variables['TRIVET_URL']}/openapi.json").body))
    (folder / "plain.yaml").write_text("post_hooks: []\n")
    command = "-m openapi_python_client generate --meta none --fail-on-warning"
    paths = f"--path {described} --config {folder}/plain.yaml --output-path {folder}/trivet_client"
    done = run(dict(os.environ), sys.executable, *command.split(), *paths.split())
    assert done.returncode == 0, done.stdout + done.stderr
    return {**variables, "PYTHONPATH": str(folder)}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_shell_provisions(variables: dict[str, str]) -> None:
    script = str(EXAMPLES / "provision.sh")
    done = run(variables, "sh", script, "by-shell", '{"tags": {"team": "datalake"}}')
    assert (done.returncode, done.stdout) == (0, f"{PREFIX}by-shell-SageMaker\n"), done.stderr
    assert shown(variables, "by-shell")["tags"] == {"team": "datalake"}

    refused = run(variables, "sh", script, "by-shell", '{"tags": 1}')
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "invalid-fields" in refused.stderr


@pytest.mark.slow
def test_python_provisions(generated: dict[str, str]) -> None:
    script, variables = str(EXAMPLES / "provision.py"), generated
    done = run(variables, sys.executable, script, "by-python", '{"profile": "scoped"}')
    assert (done.returncode, done.stdout) == (0, f"{PREFIX}by-python-SageMaker\n"), done.stderr
    assert shown(variables, "by-python")["profile"] == "scoped"

    refused = run(variables, sys.executable, script, "by-python", '{"profile": "none-such"}')
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "Traceback" not in refused.stderr
    assert "profile" in refused.stderr


@pytest.mark.slow
def test_a_generated_client_lives_through_an_environments_life(
    generated: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(generated["PYTHONPATH"])
    models = importlib.import_module("trivet_client.models")
    client = importlib.import_module("trivet_client").Client(generated["TRIVET_URL"], timeout=60)

    def ask(operation: str, *path: str, kind: str = "Environment", **given: Any) -> Any:
        """Call an operation, whose answer must be of this kind, whole and without a field more."""
        group = "drift_runs" if "drift_run" in operation else "environments"
        module = importlib.import_module(f"trivet_client.api.{group}.{operation}")
        answered = module.sync_detailed(*path, client=client, **given)
        assert isinstance(answered.parsed, getattr(models, kind)), answered
        assert not answered.parsed.additional_properties
        assert _without_times(answered.parsed.to_dict()) == _without_times(
            json.loads(answered.content)
        )
        return answered.parsed

    name = "by-generated"
    wanted = models.Provision(name=name, deletion_protection=True)
    made = ask("provision_environment", body=wanted)
    assert made.status is models.EnvironmentStatus.READY
    assert made.smoke_test.status is models.SmokeTestStatus.SUCCEEDED
    assert made.roles["notebook"].arn == f"{PREFIX}{name}-SageMaker"
    assert ask("get_environment", name).created_at == made.created_at
    assert ask("list_environments", kind="EnvironmentPage", status=made.status).environments

    _delete_policy(generated, name)
    found = ask("get_environment_drift", name, kind="Drift")
    assert [change.kind for change in found.changes] == [models.ChangeKind.PUT_INLINE_POLICY]
    until = datetime.now(UTC) + timedelta(hours=1)
    ask("pause_environment", name, body=models.PauseUntil(until=until, reason="a test"))
    run = ask("start_drift_run", kind="DriftRun", body=models.RunDrift(environments=[name]))
    assert [each.outcome for each in run.environments] == [models.Outcome.PAUSED]
    assert ask("get_drift_run", run.id, kind="DriftRun").started_at == run.started_at
    assert run.id in [each.id for each in ask("list_drift_runs", kind="DriftRunPage").drift_runs]
    assert ask("resume_environment", name).paused_until is None
    assert ask("reapply_environment", name, body=models.Reapply()).changes
    assert ask("run_smoke_test", name).smoke_test.status is models.SmokeTestStatus.SUCCEEDED

    refused = ask("delete_environment", name, kind="Problem")
    assert refused.type_ is models.ProblemType.URNTRIVETPROBLEMCONFLICT
    assert not ask("unprotect_environment", name).deletion_protection
    assert len(ask("delete_environment", name, kind="Deleted").deleted) == 6
    story = ask("get_environment_history", name, kind="HistoryPage", limit=10).entries
    assert [each.operation.value for each in reversed(story)] == [
        *("create", "pause", "resume", "reapply", "smoke_test", "unprotect", "delete"),
    ]


def _without_times(document: Any) -> Any:
    """Return a document without its times, which one and the same can be written in many ways."""
    if isinstance(document, dict):
        times = ("_at", "at", "until", "_time")
        kept = {key: each for key, each in document.items() if not key.endswith(times)}
        return {key: _without_times(each) for key, each in kept.items()}
    return [_without_times(each) for each in document] if isinstance(document, list) else document


def _delete_policy(variables: Mapping[str, str], name: str) -> None:
    """Do as somebody who takes from the notebook role what it may pass."""
    iam = boto3.client("iam", endpoint_url=variables["AWS_ENDPOINT_URL"])
    iam.delete_role_policy(RoleName=f"{name}-SageMaker", PolicyName="PassWorkflowExecutionRole")


@pytest.mark.slow
def test_the_workflow_plans_and_applies_a_repository(
    variables: dict[str, str], tmp_path: Path
) -> None:
    workflow = yaml.safe_load((EXAMPLES / "github-actions.yml").read_text())
    assert workflow["permissions"]["id-token"] == "write"
    steps = [each["run"] for each in workflow["jobs"]["environments"]["steps"] if "run" in each]
    plan, apply = (each for each in steps if each.startswith("trivet "))
    (tmp_path / "environments").mkdir()
    declared = "name: by-workflow\ntags: {team: datalake}\n"
    (tmp_path / "environments" / "one.yaml").write_text(declared)
    main = shlex.join([sys.executable, "-c", "from trivet.main import main; main()"])
    trivet = f'trivet() {{ {main} "$@"; }}\n'

    def step(command: str) -> "subprocess.CompletedProcess[str]":
        script = f"set -e\n{trivet}{command}"
        return subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )

    planned = step(plan)
    assert planned.returncode == 0, planned.stderr
    assert "by-workflow" in planned.stdout
    assert answer(variables, "by-workflow").status == 404
    applied = step(apply)
    assert applied.returncode == 0, applied.stderr
    assert shown(variables, "by-workflow")["status"] == "ready"


def test_terraforms_data_source_has_the_arns(variables: dict[str, str]) -> None:
    program = str(EXAMPLES / "terraform" / "environment.py")
    query = {"name": "by-terraform", "declaration": json.dumps({"profile": "scoped"})}
    done = run(variables, sys.executable, program, given=json.dumps(query))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "notebook": f"{PREFIX}by-terraform-SageMaker",
        "workflow_execution": f"{PREFIX}by-terraform-StepFunctionsWorkflowExecution",
        "lambda_trigger": f"{PREFIX}by-terraform-LambdaTriggerStepFunc",
    }


@pytest.mark.skipif(shutil.which("terraform") is None, reason="needs terraform")
def test_terraform_reads_the_recipe() -> None:
    done = run(dict(os.environ), "terraform", "fmt", "-check", str(EXAMPLES / "terraform"))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_backstage_sends_what_the_api_takes(variables: dict[str, str]) -> None:
    template = yaml.safe_load((EXAMPLES / "backstage" / "template.yaml").read_text())
    [step] = template["spec"]["steps"]
    proxied = yaml.safe_load((EXAMPLES / "backstage" / "app-config.yaml").read_text())
    [(endpoint, proxy)] = proxied["proxy"]["endpoints"].items()
    text = json.dumps(step["input"])
    for name, value in {"name": "by-backstage", "team": "datalake"}.items():
        text = text.replace(f"${{{{ parameters.{name} }}}}", value)
    asked = json.loads(text)
    assert asked["method"] in proxy["allowedMethods"]
    path = asked["path"].removeprefix(f"/proxy{endpoint}")
    answered = send(asked["method"], variables["TRIVET_URL"] + path, asked["body"])
    assert (answered.status, answered.body["tags"]) == (201, {"team": "datalake"})
    assert answered.body["roles"]["notebook"]["arn"] == f"{PREFIX}by-backstage-SageMaker"


def answer(variables: dict[str, str], name: str) -> Any:
    return send("GET", f"{variables['TRIVET_URL']}/environments/{name}")


def shown(variables: dict[str, str], name: str) -> Any:
    return answer(variables, name).body
