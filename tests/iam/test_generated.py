"""What `make policies` writes: up to date, and following the templates and the configuration."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tools.child import REPOSITORY
from tools.make_policies import generated
from tools.permissions.names import TemplateError

BOUNDARY = "arn:aws:iam::123456789012:policy/provisioned-roles"
API_POLICY = Path(".chalice/policy-dev-api_handler.json")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the generated files follow from."""
    shutil.copytree(REPOSITORY / "policies", tmp_path / "policies")
    (tmp_path / ".chalice").mkdir()
    shutil.copy(REPOSITORY / ".chalice" / "config.json", tmp_path / ".chalice")
    return tmp_path


def edit(file: Path, change: Callable[[Any], None]) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def statements(checkout: Path, path: Path = API_POLICY) -> dict[str, Any]:
    policy = json.loads(generated(checkout)[path])
    return {each["Sid"]: each for each in policy["Statement"]}


def test_what_is_checked_in_is_up_to_date() -> None:
    stale = [
        str(path)
        for path, content in generated(REPOSITORY).items()
        if not (REPOSITORY / path).exists() or (REPOSITORY / path).read_text() != content
    ]

    assert stale == [], "run make policies"


def test_no_generated_file_is_left_over() -> None:
    policies = {
        path.relative_to(REPOSITORY) for path in (REPOSITORY / ".chalice").glob("policy-*.json")
    }

    assert policies <= set(generated(REPOSITORY))


def test_another_role_and_managed_policy_are_followed(checkout: Path) -> None:
    standard = checkout / "policies" / "standard"
    glue = standard / "glue"
    shutil.copytree(standard / "lambda_trigger", glue)
    edit(standard / "profile.json", lambda profile: profile["roles"].append("glue"))
    edit(
        glue / "role.json",
        lambda role: role.update(
            name="${environment}-Glue",
            aws_managed_policies=["service-role/AWSGlueServiceRole"],
            customer_managed_policies=[],
        ),
    )

    found = statements(checkout)

    role = "arn:*:iam::*:role/*-Glue"
    for sid in (
        *("ReadRoles", "CreateRolesWithTag", "GiveOwnTag", "TagTagged", "ChangeTagged"),
        *("ChangeBoundRoles", "BoundTaggedRoles", "AttachPoliciesOfTheTemplates", "DeleteTagged"),
    ):
        assert role in found[sid]["Resource"], sid
    assert role not in found["PassWorkflowRoleToStepFunctions"]["Resource"]
    attachable = found["AttachPoliciesOfTheTemplates"]["Condition"]["ArnLike"]["iam:PolicyARN"]
    assert "arn:*:iam::aws:policy/service-role/AWSGlueServiceRole" in attachable
    boundary = statements(checkout, Path("policies/permissions-boundary.json"))
    assert any(name.endswith("-Glue") for name in boundary["PassOwnRoles"]["Resource"])
    member = json.loads(generated(checkout)[Path("deploy/member-account.json")])
    assert role in json.dumps(member["Resources"]["Role"])


def test_retired_names_can_be_removed_but_not_made(checkout: Path) -> None:
    (checkout / "policies" / "retired.json").write_text(
        json.dumps({"roles": ["${environment}-Old"], "policies": ["${environment}-OldPolicy"]})
    )

    found = statements(checkout)

    role, policy = "arn:*:iam::*:role/*-Old", "arn:*:iam::*:policy/*-OldPolicy"
    with_role = {sid for sid, each in found.items() if role in each["Resource"]}
    with_policy = {sid for sid, each in found.items() if policy in each["Resource"]}
    tagging = {"GiveOwnTag", "TagTagged", "ChangeTagged", "DeleteTagged"}
    assert with_role == tagging | {"ReadRoles", "BoundTaggedRoles", "ChangeBoundRoles"}
    assert with_policy == tagging | {"ReadPolicies"}
    drift_run = Path(".chalice/policy-dev-drift_run.json")
    assert not any(role in each["Resource"] for each in statements(checkout, drift_run).values())


@pytest.mark.parametrize(
    ("setting", "pattern"),
    [
        (None, "arn:*:iam::*:policy/TrivetEnvironmentBoundary"),
        ("team-boundary", "arn:*:iam::*:policy/team-boundary"),
        (BOUNDARY, BOUNDARY),
        ("none", None),
    ],
)
def test_boundary_is_taken_from_the_configuration(
    checkout: Path, setting: str | None, pattern: str | None
) -> None:
    configure(checkout, "dev", TRIVET_PERMISSIONS_BOUNDARY=setting)

    found = statements(checkout)

    for sid in (
        *("CreateRolesWithTag", "BoundTaggedRoles", "ChangeBoundRoles"),
        "AttachPoliciesOfTheTemplates",
    ):
        conditions = found[sid]["Condition"].get("ArnLike", {})
        assert conditions.get("iam:PermissionsBoundary") == pattern
    assert ("UnboundTaggedRoles" in found) == (pattern is None)
    assert ("CreateTheMissingBoundary" in found) == (setting is None)
    untouched = statements(checkout, Path(".chalice/policy-prod-api_handler.json"))
    assert "TrivetEnvironmentBoundary" in json.dumps(untouched["CreateRolesWithTag"])


def test_member_accounts_follow_the_last_stage(checkout: Path) -> None:
    configure(checkout, "prod", TRIVET_PERMISSIONS_BOUNDARY="team-boundary")

    member = json.loads(generated(checkout)[Path("deploy/member-account.json")])

    assert "policy/team-boundary" in json.dumps(member["Resources"]["Role"])
    assert "Boundary" not in member["Resources"]
    assert "CreateBoundary" not in member["Parameters"]
    assert member["Parameters"]["Stage"]["Default"] == "prod"


def test_table_and_tag_keys_are_taken_from_the_configuration(checkout: Path) -> None:
    configure(checkout, "dev", TRIVET_TABLE="declared", TRIVET_TAG_KEYS="team, cost-*")

    found = statements(checkout)

    assert found["KeepDeclaredState"]["Resource"] == ["arn:*:dynamodb:*:*:table/declared"]
    keys = ["trivet:environment", "trivet:role", "team", "cost-*"]
    for sid in ("CreateRolesWithTag", "GiveOwnTag", "TagTagged", "CreateSmokeTestsWithTag"):
        limits = found[sid]["Condition"]["ForAllValues:StringLike"]
        assert limits == {"aws:TagKeys": keys}
    boundary = statements(checkout, Path("policies/permissions-boundary.json"))
    assert "arn:*:dynamodb:*:*:table/declared" in boundary["HandsOffTrivet"]["Resource"]
    guard = statements(checkout, Path("deploy/service-control-policy.json"))
    assert "arn:*:dynamodb:*:*:table/declared" in guard["WhatTrivetRunsOn"]["Resource"]


def configure(checkout: Path, stage: str, **variables: str | None) -> None:
    def change(config: Any) -> None:
        set_ = {name: value for name, value in variables.items() if value is not None}
        config["stages"][stage]["environment_variables"].update(set_)

    edit(checkout / ".chalice" / "config.json", change)


def test_function_without_a_policy_file_is_named(checkout: Path) -> None:
    edit(
        checkout / ".chalice" / "config.json",
        lambda config: config["stages"]["prod"]["lambda_functions"].pop("drift_run"),
    )

    with pytest.raises(TemplateError, match=r"stage prod: lambda_functions\.drift_run"):
        generated(checkout)


def test_policy_that_iam_would_not_take_is_refused(checkout: Path) -> None:
    configure(checkout, "dev", TRIVET_TABLE="t" * 10_240)

    with pytest.raises(TemplateError, match=r"policy-dev-api_handler\.json would have 2\d{4}"):
        generated(checkout)


def test_no_policy_has_what_terraform_would_read_as_its_own() -> None:
    for path, content in generated(REPOSITORY).items():
        assert path.parent != Path(".chalice") or "${" not in content


def test_generated_files_are_among_those_listed(checkout: Path) -> None:
    for name in ("permissions-boundary.json", "session-policies.json", "files.txt"):
        (checkout / "policies" / name).unlink()

    assert {"permissions-boundary.json", "session-policies.json", "files.txt"} <= set(
        generated(checkout)[Path("policies/files.txt")].splitlines()
    )


def test_renamed_template_changes_what_the_package_holds(checkout: Path) -> None:
    before = generated(checkout)[Path("policies/files.txt")]
    standard = checkout / "policies" / "standard"
    (standard / "lambda_trigger").rename(standard / "trigger")
    edit(
        standard / "profile.json",
        lambda profile: profile.update(
            roles=[each.replace("lambda_trigger", "trigger") for each in profile["roles"]]
        ),
    )
    edit(
        checkout / "policies" / "smoke-test" / "expectations.json",
        lambda each: each.__delitem__(slice(None)),
    )

    after = generated(checkout)[Path("policies/files.txt")]

    assert "standard/lambda_trigger/trust.json\n" in before
    assert "standard/trigger/trust.json" in after.splitlines()
    assert after != before
