"""The examples of callers, run against the API over the embedded AWS as far as they can be."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_shell_provisions(variables: dict[str, str]) -> None:
    script = str(EXAMPLES / "provision.sh")
    done = run(variables, "sh", script, "by-shell", '{"tags": {"team": "datalake"}}')
    assert (done.returncode, done.stdout) == (0, f"{PREFIX}by-shell-SageMaker\n"), done.stderr
    assert shown(variables, "by-shell")["tags"] == {"team": "datalake"}

    refused = run(variables, "sh", script, "by-shell", '{"tags": 1}')
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "invalid-fields" in refused.stderr


def test_python_provisions(variables: dict[str, str]) -> None:
    script = str(EXAMPLES / "provision.py")
    done = run(variables, sys.executable, script, "by-python", '{"profile": "scoped"}')
    assert (done.returncode, done.stdout) == (0, f"{PREFIX}by-python-SageMaker\n"), done.stderr
    assert shown(variables, "by-python")["profile"] == "scoped"

    refused = run(variables, sys.executable, script, "by-python", '{"profile": "none-such"}')
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "Traceback" not in refused.stderr
    assert refused.stderr


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
