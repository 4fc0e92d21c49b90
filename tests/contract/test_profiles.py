"""Section 6: profiles and their parameters, and an environment that goes from one to another."""

from typing import Any

import pytest

from tests.kit import inventory
from tests.kit.checks import fields_in_error
from tests.kit.http import Api


def own(name: str) -> Any:
    return {
        kind: {key: each for key, each in held.items() if f"{name}-" in key}
        for kind, held in inventory.held().items()
        if kind != "items"
    }


def test_profiles_are_listed_and_shown(api: Api) -> None:
    listed = api.get("/profiles").body["profiles"]

    assert [(each["name"], each["default"]) for each in listed] == [
        ("standard", True),
        ("scoped", False),
    ]
    for each in listed:
        assert each["roles"] == ["notebook", "workflow_execution", "lambda_trigger"]
        assert api.get(f"/profiles/{each['name']}").body == each
    defaults = {key: each["default"] for key, each in listed[1]["parameters"].items()}
    assert listed[0]["parameters"] == {}
    assert set(defaults) == {"buckets", "athena_workgroups", "glue_databases", "kms_keys"}
    assert defaults["kms_keys"] == []
    assert api.get("/profiles/none").status == 404


def test_a_deployments_profiles_are_what_callers_may_name(
    api: Api, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIVET_PROFILES", "scoped")

    refused = api.put(f"/environments/{name}", {"profile": "standard", "wait": 0})
    made = api.put(f"/environments/{name}", {"wait": 0})

    assert fields_in_error(refused) == ["profile"]
    assert made.body["profile"] == "scoped"
    assert [each["name"] for each in api.get("/profiles").body["profiles"]] == ["scoped"]
    assert api.get("/profiles/standard").status == 404


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"profile": "nothing"}, "profile"),
        ({"profile": "../standard"}, "profile"),
        ({"profile": "scoped", "parameters": {"buckets": ["Not A Bucket"]}}, "parameters"),
        ({"profile": "scoped", "parameters": {"buckets": ["ab"]}}, "parameters"),
        ({"profile": "scoped", "parameters": {"colour": ["red"]}}, "parameters"),
        ({"profile": "standard", "parameters": {"buckets": ["abc"]}}, "parameters"),
    ],
)
def test_what_no_profile_takes_is_a_422(api: Api, name: str, given: Any, field: str) -> None:
    answer = api.put(f"/environments/{name}", given)

    assert {each.split(".")[0] for each in fields_in_error(answer)} == {field}
    assert api.get(f"/environments/{name}").status == 404


def test_parameters_are_what_the_documents_name(api: Api, name: str) -> None:
    api.provision(name, profile="scoped", parameters={"buckets": ["first-*", "second"]}, wait=0)
    first = str(own(name))
    api.provision(name, parameters={"buckets": ["third"]}, wait=0)
    third = str(own(name))

    assert "s3:::first-*" in first
    assert "s3:::second" in first
    assert "s3:::third" in third
    assert "first-*" not in third


def test_scoped_has_no_broad_managed_policy(api: Api, name: str) -> None:
    api.provision(name, profile="scoped", wait=0)

    attached = [arn for role in own(name)["roles"].values() for arn in role["attached"]]
    assert not [arn for arn in attached if arn.endswith(("FullAccess", "SecretsManagerReadWrite"))]


def test_names_that_cannot_be_kept_apart_are_a_409(api: Api, name: str) -> None:
    api.provision(name, wait=0)
    api.provision(f"{name}-b", wait=0)

    with api.wire.recording() as calls:
        answers = [
            api.put(f"/environments/{name}", {"profile": "scoped"}),
            api.put(f"/environments/{name}-b", {"profile": "scoped"}),
            api.put(f"/environments/{name}-c", {"profile": "scoped"}),
        ]

    assert [answer.status for answer in answers] == [409] * 3
    others = [f"{name}-b", name, name]
    for answer, other in zip(answers, others, strict=True):
        assert f"environment {other}" in answer.body["detail"]
    assert calls.writes == []
    assert api.get(f"/environments/{name}-c").status == 404
