"""The account read in bulk: pages, AWS's own forms, other people's roles, and how many calls."""

import time
from collections import Counter
from threading import Lock
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from tests.kit.drifts import CATALOGUE, Target
from tests.kit.inventory import resources
from tests.kit.names import NAME
from tests.kit.pages import AwsPages
from tests.kit.wire import Call, Deliver
from tests.kit.world import World

from .support import drift, only, provision, reads, requested_run, writes

BULK = {"GetAccountAuthorizationDetails", "ListRoles", "ListPolicies"}


def test_every_page_is_read_and_put_together(world: World, iam: Any) -> None:
    names = [f"{NAME}-{number}" for number in range(3)]
    for name in names:
        provision(world, name)
    declared = resources()
    pages = AwsPages(size=4)
    pages.learn_ids(iam.list_policies(Scope="Local")["Policies"])

    with world.wire.through(pages), world.wire.recording() as made:
        assert requested_run(world)["in_sync"] == 3
    assert not writes(made)
    # 9 roles and 6 policies are 4 pages with an empty one before each but the first.
    assert pages.markers == {
        "GetAccountAuthorizationDetails": ["", "e4", "p4", "e8", "p8", "e12", "p12"],
        "ListRoles": ["", "e4", "p4", "e8", "p8"],
        "ListPolicies": [],
    }
    assert Counter(reads(made)) == {"GetAccountAuthorizationDetails": 7, "ListRoles": 5}

    for kind in CATALOGUE:
        if kind.in_bulk and kind.name not in ("role_deleted", "policy_deleted"):
            for role in kind.roles:
                kind.on(names[2], role)
    with world.wire.through(pages):
        found = drift(world, names[2])["changes"]
        report = requested_run(world)
    assert only(report)["name"] == names[2]
    assert only(report)["outcome"] == "repaired"
    assert {change["kind"] for change in only(report)["changes"]} == {
        change["kind"] for change in found
    }
    assert resources() == declared


def test_an_account_with_thousands_of_other_roles_is_read_all_the_same(world: World) -> None:
    provision(world, NAME)
    next(each for each in CATALOGUE if each.name == "tag_added").on(NAME, "notebook")
    pages = AwsPages(size=1_000, strangers=1_500)

    with world.wire.through(pages), world.wire.recording() as made:
        report = requested_run(world, {"apply": False})

    assert only(report)["name"] == NAME
    assert [change["kind"] for change in only(report)["changes"]] == ["untag_role"]
    assert set(reads(made)) == BULK
    assert len(pages.markers["ListRoles"]) == 3


@pytest.mark.soak
def test_state_machines_are_read_at_the_rate_that_step_functions_allows(world: World) -> None:
    """Step Functions' bucket, smaller; botocore keeps to it by real waiting."""
    for number in range(60):
        provision(world, f"{NAME}-{number}")
    tokens, last, lock = 20.0, time.monotonic(), Lock()

    def bucket(call: Call, deliver: Deliver) -> AWSResponse:
        nonlocal tokens, last
        if call.action != "DescribeStateMachine":
            return deliver()
        with lock:
            now = time.monotonic()
            tokens, last = min(20, tokens + (now - last) * 20), now
            is_let_through = tokens >= 1
            tokens -= is_let_through
        if is_let_through:
            return deliver()
        return call.refused("ThrottlingException", "Rate exceeded")

    with world.wire.through(bucket):
        report = requested_run(world)

    assert (report["in_sync"], report["not_reached"]) == (60, [])
    assert report["aws_calls"]["states:DescribeStateMachine"] < 2 * 60


def test_a_role_of_the_same_name_in_other_case_is_a_conflict(world: World, iam: Any) -> None:
    provision(world, NAME)
    next(each for each in CATALOGUE if each.name == "role_deleted").on(NAME, "lambda_trigger")
    theirs = Target(NAME, "lambda_trigger").role.upper()
    iam.create_role(RoleName=theirs, AssumeRolePolicyDocument="{}")
    before = resources()

    finding = only(requested_run(world))

    assert finding["outcome"] == "failed"
    assert f"role/{theirs}" in finding["error"]
    assert resources() == before


@pytest.mark.parametrize("size", [12, pytest.param(300, marks=pytest.mark.soak)])
def test_a_fleet_in_sync_costs_the_pages_and_a_look_at_each_state_machine(
    world: World, size: int
) -> None:
    for number in range(size):
        provision(world, f"{NAME}-{number}")

    with world.wire.recording() as made:
        report = requested_run(world)

    assert (report["checked"], report["in_sync"]) == (size, size)
    assert Counter(reads(made)) == dict.fromkeys(BULK, 1)
    states = [call for call in made if call.service == "SFN"]
    assert [call.action for call in states] == ["DescribeStateMachine"] * size
    assert len({call.parameters["stateMachineArn"] for call in states}) == size
    assert not writes(made)
    # Neither is any environment's record written: only the lease and the report.
    assert not [call for call in made if call.action == "PutItem" and "version" in call.parameters]
