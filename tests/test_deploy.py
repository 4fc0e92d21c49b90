"""`chalice deploy` on an embedded AWS, up to where that fails: importing the REST API.

moto asks for a description of the API, which Chalice does not give and AWS does not need. All
that comes before is looked at here; the API's own definition is held to in `test_package.py`.
"""

import base64
import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.kit import product
from tests.kit.http import request_event
from tests.kit.packaged import chalice, invoke, unpack
from tools.child import REPOSITORY
from tools.embedded_aws import EmbeddedAws, embedded_aws

FUNCTIONS = {
    "trivet-dev": ("api_handler", "app.app", 1024, 30),
    "trivet-dev-drift_run": ("drift_run", "app.drift_run", 1769, 900),
    "trivet-dev-fleet_step": ("fleet_step", "app.fleet_step", 1769, 900),
    "trivet-dev-iam_change": ("iam_change", "app.iam_change", 512, 60),
}
ROLES = ("SageMaker", "StepFunctionsWorkflowExecution", "LambdaTriggerStepFunc")


@dataclass(frozen=True)
class Deployment:
    """An AWS account to which `chalice deploy` has just deployed."""

    aws: EmbeddedAws
    project: Path
    done: "subprocess.CompletedProcess[str]"

    def client(self, service: str) -> Any:
        session: Any = boto3.Session()
        return session.client(
            service,
            endpoint_url=self.aws.endpoint,
            region_name="us-east-1",
            aws_access_key_id="embedded",
            aws_secret_access_key="embedded",
        )

    @property
    def zipped(self) -> Path:
        [zipped] = (self.project / ".chalice" / "deployments").iterdir()
        return zipped


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Iterator[Deployment]:
    # With the package that Chalice has built already, and takes again.
    changed = tmp_path_factory.mktemp("deploying") / "project"
    shutil.copytree(project, changed, symlinks=True)
    with embedded_aws(region="us-east-1") as aws:
        done = chalice(changed, "deploy", "--stage", "dev", environment=aws.environment)
        yield Deployment(aws, changed, done)


@pytest.mark.slow
def test_deployment_is_as_configured(deployed: Deployment) -> None:
    """It gets as far as the emulator does, with everything before that in place."""
    assert "Creating Rest API" in deployed.done.stdout
    assert "ImportRestApi" in deployed.done.stderr
    check_functions(deployed)
    check_triggers(deployed)
    check_invocations(deployed)


def check_functions(deployed: Deployment) -> None:
    functions, iam = deployed.client("lambda"), deployed.client("iam")
    listed = functions.list_functions()["Functions"]
    assert {each["FunctionName"] for each in listed} == set(FUNCTIONS)
    code = base64.b64encode(hashlib.sha256(deployed.zipped.read_bytes()).digest()).decode()
    for each in listed:
        key, handler, memory, timeout = FUNCTIONS[each["FunctionName"]]
        assert (each["Handler"], each["MemorySize"], each["Timeout"]) == (handler, memory, timeout)
        assert each["CodeSha256"] == code
        assert each["Environment"]["Variables"] == {
            "TRIVET_STAGE": "dev",
            "TRIVET_DRIFT_SCHEDULE": "rate(1 hour)",
        }
        assert each["TracingConfig"] == {"Mode": "Active"}
        tags = functions.list_tags(Resource=each["FunctionArn"])["Tags"]
        assert tags["application"] == "trivet"
        role = f"trivet-dev-{key}"
        assert each["Role"] == f"arn:aws:iam::123456789012:role/{role}"
        assert iam.list_role_policies(RoleName=role)["PolicyNames"] == [role]
        assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
        policy = iam.get_role_policy(RoleName=role, PolicyName=role)["PolicyDocument"]
        checked_in = REPOSITORY / ".chalice" / f"policy-dev-{key}.json"
        assert policy == json.loads(checked_in.read_text())
    concurrency = functions.get_function_concurrency(FunctionName="trivet-dev-iam_change")
    assert concurrency["ReservedConcurrentExecutions"] == 2


def check_triggers(deployed: Deployment) -> None:
    """Schedule and event rule exist, are on, point at their functions, and may call them."""
    client, functions = deployed.client("events"), deployed.client("lambda")
    rules = {each["Name"]: each for each in client.list_rules()["Rules"]}
    for name, rule in rules.items():
        function = name.removesuffix("-event")
        assert rule["State"] == "ENABLED"
        [target] = client.list_targets_by_rule(Rule=name)["Targets"]
        arn = functions.get_function_configuration(FunctionName=function)["FunctionArn"]
        assert target["Arn"] == arn
        [allowed] = json.loads(functions.get_policy(FunctionName=function)["Policy"])["Statement"]
        assert allowed["Principal"] == {"Service": "events.amazonaws.com"}
        assert allowed["Condition"]["ArnLike"]["AWS:SourceArn"] == rule["Arn"]
    assert set(rules) == {"trivet-dev-drift_run-event", "trivet-dev-iam_change-event"}
    assert rules["trivet-dev-drift_run-event"]["ScheduleExpression"] == "rate(1 hour)"
    pattern = json.loads(rules["trivet-dev-iam_change-event"]["EventPattern"])
    assert pattern == product.IAM_CHANGES


def check_invocations(deployed: Deployment) -> None:
    """The deployed code, run as Lambda runs it, provisions an environment and repairs it."""
    iam = deployed.client("iam")
    unpacked = deployed.project / "unpacked"
    unpack(deployed.zipped, unpacked)
    body = {"name": "datalake-consumer-dev", "wait": 20}

    caller = "arn:aws:iam::123456789012:user/someone"
    event = request_event("POST", "/environments", body, caller)
    answer = call(deployed, unpacked, "trivet-dev", event)

    assert answer["statusCode"] == 201, answer
    document = json.loads(answer["body"])
    assert document["status"] == "ready"
    assert document["smoke_test"]["status"] == "succeeded"
    assert document["created_by"] == caller
    for suffix in ROLES:
        role = iam.get_role(RoleName=f"datalake-consumer-dev-{suffix}")["Role"]
        assert {"Key": "trivet:environment", "Value": "datalake-consumer-dev"} in role["Tags"]
    assert deployed.client("dynamodb").list_tables()["TableNames"] == ["trivet-dev"]

    drifted = {
        "RoleName": "datalake-consumer-dev-SageMaker",
        "PolicyArn": "arn:aws:iam::aws:policy/AmazonS3FullAccess",
    }
    iam.detach_role_policy(**drifted)
    schedule = {
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:123456789012:rule/trivet-dev-drift_run-event"],
        "detail": {},
    }
    call(deployed, unpacked, "trivet-dev-drift_run", schedule)
    attached = iam.list_attached_role_policies(RoleName=drifted["RoleName"])["AttachedPolicies"]
    assert drifted["PolicyArn"] in [each["PolicyArn"] for each in attached]


def call(deployed: Deployment, unpacked: Path, function: str, event: dict[str, Any]) -> Any:
    """Invoke the code with the handler and the environment that the function was deployed with."""
    configuration = deployed.client("lambda").get_function_configuration(FunctionName=function)
    environment = {
        **deployed.aws.environment,
        **configuration["Environment"]["Variables"],
        "AWS_LAMBDA_FUNCTION_NAME": function,
    }
    return invoke(unpacked, configuration["Handler"], event, environment)
