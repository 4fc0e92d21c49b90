"""Environments in a member account: all that is made is in that account alone."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.accounts.support import MEMBER, OTHERS, in_account, provision, register, withdrawn
from tests.kit import events, inventory
from tests.kit.account import client
from tests.kit.http import invoke
from tests.kit.names import ACCOUNT, NAME, POLICIES, ROLES
from tests.kit.world import World

ROLE = f"{NAME}-SageMaker"


def roles(account_id: str) -> set[str]:
    """Return the names of an account's roles."""
    return {each["RoleName"] for each in client("iam", account_id).list_roles()["Roles"]}


def policies(account_id: str) -> set[str]:
    """Return the names of an account's own policies."""
    listed = client("iam", account_id).list_policies(Scope="Local")["Policies"]
    return {each["PolicyName"] for each in listed}


def machines(account_id: str) -> set[str]:
    """Return the names of an account's state machines."""
    listed = client("stepfunctions", account_id).list_state_machines()["stateMachines"]
    return {each["name"] for each in listed}


def unbound(account_id: str) -> bool:
    """Tell whether the role's boundary is off."""
    found = client("iam", account_id).get_role(RoleName=ROLE)["Role"]
    return "PermissionsBoundary" not in found


def edit(account_id: str) -> None:
    """Take a role's boundary off behind Trivet's back."""
    client("iam", account_id).delete_role_permissions_boundary(RoleName=ROLE)


@pytest.fixture
def made(world: World, member: str) -> Iterator[Any]:
    """An environment in the member."""
    yield provision(world, member)


def test_everything_made_is_in_that_account_alone(world: World, made: Any) -> None:
    assert made["account_id"] == MEMBER
    assert (made["status"], made["smoke_test"]["status"]) == ("ready", "succeeded")
    assert all(f":{MEMBER}:" in each["arn"] for each in made["roles"].values())
    assert roles(MEMBER) == {f"{NAME}-{suffix}" for suffix in ROLES.values()}
    assert policies(MEMBER) == {
        "TrivetEnvironmentBoundary",
        *(f"{NAME}-{suffix}" for suffix in POLICIES.values()),
    }
    assert machines(MEMBER) == {f"{NAME}-smoke-test"}
    at_home = inventory.resources()
    assert not any(at_home[kind] for kind in ("roles", "policies", "state machines"))
    assert world.get(f"/environments/{NAME}").status == 404
    assert world.get("/environments").body["environments"] == []


def test_location_leads_to_the_environment_in_its_account(world: World, member: str) -> None:
    posted = world.post(in_account(member), {"name": NAME, "wait": 0})
    assert posted.status == 201
    assert posted.headers["location"] == in_account(member, f"/{NAME}")
    assert world.get(posted.headers["location"]).status == 200
    at_home = world.post("/environments", {"name": NAME, "wait": 0})
    assert at_home.headers["location"] == f"/environments/{NAME}"


def test_names_are_unique_per_account(world: World, made: Any) -> None:
    register(world, OTHERS[0])
    world.provision(NAME, tags={"where": "home"})
    provision(world, OTHERS[0], tags={"where": "other"})
    assert world.delete(f"/environments/{NAME}").status == 200
    assert roles(MEMBER) == roles(OTHERS[0]) != set()
    assert world.get(in_account(OTHERS[0], f"/{NAME}")).body["tags"] == {"where": "other"}
    assert world.get(in_account(MEMBER, f"/{NAME}")).body["tags"] == {}


def test_drift_is_seen_and_put_back_there(world: World, made: Any) -> None:
    world.provision(NAME)
    edit(MEMBER)
    path = in_account(MEMBER, f"/{NAME}")
    drift = world.get(f"{path}/drift").body
    assert [each["kind"] for each in drift["changes"]] == ["put_permissions_boundary"]
    assert world.get(f"/environments/{NAME}/drift").body["in_sync"] is True
    with world.wire.recording() as calls:
        assert world.post(f"{path}/reapply").status == 200
    assert {call.account for call in calls if call.service == "IAM"} == {MEMBER}
    assert not unbound(MEMBER)
    operations = [each["operation"] for each in world.get(f"{path}/history").body["entries"]]
    assert operations == ["reapply", "create"]
    at_home = world.get(f"/environments/{NAME}/history").body["entries"]
    assert [each["operation"] for each in at_home] == ["create"]


def test_a_pause_holds_for_that_account_alone(world: World, made: Any) -> None:
    world.provision(NAME)
    path = in_account(MEMBER, f"/{NAME}")
    until = datetime.fromtimestamp(world.clock.now() + 3600, UTC).isoformat()
    assert world.post(f"{path}/pause", {"until": until, "reason": "a test"}).status == 200
    edit(MEMBER)
    edit(ACCOUNT)
    report = world.post("/drift-runs").body
    outcomes = {each["account_id"]: each["outcome"] for each in report["environments"]}
    assert outcomes == {MEMBER: "paused", ACCOUNT: "repaired"}
    assert world.delete(f"{path}/pause").status == 200
    world.clock.sleep(1)
    assert world.post("/drift-runs").body["repaired"] == 1
    assert not unbound(MEMBER)


def test_deletion_leaves_nothing_there_and_all_at_home(world: World, made: Any) -> None:
    world.provision(NAME)
    before = inventory.resources()
    answer = world.delete(in_account(MEMBER, f"/{NAME}"))
    assert answer.status == 200
    assert all(f":{MEMBER}:" in arn for arn in answer.body["deleted"])
    assert (roles(MEMBER), machines(MEMBER)) == (set(), set())
    assert policies(MEMBER) == {"TrivetEnvironmentBoundary"}
    assert inventory.resources() == before


def changed(world: World, account_id: str, **more: Any) -> dict[str, Any]:
    """Return the event of a change to the role, as it comes from an account."""
    event = events.cloudtrail(
        world.clock.now(), "DeleteRolePermissionsBoundary", {"roleName": ROLE}, **more
    )
    return event | {"account": account_id}


def test_an_event_from_a_member_repairs_there(world: World, made: Any) -> None:
    world.provision(NAME)
    edit(MEMBER)
    edit(ACCOUNT)
    world.clock.sleep(60)
    invoke("iam_change", changed(world, MEMBER))
    assert (unbound(MEMBER), unbound(ACCOUNT)) == (False, True)
    entry = world.get(in_account(MEMBER, f"/{NAME}/history")).body["entries"][0]
    assert (entry["operation"], entry["cause"]["event_name"]) == (
        "event_repair",
        "DeleteRolePermissionsBoundary",
    )


def test_what_an_event_claims_in_its_detail_counts_for_nothing(world: World, made: Any) -> None:
    edit(MEMBER)
    world.clock.sleep(60)
    claims = {"recipientAccountId": MEMBER, "userIdentity": {"accountId": MEMBER}}
    for account_id in (OTHERS[0], ACCOUNT):
        with world.wire.recording() as calls:
            invoke("iam_change", changed(world, account_id, **claims))
        assert {call.account for call in calls} <= {ACCOUNT}
        assert not [call for call in calls if call.service in ("IAM", "SFN", "STS")]
    assert unbound(MEMBER)


def test_a_member_that_withdraws_is_told_and_picked_up_again(world: World, made: Any) -> None:
    world.provision(NAME)
    edit(MEMBER)
    edit(ACCOUNT)
    with world.wire.through(withdrawn(MEMBER)):
        report = world.post("/drift-runs").body
        row = next(each for each in report["accounts"] if each["account_id"] == MEMBER)
        shown = world.get(in_account(MEMBER)).body["environments"]
        refused = world.post(in_account(MEMBER, f"/{NAME}/reapply"))
    assert row["error"]
    assert report["repaired"] == 1
    assert [each["name"] for each in shown] == [NAME]
    assert refused.status == 502
    world.clock.sleep(1)
    again = world.post("/drift-runs").body
    assert (again["checked"], again["repaired"]) == (2, 1)
    assert not unbound(MEMBER)


def test_sessions_are_kept_and_opened_anew_before_they_end(world: World, made: Any) -> None:
    path = in_account(MEMBER, f"/{NAME}/drift")
    with world.wire.recording() as calls:
        world.get(path)
        world.get(path)
    assert "AssumeRole" not in calls.names
    world.clock.sleep(781)
    with world.wire.recording() as calls:
        world.get(path)
    assert calls.names.count("AssumeRole") == 1
