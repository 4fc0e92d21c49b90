"""An upgrade from 1.0: its records are read, and its roles get their boundary once."""

import json
from typing import Any

import pytest

from tests.kit.names import NAME, ROLES
from tests.kit.product import BOUNDARY_NAME
from tests.kit.world import World

from .support import only, provision, requested_run

_FIELDS = {
    *("name", "account_id", "partition", "region", "status", "awaits_state_machine"),
    *("being_deleted", "unique_ids", "created_at", "created_by", "updated_at", "updated_by"),
}
_DECLARED = ("tags", "permissions_boundary", "on_extras", "deletion_protection")


@pytest.fixture
def of_1_0(world: World, dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment as 1.0 left it: roles without a boundary, a record with fewer fields."""
    with monkeypatch.context() as lifted:
        lifted.setenv("TRIVET_PERMISSIONS_BOUNDARY", "none")
        provision(world, NAME)
        world.finish(NAME)
    key = {"pk": {"S": "environment"}, "sk": {"S": NAME}}
    row = dynamodb.get_item(TableName="trivet-local", Key=key)["Item"]
    document = json.loads(row["document"]["S"])
    old = {name: document[name] for name in document if name in _FIELDS}
    old["declaration"] = {name: document["declaration"][name] for name in _DECLARED}
    test = document["smoke_test"]
    old["smoke_test"] = {each: test[each] for each in ("status", "execution_arn", "checks")}
    item = {**key, "version": row["version"], "document": {"S": json.dumps(old)}}
    for name in ("index", "looked"):
        _forget(dynamodb, name)
    dynamodb.put_item(TableName="trivet-local", Item=item)


def _forget(dynamodb: Any, prefix: str) -> None:
    for row in dynamodb.scan(TableName="trivet-local")["Items"]:
        if row["pk"]["S"].startswith(prefix):
            key = {"pk": row["pk"], "sk": row["sk"]}
            dynamodb.delete_item(TableName="trivet-local", Key=key)


@pytest.mark.usefixtures("of_1_0")
def test_the_first_run_bounds_the_roles_and_the_second_finds_nothing(
    world: World, iam: Any
) -> None:
    shown = world.request("GET", f"/environments/{NAME}").body
    assert (shown["profile"], shown["status"], shown["parameters"]) == ("standard", "ready", {})
    assert shown["drift"] == {"in_sync": None, "checked_at": None}

    changes = only(requested_run(world))["changes"]

    assert [each["kind"] for each in changes] == ["put_permissions_boundary"] * len(ROLES)
    for suffix in ROLES.values():
        role = iam.get_role(RoleName=f"{NAME}-{suffix}")["Role"]
        arn = role["PermissionsBoundary"]["PermissionsBoundaryArn"]
        assert arn.endswith(f":policy/{BOUNDARY_NAME}")
    world.finish(NAME)
    again = requested_run(world)
    assert (again["in_sync"], again["environments"]) == (1, [])
    found = world.request("GET", "/environments?status=ready&profile=standard&in_sync=true").body
    assert [each["name"] for each in found["environments"]] == [NAME]
