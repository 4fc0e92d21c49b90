"""Whose turn it is where time runs out, and what one account's trouble costs the others."""

from collections.abc import Collection
from threading import Event
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model.report import AccountRow
from chalicelib.verbs import scope
from tests.accounts.support import MEMBER, OTHERS, Stage, in_account, register, withdrawn
from tests.kit import product
from tests.kit.account import client
from tests.kit.checks import Answer, fields_in_error
from tests.kit.names import ACCOUNT, NAME
from tests.kit.wire import Call, Deliver, Layer, refusing
from tests.kit.world import World

BULK = ("GetAccountAuthorizationDetails", "ListRoles", "ListPolicies")
ACCOUNTS = (ACCOUNT, MEMBER, OTHERS[0])


def provision(world: World, account_id: str, name: str = NAME) -> None:
    """Provision an environment, its smoke test left to the next run."""
    answer = world.put(in_account(account_id, f"/{name}"), {"wait": 0})
    assert answer.status == 201, answer


def edit(account_id: str, name: str = NAME) -> None:
    """Take a role's boundary off behind Trivet's back."""
    iam = client("iam", account_id)
    iam.delete_role_permissions_boundary(RoleName=f"{name}-SageMaker")


def slow_to_repair(world: World, seconds: float) -> Layer:
    """Return a fault that makes each repair take its time."""

    def slow(call: Call, deliver: Deliver) -> AWSResponse:
        if call.action == "PutRolePermissionsBoundary":
            world.clock.sleep(seconds)
        return deliver()

    return slow


def never_heard_of(world: World, *silent: str, after: Collection[str] = ()) -> Layer:
    """Return a fault in which no call to some accounts is answered in time.

    Args:
        after: accounts that are looked at first: the clock stands still while they are.
    """
    awaited = {(each, action) for each in after for action in BULK}
    looked_at = Event()

    def unheard(call: Call, deliver: Deliver) -> AWSResponse:
        if call.account not in silent:
            answer = deliver()
            awaited.discard((call.account, call.action))
            if not awaited:
                looked_at.set()
            return answer
        assert not after or looked_at.wait(30)
        world.clock.sleep(product.CALL_TIMEOUT)
        raise ReadTimeoutError(endpoint_url=call.url)

    return unheard


def said(answer: Answer) -> list[str]:
    """Return the words of what a 422 says."""
    return [word for each in answer.body["errors"] for word in each["message"].split()]


def repaired(report: Any) -> list[str]:
    """Return the accounts in which something was repaired."""
    assert {each["outcome"] for each in report["environments"]} == {"repaired"}, report
    return [each["account_id"] for each in report["environments"]]


@pytest.fixture
def three(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Home and two members, each with one environment, worked on one after the other."""
    monkeypatch.setenv("TRIVET_CONCURRENCY", "1")
    for account_id in ACCOUNTS[1:]:
        register(world, account_id)
    for account_id in ACCOUNTS:
        provision(world, account_id)
    return world


@pytest.fixture
def fleet(stage: Stage, three: World) -> Stage:
    """The same, with the fleet's state machine."""
    return stage


@pytest.mark.soak
def test_in_one_process_every_account_has_its_turn(three: World) -> None:
    with three.wire.through(slow_to_repair(three, 10)):
        reports = []
        for _ in range(3):
            for account_id in ACCOUNTS:
                edit(account_id)
            reports.append(three.post("/drift-runs").body)
    assert [set(repaired(each)) for each in reports] == [
        {ACCOUNT, MEMBER},
        {OTHERS[0], ACCOUNT},
        {MEMBER, ACCOUNT},
    ]
    assert [each["not_reached"] for each in reports] == [
        [f"{OTHERS[0]}/{NAME}"],
        [f"{MEMBER}/{NAME}"],
        [f"{OTHERS[0]}/{NAME}"],
    ]
    for report in reports:
        assert [each["account_id"] for each in report["accounts"]] == list(ACCOUNTS)


def test_in_one_process_an_account_that_does_not_answer_leaves_the_others_time(
    three: World,
) -> None:
    edit(ACCOUNT)
    edit(MEMBER)
    with three.wire.through(never_heard_of(three, OTHERS[0], after=[ACCOUNT, MEMBER])):
        report = three.post("/drift-runs").body
    assert sorted(repaired(report)) == [ACCOUNT, MEMBER]
    rows = {each["account_id"]: each for each in report["accounts"]}
    assert rows[OTHERS[0]]["error"]
    assert (report["checked"], report["not_reached"]) == (2, [])


def test_in_one_process_the_next_run_begins_with_what_was_not_even_looked_at(world: World) -> None:
    members = [f"{number:012}" for number in range(300000000001, 300000000006)]
    for account_id in members:
        register(world, account_id)
    provision(world, ACCOUNT)
    reports = []
    for _ in range(2):
        with world.wire.through(never_heard_of(world, *members[:4], after=[ACCOUNT])):
            reports.append(world.post("/drift-runs").body)
        world.clock.sleep(1)
    errors = [[each["error"] for each in report["accounts"]] for report in reports]
    assert [bool(each) for each in errors[0]] == [False, True, True, True, True, True]
    assert "no time to look" in errors[0][-1]
    assert [bool(each) for each in errors[1]] == [False, True, True, True, True, False]


def test_a_member_that_is_named_alone_and_not_reached_is_told_in_the_report(
    world: World, member: str
) -> None:
    with world.wire.through(withdrawn(member)):
        report = world.post("/drift-runs", {"accounts": [member]})
    assert report.status == 200, report
    [row] = report.body["accounts"]
    assert "sts:AssumeRole" in row["error"]
    [row] = world.post("/drift-runs", {"accounts": [member]}).body["accounts"]
    assert row["error"] is None


def test_names_that_are_nowhere_are_refused_before_anything_is_done(fleet: Stage) -> None:
    provision(fleet.world, MEMBER, "only-there")
    for body, field in (
        ({"environments": [NAME, "nowhere"]}, "environments"),
        ({"environments": ["only-there"], "accounts": [ACCOUNT]}, "environments"),
        ({"accounts": [OTHERS[1]]}, "accounts"),
    ):
        with fleet.world.wire.recording() as calls:
            answer = fleet.world.post("/drift-runs", body)
        assert fields_in_error(answer) == [field]
        assert not calls.writes
        assert field == "accounts" or set(body["environments"]) - {NAME} <= set(said(answer))
    report = fleet.run({"environments": ["only-there"]})
    assert (report["checked"], len(report["accounts"])) == (1, 3)


@pytest.fixture
def two_each(fleet: Stage) -> Stage:
    """A deployed stage, two environments to each account, one of which is reached in a step."""
    for account_id in ACCOUNTS[1:]:
        provision(fleet.world, account_id, f"{NAME}-b")
    return fleet


@pytest.mark.soak
def test_a_fleet_goes_on_in_each_account_where_it_left_off(two_each: Stage) -> None:
    members = ACCOUNTS[1:]
    for account_id in members:
        edit(account_id)
        edit(account_id, f"{NAME}-b")
    with two_each.world.wire.through(slow_to_repair(two_each.world, 890)):
        first = two_each.run()
        assert first["not_reached"] == [f"{each}/{NAME}-b" for each in members]
        for account_id in members:
            edit(account_id)
        second = two_each.run()
    assert {(each["account_id"], each["name"]) for each in second["environments"]} == {
        (each, f"{NAME}-b") for each in members
    }
    assert second["not_reached"] == [f"{each}/{NAME}" for each in members]
    rows = {each["account_id"]: each for each in second["accounts"]}
    assert [rows[each]["not_reached"] for each in ACCOUNTS] == [0, 1, 1]


@pytest.mark.soak
def test_what_a_run_never_came_to_is_first_in_the_next(fleet: Stage) -> None:
    run = fleet.start()["id"]
    fleet.over("look", run, fleet.step("begin", run)["accounts"][:2])
    fleet.status[run] = "TIMED_OUT"
    following = fleet.start()["id"]
    assert fleet.step("begin", following)["accounts"] == [OTHERS[0], ACCOUNT, MEMBER]
    fleet.steps(following)
    assert [each["account_id"] for each in fleet.report(following)["accounts"]] == list(ACCOUNTS)


@given(names=st.integers(1, 6), accounts=st.integers(1, 6), reached=st.integers(1, 4))
def test_in_the_end_every_environment_has_its_turn(names: int, accounts: int, reached: int) -> None:
    fleet = {f"{number:012}": [f"{at}-dev" for at in range(names)] for number in range(accounts)}
    seen: set[tuple[str, str]] = set()
    starts: list[str] = []
    for _ in range(2 * names * accounts):
        left, came_to = reached, []
        for account_id in scope.in_turn(list(fleet), starts):
            first = scope.start_in(account_id, starts) or ""
            turn = sorted(fleet[account_id], key=lambda name: (name < first, name))
            row = AccountRow(account_id=account_id, checked=len(turn[:left]))
            seen |= {(account_id, name) for name in turn[:left]}
            came_to.append((row, turn[left:]))
            left = max(0, left - len(turn))
        starts = scope.next_starts(came_to)
    assert seen == {(account_id, name) for account_id in fleet for name in fleet[account_id]}


def test_in_a_fleet_an_account_that_does_not_answer_costs_the_others_nothing(fleet: Stage) -> None:
    edit(MEMBER)
    run = fleet.start()["id"]
    with fleet.world.wire.through(never_heard_of(fleet.world, OTHERS[0])):
        failed = fleet.over("look", run, fleet.step("begin", run)["accounts"])
    assert failed == [OTHERS[0]], "the state machine tries it again"
    fleet.over("repair", run, fleet.step("decide", run)["accounts"])
    fleet.step("conclude", run)
    report = fleet.report(run)
    rows = {each["account_id"]: each for each in report["accounts"]}
    assert (report["checked"], report["repaired"], rows[MEMBER]["repaired"]) == (2, 1, 1)
    assert rows[OTHERS[0]]["error"]
    assert [rows[each]["error"] for each in ACCOUNTS[:2]] == [None, None]


@pytest.mark.soak
def test_a_step_that_is_throttled_works_when_it_is_tried_again(fleet: Stage) -> None:
    run = fleet.start()["id"]
    accounts = fleet.step("begin", run)["accounts"]
    throttled = refusing(
        lambda call: call.account == MEMBER and call.service == "IAM", "Throttling"
    )
    with fleet.world.wire.through(throttled):
        assert fleet.over("look", run, accounts) == [MEMBER]
    assert fleet.over("look", run, [MEMBER]) == []
    fleet.over("repair", run, fleet.step("decide", run)["accounts"])
    fleet.step("conclude", run)
    report = fleet.report(run)
    assert (report["checked"], [each["error"] for each in report["accounts"]]) == (3, [None] * 3)
