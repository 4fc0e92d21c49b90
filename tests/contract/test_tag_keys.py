"""Which tags callers may set, and which are nobody's drift."""

from typing import Any

import pytest

from tests.kit import inventory
from tests.kit.checks import fields_in_error
from tests.kit.http import Api


@pytest.mark.parametrize("key", ["team", "TEAM", "cost-centre", "cost-"])
def test_a_key_that_is_listed_may_be_set(
    api: Api, name: str, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("TRIVET_TAG_KEYS", "team, cost-*")

    api.provision(name, tags={key: "x"}, wait=0)

    assert inventory.role(f"{name}-SageMaker")["tags"][key] == "x"


@pytest.mark.parametrize("key", ["owner", "teams", "a-cost-centre"])
@pytest.mark.parametrize("dry_run", [False, True])
def test_any_other_key_is_a_422_that_says_which_may(
    api: Api, name: str, monkeypatch: pytest.MonkeyPatch, key: str, dry_run: bool
) -> None:
    monkeypatch.setenv("TRIVET_TAG_KEYS", "team, cost-*")

    with api.wire.recording() as calls:
        answer = api.post(
            "/environments", {"name": name, "tags": {"team": "a", key: "x"}, "dry_run": dry_run}
        )

    assert fields_in_error(answer) == ["tags"]
    [error] = answer.body["errors"]
    assert key in error["message"]
    assert "team, cost-*" in error["message"]
    assert calls.names == []


def test_what_an_environment_has_already_stays_when_the_list_gets_shorter(
    api: Api, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.provision(name, tags={"owner": "x"}, wait=0)
    monkeypatch.setenv("TRIVET_TAG_KEYS", "team")

    again = api.provision(name, on_extras="report", wait=0)

    assert again["tags"] == {"owner": "x"}
    assert inventory.role(f"{name}-SageMaker")["tags"]["owner"] == "x"


def test_ignored_tags_are_nobodys_drift(
    api: Api, iam: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIVET_IGNORED_TAG_KEYS", "scanner:*, billing")
    api.provision(name, tags={"team": "a"})
    role = f"{name}-SageMaker"
    added = {"scanner:last-seen": "today", "Billing": "x"}
    tags = [{"Key": key, "Value": value} for key, value in added.items()]
    iam.tag_role(RoleName=role, Tags=tags)
    for arn in inventory.held()["policies"]:
        if arn.split("/")[-1].startswith(f"{name}-"):
            iam.tag_policy(PolicyArn=arn, Tags=tags)

    drift = api.get(f"/environments/{name}/drift").body
    report = api.post("/drift-runs", {"environments": [name]}).body
    reapplied = api.post(f"/environments/{name}/reapply").body

    assert (drift["in_sync"], drift["changes"]) == (True, [])
    assert (report["in_sync"], report["drifted"]) == (1, 0)
    assert reapplied["changes"] == []
    assert inventory.role(role)["tags"].items() >= added.items()


def test_other_tags_go_beside_an_ignored_one(
    api: Api, iam: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIVET_IGNORED_TAG_KEYS", "scanner:*")
    api.provision(name)
    role = f"{name}-SageMaker"
    tags = [{"Key": "scanner:seen", "Value": "x"}, {"Key": "added", "Value": "x"}]
    iam.tag_role(RoleName=role, Tags=tags)

    [change] = api.post(f"/environments/{name}/reapply").body["changes"]

    assert change["kind"] == "untag_role"
    held = inventory.role(role)["tags"]
    assert "added" not in held
    assert held["scanner:seen"] == "x"


def test_a_declared_tag_is_put_back_though_its_key_is_ignored(
    api: Api, iam: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIVET_IGNORED_TAG_KEYS", "team")
    api.provision(name, tags={"team": "a"})
    iam.untag_role(RoleName=f"{name}-SageMaker", TagKeys=["team"])

    [change] = api.post(f"/environments/{name}/reapply").body["changes"]

    assert change["kind"] == "tag_role"
    assert inventory.role(f"{name}-SageMaker")["tags"]["team"] == "a"
