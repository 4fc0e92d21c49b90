"""Work that must not grow faster than the fleet, and modules that must not be loaded."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader, Loader

from benchmarks.cloud import desired, environment, names
from chalicelib.aws.accounts import Target
from chalicelib.aws.models import MODELS
from chalicelib.flow.look import in_bulk
from chalicelib.flow.plan import compare
from chalicelib.model.desired import Desired
from chalicelib.work.operation import Operation, under_way
from tests.kit.names import ROOT


class ListedIam:
    """IAM whose bulk listings hold a fleet, as the SDK gives them, thirty items a page."""

    def __init__(self, fleet: list[Desired]) -> None:
        roles = [role for desired in fleet for role in desired.roles]
        policies = [policy for desired in fleet for policy in desired.policies]
        self._items: dict[str, dict[str, list[Any]]] = {
            "list_roles": {"Roles": [_listed_role(role) for role in roles]},
            "list_policies": {"Policies": []},
            "get_account_authorization_details": {
                "RoleDetailList": [_detailed_role(role) for role in roles],
                "Policies": [_detailed_policy(policy) for policy in policies],
            },
        }

    def get_paginator(self, name: str) -> Any:
        def paginate(**_: Any) -> Iterator[dict[str, list[Any]]]:
            items = [(key, item) for key, of in self._items[name].items() for item in of]
            for at in range(0, len(items), 30):
                page: dict[str, list[Any]] = {key: [] for key in self._items[name]}
                for key, item in items[at : at + 30]:
                    page[key].append(item)
                yield page

        return SimpleNamespace(paginate=paginate)


def _listed_role(role: Any) -> dict[str, Any]:
    return {"RoleName": role.name, "Description": role.description, "MaxSessionDuration": 3600}


def _detailed_role(role: Any) -> dict[str, Any]:
    return {
        "RoleName": role.name,
        "RoleId": "AROA",
        "Arn": role.arn,
        "Path": "/",
        # Equal in meaning alone, so that the meaning has to be worked out.
        "AssumeRolePolicyDocument": {**role.trust_policy, "Id": None},
        "AttachedManagedPolicies": [{"PolicyArn": arn} for arn in role.managed_policies],
        "RolePolicyList": [
            {"PolicyName": name, "PolicyDocument": document}
            for name, document in role.inline_policies.items()
        ],
        "Tags": [{"Key": key, "Value": value} for key, value in role.tags.items()],
        "PermissionsBoundary": {"PermissionsBoundaryArn": role.permissions_boundary},
    }


def _detailed_policy(policy: Any) -> dict[str, Any]:
    version = {"IsDefaultVersion": True, "Document": policy.document}
    return {
        "Arn": policy.arn,
        "PolicyId": "ANPA",
        "PolicyName": policy.name,
        "PolicyVersionList": [version],
    }


def check(size: int) -> Callable[[], None]:
    """Return what a drift run does to a fleet between its calls: render, read, compare."""
    listed = ListedIam([desired(name) for name in names(size)])
    account: Any = SimpleNamespace(bulk_iam=listed, iam=listed)
    target: Target = account

    def work() -> None:
        fleet = [(environment(name), desired(name)) for name in names(size)]
        with under_way(Operation(started=0, deadline=0, last_call=0)):
            found = in_bulk(target, fleet)
        for recorded, wanted in fleet:
            plan = compare(recorded, wanted, found.environments[wanted.name], lambda _: False)
            assert len(plan.differences) == 4  # three trust policies and a state machine

    return work


def function_calls(work: Callable[[], None]) -> int:
    """Return how many Python functions this thread called."""
    count = 0

    def called(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(called)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def test_comparing_grows_no_faster_than_the_fleet() -> None:
    small, large = (function_calls(check(size)) for size in (20, 80))
    assert 3.9 < large / small < 4.1


SAYS = """
import app, gc, json, sys
said = {"modules": sorted(sys.modules), "collects": gc.isenabled()}
print(json.dumps(said | {"keeps_no_bytecode": sys.dont_write_bytecode}))
"""


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a process says of itself that imported the app."""
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    bytecode = tmp_path_factory.mktemp("bytecode")
    done = subprocess.run(
        [sys.executable, "-c", SAYS],
        cwd=ROOT,
        # Bytecode goes elsewhere: another test may be packaging the app.
        env=environment | {"PYTHONPYCACHEPREFIX": str(bytecode)},
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)


def test_the_app_loads_nothing_heavy(started: Any) -> None:
    modules = set(started["modules"])
    assert "botocore.session" in modules
    # boto3 and its S3 transfers cost a quarter of a cold start, and Trivet needs none of it.
    assert not modules & {"boto3", "s3transfer", "asyncio", "pydantic", "jsonschema", "unittest"}


def test_the_app_lets_python_keep_its_bytecode(started: Any) -> None:
    assert started["keeps_no_bytecode"] is False


def test_the_app_collects_garbage_once_it_is_imported(started: Any) -> None:
    assert started["collects"] is True


def test_the_sdk_learns_the_same_of_aws_as_by_its_own_reading() -> None:
    aws = Path(Loader.BUILTIN_DATA_PATH)
    services = [aws / each for each in MODELS.list_available_services("service-2")]
    files = [*aws.glob("*.json"), *(file for each in services for file in each.rglob("*.json*"))]
    names = {str(file).partition(".json")[0] for file in files}
    assert any(name.endswith("service-2") for name in names)
    for name in sorted(names):
        assert MODELS.file_loader.load_file(name) == JSONFileLoader().load_file(name)
