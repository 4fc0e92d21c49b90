"""The Lambda package: what it holds, that it runs by itself, and the templates around it."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session
from chalice.awsclient import TypedAWSClient
from chalice.config import Config
from chalice.deploy.packager import DependencyBuilder, LambdaDeploymentPackager
from chalice.package import PackageOptions, TerraformGenerator
from chalice.utils import UI, OSUtils

from tests.kit.http import request_event
from tests.kit.packaged import STAGES, copy_project, invoke, package, unpack
from tests.kit.product import ENDPOINTS
from tools import check_package
from tools.child import REPOSITORY
from tools.embedded_aws import embedded_aws
from tools.make_policies import generated

FUNCTIONS = {
    "APIHandler": "app.app",
    "DriftRun": "app.drift_run",
    "FleetStep": "app.fleet_step",
    "IamChange": "app.iam_change",
}


def sam(project: Path, stage: str) -> dict[str, Any]:
    template: dict[str, Any] = json.loads((project / stage / "sam.json").read_text())
    return template


@pytest.mark.parametrize("stage", STAGES)
def test_package_holds_what_it_must_and_nothing_else(project: Path, stage: str) -> None:
    assert check_package.found_in(project / stage / "deployment.zip", project) == []


def test_package_is_small(project: Path) -> None:
    assert (project / "dev" / "deployment.zip").stat().st_size < 5_000_000


def test_package_answers_by_itself(project: Path, tmp_path: Path) -> None:
    unpack(project / "dev" / "deployment.zip", tmp_path)

    with embedded_aws() as aws:
        answer = invoke(tmp_path, "app.app", request_event("GET", "/health"), aws.environment)

    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["status"] == "ok"


def test_what_chalice_writes_for_terraform_is_still_for_terraforms_of_the_past() -> None:
    """Why docs/deploying.md says that Terraform is not supported. If this fails, look again."""
    config = Config(config_from_disk={"app_name": "trivet"})

    written = TerraformGenerator(config, PackageOptions(TypedAWSClient(Session()))).generate([])[
        "terraform"
    ]

    assert written["required_version"].endswith("< 1.4.0")
    assert written["required_providers"]["aws"]["version"].endswith("< 5")


@pytest.mark.slow
def test_template_passes_cfn_lint(project: Path) -> None:
    """The one of `prod`; that of `dev` does in `make package-check`, and below with changes."""
    assert linted(project / "prod" / "sam.json") == (0, "")


def linted(template: Path) -> tuple[int, str]:
    lint = Path(sys.executable).parent / "cfn-lint"
    done = subprocess.run([lint, template], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("stage", STAGES)
def test_template_has_the_functions_as_configured(project: Path, stage: str) -> None:
    resources = sam(project, stage)["Resources"]
    functions = {
        name: each["Properties"]
        for name, each in resources.items()
        if each["Type"] == "AWS::Serverless::Function"
    }

    assert {name: each["Handler"] for name, each in functions.items()} == FUNCTIONS
    for each in functions.values():
        assert each["Environment"]["Variables"]["TRIVET_STAGE"] == stage
        assert "TRIVET_TABLE" not in each["Environment"]["Variables"]
        assert each["Tracing"] == "Active"
        role = resources[each["Role"]["Fn::GetAtt"][0]]["Properties"]
        [policy] = role["Policies"]
        function = {"app.app": "api_handler"}.get(each["Handler"], each["Handler"][4:])
        expected = REPOSITORY / ".chalice" / f"policy-{stage}-{function}.json"
        assert policy["PolicyDocument"] == json.loads(expected.read_text())
        assert "ManagedPolicyArns" not in role
    timeouts = {name: each["Timeout"] for name, each in functions.items()}
    assert timeouts == {"APIHandler": 30, "DriftRun": 900, "FleetStep": 900, "IamChange": 60}
    # The events of a storm wait for their turn.
    assert functions["IamChange"]["ReservedConcurrentExecutions"] == 2
    [schedule] = functions["DriftRun"]["Events"].values()
    assert schedule["Properties"]["Schedule"] == "rate(1 hour)"
    [rule] = functions["IamChange"]["Events"].values()
    assert rule["Properties"]["Pattern"]["source"] == ["aws.iam"]


@pytest.mark.parametrize("stage", STAGES)
def test_every_route_asks_for_a_signature(project: Path, stage: str) -> None:
    api = sam(project, stage)["Resources"]["RestAPI"]["Properties"]
    swagger = api["DefinitionBody"]
    routes = {
        (method.upper(), path): route
        for path, methods in swagger["paths"].items()
        for method, route in methods.items()
    }

    assert set(routes) == {(each.method, each.path) for each in ENDPOINTS}
    assert all(route["security"] == [{"sigv4": []}] for route in routes.values())
    signature = swagger["securityDefinitions"]["sigv4"]
    assert signature["x-amazon-apigateway-authtype"] == "awsSigv4"
    assert (api["EndpointConfiguration"], api["StageName"]) == ("REGIONAL", stage)


@pytest.mark.parametrize("stage", STAGES)
def test_functions_are_named_as_chalice_deploy_names_them(project: Path, stage: str) -> None:
    """The stack's name stands for `trivet-<stage>`; the real transform keeps the names."""
    resources = sam(project, stage)["Resources"]
    named = {
        resources[logical]["Properties"]["FunctionName"]["Fn::Sub"]
        for logical in ("APIHandler", "DriftRun", "FleetStep", "IamChange")
    }
    roles = {
        each["Properties"]["RoleName"]["Fn::Sub"]
        for each in resources.values()
        if each["Type"] == "AWS::IAM::Role"
    }
    [schedule] = resources["DriftRun"]["Properties"]["Events"].values()
    [rule] = resources["IamChange"]["Properties"]["Events"].values()
    app = "${AWS::StackName}"

    others = ("drift_run", "fleet_step", "iam_change")
    assert named == {app, *(f"{app}-{key}" for key in others)}
    assert roles == {f"{app}-{key}" for key in ("api_handler", *others)}
    assert schedule["Properties"]["Name"] == {"Fn::Sub": f"{app}-drift_run-event"}
    assert rule["Properties"]["RuleName"] == {"Fn::Sub": f"{app}-iam_change-event"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [0, *(pytest.param(each, marks=pytest.mark.soak) for each in (1, 2))]
)
def test_configuration_packages(project: Path, tmp_path: Path, number: int) -> None:
    """Each block of docs/private-api.md, put into a stage, and another schedule."""
    text = (REPOSITORY / "docs" / "private-api.md").read_text()
    blocks = re.findall(r"^```json config \w+\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 3
    changed = tmp_path / "project"
    shutil.copytree(project, changed, symlinks=True)
    config = changed / ".chalice" / "config.json"
    stages = json.loads(config.read_text().replace("rate(1 hour)", "rate(10 minutes)"))
    stages["stages"]["dev"] |= json.loads(blocks[number])
    config.write_text(json.dumps(stages))

    template = package(changed, "out", "--stage", "dev") / "sam.json"

    [schedule] = json.loads(template.read_text())["Resources"]["DriftRun"]["Properties"][
        "Events"
    ].values()
    assert schedule["Properties"]["Schedule"] == "rate(10 minutes)"
    assert linted(template) == (0, "")


@pytest.mark.slow
def test_no_stale_package_is_served_after_a_renaming(tmp_path: Path) -> None:
    """Chalice's cache knows files by their contents; `policies/files.txt` puts the names there."""
    project = tmp_path / "project"
    copy_project(project)
    packager = LambdaDeploymentPackager(OSUtils(), DependencyBuilder(OSUtils()), UI())

    def name_in_cache() -> str:
        for path, content in generated(project).items():
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            (project / path).write_text(content)
        return str(packager.deployment_package_filename(str(project), "python3.11"))

    profile = project / "policies" / "standard"
    glue = profile / "glue"
    shutil.copytree(profile / "lambda_trigger", glue)
    role = json.loads((glue / "role.json").read_text())
    role |= {"name": "${environment}-Glue", "customer_managed_policies": []}
    (glue / "role.json").write_text(json.dumps(role))
    _name_role(profile, "glue")
    before = name_in_cache()
    assert name_in_cache() == before
    glue.rename(profile / "etl")
    _name_role(profile, "etl")

    assert name_in_cache() != before


def _name_role(profile: Path, key: str) -> None:
    """Have the profile name a fourth role."""
    file = profile / "profile.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | {"roles": [*content["roles"][:3], key]}))


def test_package_that_is_stale_is_found_out(project: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(project, checkout, symlinks=True)
    trust = checkout / "policies" / "standard" / "notebook" / "trust.json"
    trust.write_text(trust.read_text().replace("sagemaker", "glue"))
    (checkout / "chalicelib" / "added.py").touch()

    assert check_package.found_in(project / "dev" / "deployment.zip", checkout) == [
        "chalicelib/added.py is missing",
        "policies/standard/notebook/trust.json is not as in the checkout",
    ]


def test_stages_share_one_package(project: Path) -> None:
    dev, prod = (project / stage / "deployment.zip" for stage in STAGES)

    assert dev.read_bytes() == prod.read_bytes()
