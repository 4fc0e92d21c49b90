"""Adding a fourth role is an edit under `policies/`, with no Python."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.kit import inventory, product
from tests.kit.http import Api
from tests.kit.names import ROOT

ROLE = {
    "name": "${environment}-Glue",
    "description": "Glue jobs of ${environment}.",
    "trust_policy": "trust.json",
    "aws_managed_policies": ["AWSGlueConsoleFullAccess"],
    "customer_managed_policies": [
        {"name": "${environment}-GluePolicy", "description": "Of Glue.", "document": "own.json"}
    ],
    "inline_policies": [{"name": "PassItself", "document": "inline.json"}],
}


def statement(action: str, resource: str) -> dict[str, Any]:
    allowed = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [allowed]}


def add_glue(policies: Path) -> None:
    """Add a `glue` role to a copy of the templates."""
    glue = policies / "standard" / "glue"
    glue.mkdir()
    trust = json.loads((ROOT / "policies/standard/notebook/trust.json").read_text())
    trust["Statement"][0]["Principal"]["Service"] = "glue.amazonaws.com"
    for file, content in {
        "role.json": ROLE,
        "trust.json": trust,
        "own.json": statement("s3:GetObject", "arn:${partition}:s3:::${environment}/*"),
        "inline.json": statement("iam:PassRole", "${role_arn.glue}"),
    }.items():
        (glue / file).write_text(json.dumps(content))
    profile = policies / "standard" / "profile.json"
    described = json.loads(profile.read_text())
    profile.write_text(json.dumps({**described, "roles": [*described["roles"], "glue"]}))


@pytest.fixture
def glue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "policies"
    shutil.copytree(ROOT / "policies", folder)
    add_glue(folder)
    monkeypatch.setattr(*product.templates_of(folder))


def test_fourth_role_is_provisioned_compared_repaired_and_deleted(
    api: Api, iam: Any, name: str, glue: None
) -> None:
    document = api.provision(name, tags={"team": "a"})

    arn = f"arn:aws:iam::123456789012:role/{name}-Glue"
    assert list(document["roles"]) == ["notebook", "workflow_execution", "lambda_trigger", "glue"]
    assert document["roles"]["glue"] == {"name": f"{name}-Glue", "arn": arn}
    assert document["smoke_test"]["status"] == "succeeded"
    checks = {each["name"]: each["status"] for each in document["smoke_test"]["checks"]}
    assert checks["glue role's trust policy reads back as declared"] == "passed"
    held = inventory.role(f"{name}-Glue")
    assert held["tags"] == {"trivet:environment": name, "trivet:role": "glue", "team": "a"}
    assert held["inline"]["PassItself"]["Statement"][0]["Resource"] == arn
    assert len(held["attached"]) == 2

    iam.delete_role_policy(RoleName=f"{name}-Glue", PolicyName="PassItself")
    drift = api.get(f"/environments/{name}/drift").body
    report = api.post("/drift-runs").body
    assert [(each["kind"], each["role"]) for each in drift["changes"]] == [
        ("put_inline_policy", "glue")
    ]
    [repaired] = [each for each in report["environments"] if each["name"] == name]
    assert (repaired["outcome"], repaired["changes"]) == ("repaired", drift["changes"])
    assert inventory.role(f"{name}-Glue") == held

    deleted = api.delete(f"/environments/{name}").body["deleted"]
    assert arn in deleted
    assert f"arn:aws:iam::123456789012:policy/{name}-GluePolicy" in deleted
    assert not [role for role in inventory.held()["roles"] if role.startswith(f"{name}-")]


def test_environments_made_before_get_the_fourth_role_too(
    api: Api, name: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    api.provision(name)
    request.getfixturevalue("glue")

    drift = api.get(f"/environments/{name}/drift").body
    repaired = api.post(f"/environments/{name}/reapply").body

    assert {each["role"] for each in drift["changes"]} == {"glue"}
    assert inventory.role(f"{name}-Glue")["tags"]["trivet:role"] == "glue"
    assert repaired["roles"]["glue"]["name"] == f"{name}-Glue"
    assert api.get(f"/environments/{name}/drift").body["in_sync"] is True


def test_role_taken_out_of_the_templates_is_still_deleted_with_its_environment(
    api: Api, name: str, glue: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.provision(name)
    monkeypatch.undo()

    deleted = api.delete(f"/environments/{name}").body["deleted"]

    assert f"arn:aws:iam::123456789012:role/{name}-Glue" in deleted
    assert f"{name}-Glue" not in inventory.held()["roles"]


@pytest.mark.parametrize(("suffix", "longest"), [("-Sage", 33), ("-" + "S" * 40, 23)])
def test_longest_name_follows_from_the_templates(
    api: Api,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
    longest: int,
) -> None:
    folder = tmp_path / "policies"
    shutil.copytree(ROOT / "policies", folder)
    file = folder / "standard" / "notebook" / "role.json"
    file.write_text(file.read_text().replace("${environment}-SageMaker", "${environment}" + suffix))
    monkeypatch.setattr(*product.templates_of(folder))
    product.forget_document()

    fits = api.post("/environments", {"name": "a" * longest, "dry_run": True})
    does_not = api.post("/environments", {"name": "a" * (longest + 1), "dry_run": True})
    document = api.get("/openapi.json").body

    assert (fits.status, does_not.status) == (200, 422)
    assert str(longest) in does_not.body["detail"]
    described = document["components"]["schemas"]["Provision"]["properties"]["name"]
    assert described["maxLength"] == longest
    product.forget_document()
