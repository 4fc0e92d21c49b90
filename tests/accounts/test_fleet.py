"""A run over many accounts, step by step as its state machine does it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.accounts.support import MEMBER, OTHERS, Stage, provision, register, withdrawn
from tests.kit import events
from tests.kit.account import client
from tests.kit.http import invoke
from tests.kit.names import ACCOUNT, NAME
from tests.kit.wire import refusing

EDITED = f"{NAME}-SageMaker"


@pytest.fixture
def fleet(stage: Stage) -> Stage:
    """A fleet of home and two members, each with one environment."""
    for account_id in (MEMBER, OTHERS[0]):
        register(stage.world, account_id)
        provision(stage.world, account_id)
    provision(stage.world, ACCOUNT)
    return stage


def edit(account_id: str) -> None:
    """Take a role's boundary off behind Trivet's back."""
    client("iam", account_id).delete_role_permissions_boundary(RoleName=EDITED)


def is_whole(account_id: str) -> bool:
    """Tell whether the role that `edit` changes is as declared."""
    found = client("iam", account_id).get_role(RoleName=EDITED)["Role"]
    return "PermissionsBoundary" in found


def rows(report: Any) -> dict[str, Any]:
    """Return the accounts of a report by their ids."""
    return {each["account_id"]: each for each in report["accounts"]}


def test_a_run_repairs_every_account_and_tells_how_far_it_is(fleet: Stage) -> None:
    edit(MEMBER)
    started = fleet.start()
    run = started["id"]
    assert (started["status"], started["accounts"]) == ("running", [])
    assert fleet.orders == {run: {"run": run}}

    accounts = fleet.step("begin", run)["accounts"]
    assert accounts == [ACCOUNT, MEMBER, OTHERS[0]]
    fleet.over("look", run, accounts[:2])
    assert sorted(rows(fleet.report(run))) == [ACCOUNT, MEMBER]
    fleet.over("look", run, accounts[2:])
    assert fleet.step("decide", run) == {"accounts": [MEMBER]}
    fleet.step("repair", run, account_id=MEMBER)
    fleet.step("conclude", run)

    report = fleet.report(run)
    assert (report["status"], report["applied"], report["stopped"]) == ("finished", True, None)
    assert (report["checked"], report["in_sync"], report["repaired"]) == (3, 2, 1)
    assert [(each["account_id"], each["outcome"]) for each in report["environments"]] == [
        (MEMBER, "repaired")
    ]
    assert is_whole(MEMBER)
    assert fleet.world.get("/drift-runs/latest").body == report


def test_a_preview_changes_nothing_though_its_steps_know_only_its_id(fleet: Stage) -> None:
    edit(MEMBER)
    report = fleet.run({"apply": False})
    assert (report["applied"], report["drifted"], report["repaired"]) == (False, 1, 0)
    assert not is_whole(MEMBER)
    assert fleet.world.get("/drift-runs/latest").status == 404


def test_a_step_done_again_comes_out_the_same(fleet: Stage) -> None:
    edit(MEMBER)
    run = fleet.start()["id"]
    accounts = fleet.step("begin", run)["accounts"]
    for _ in range(2):
        fleet.over("look", run, accounts)
    for _ in range(2):
        assert fleet.step("decide", run) == {"accounts": [MEMBER]}
    fleet.step("repair", run, account_id=MEMBER)
    fleet.step("conclude", run)
    concluded = fleet.report(run)
    fleet.step("conclude", run)
    assert fleet.report(run) == concluded
    assert (concluded["checked"], len(concluded["accounts"])) == (3, 3)
    assert len(concluded["environments"]) == 1


def test_two_runs_at_once_are_refused(fleet: Stage) -> None:
    first = fleet.start()["id"]
    second = fleet.world.post("/drift-runs", {"wait": 0})
    assert second.status == 409, second
    assert int(second.headers["retry-after"]) <= 900
    invoke("drift_run", events.scheduled())
    assert list(fleet.orders) == [first]
    # A preview repairs nothing, and need not wait.
    fleet.run({"apply": False})
    fleet.steps(first)
    fleet.run()


def test_the_schedule_goes_through_the_state_machine(fleet: Stage) -> None:
    edit(OTHERS[0])
    invoke("drift_run", events.scheduled())
    [run] = fleet.orders
    fleet.steps(run)
    report = fleet.report(run)
    assert (report["trigger"], report["repaired"]) == ("schedule", 1)


def test_where_the_state_machine_is_not_deployed_the_run_is_done_in_process(fleet: Stage) -> None:
    edit(MEMBER)
    with fleet.world.wire.through(refusing("StartExecution", "StateMachineDoesNotExist")):
        answer = fleet.world.post("/drift-runs")
    assert answer.status == 200, answer
    assert (answer.body["status"], answer.body["repaired"]) == ("finished", 1)
    assert len(fleet.world.get("/drift-runs").body["drift_runs"]) == 1
    fleet.run()


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_a_run_that_died_is_concluded_and_holds_up_none(fleet: Stage, status: str) -> None:
    edit(MEMBER)
    run = fleet.start()["id"]
    fleet.step("look", run, account_id=ACCOUNT)
    fleet.status[run] = status

    report = fleet.run()

    assert report["repaired"] == 1
    dead = fleet.report(run)
    assert (dead["status"], dead["applied"]) == ("finished", False)
    assert "before it was done" in dead["stopped"]
    assert rows(dead)[ACCOUNT]["error"] is None
    assert "did not come to its end" in rows(dead)[MEMBER]["error"]


def test_whoever_asks_for_the_report_of_a_dead_run_hears_that_it_ended(fleet: Stage) -> None:
    run = fleet.start({"apply": False})["id"]
    assert fleet.report(run)["status"] == "running"
    fleet.status[run] = "FAILED"
    assert fleet.report(run)["status"] == "finished"


def test_a_run_whose_start_was_not_heard_of_holds_the_fleet_for_a_quarter_hour(
    fleet: Stage,
) -> None:
    with fleet.world.wire.through(refusing("StartExecution", "InternalFailure", status=500)):
        assert fleet.world.post("/drift-runs", {"wait": 0}).status == 503
    assert fleet.world.post("/drift-runs", {"wait": 0}).status == 409
    fleet.world.clock.sleep(901)
    assert fleet.run()["checked"] == 3


def test_an_account_that_refuses_or_fails_costs_the_others_nothing(fleet: Stage) -> None:
    edit(MEMBER)
    with fleet.world.wire.through(withdrawn(OTHERS[0])):
        report = fleet.run()
    assert "AssumeRole" in rows(report)[OTHERS[0]]["error"]
    assert (report["checked"], report["repaired"]) == (2, 1)
    assert is_whole(MEMBER)

    edit(MEMBER)
    run = fleet.start()["id"]
    throttled = refusing(
        lambda call: call.account == OTHERS[0] and call.service == "IAM", "Throttling"
    )
    with fleet.world.wire.through(throttled):
        failed = fleet.over("look", run, fleet.step("begin", run)["accounts"])
    assert failed == [OTHERS[0]]
    fleet.over("repair", run, fleet.step("decide", run)["accounts"])
    fleet.step("conclude", run)
    report = fleet.report(run)
    assert rows(report)[OTHERS[0]]["error"]
    assert (report["checked"], report["repaired"]) == (2, 1)


def test_a_repair_that_does_not_end_is_told_beside_what_the_look_found(fleet: Stage) -> None:
    edit(MEMBER)
    run = fleet.start()["id"]
    fleet.over("look", run, fleet.step("begin", run)["accounts"])
    fleet.step("decide", run)
    fleet.step("conclude", run)
    report = fleet.report(run)
    assert "was to repair did not come to its end" in rows(report)[MEMBER]["error"]
    assert report["environments"][0]["outcome"] == "drifted"


@pytest.mark.slow
def test_the_brake_counts_what_a_repair_would_change_over_all_accounts(fleet: Stage) -> None:
    for number in range(7):
        provision(fleet.world, MEMBER, f"more-{number}-dev")
    for number in range(5):
        client("iam", MEMBER).delete_role_permissions_boundary(
            RoleName=f"more-{number}-dev-SageMaker"
        )
    # Drifted, and paused: a repair would not change it, so 5 of 10 is within the brake's share.
    edit(MEMBER)
    until = {"until": _in_an_hour(fleet), "reason": "a test"}
    paused = fleet.world.post(f"/accounts/{MEMBER}/environments/{NAME}/pause", until)
    assert paused.status == 200, paused
    preview = fleet.run({"apply": False})
    assert (preview["drifted"], preview["stopped"]) == (6, None)

    edit(ACCOUNT)
    with fleet.world.wire.recording() as calls:
        stopped = fleet.run()
    assert (stopped["applied"], stopped["repaired"]) == (False, 0)
    told = [
        each for call in calls if call.action == "PutEvents" for each in call.parameters["Entries"]
    ]
    drifts = [json.loads(each["Detail"]) for each in told if each["DetailType"] == "Trivet Drift"]
    assert sorted((each["account_id"], each["outcome"]) for each in drifts) == sorted(
        (each["account_id"], each["outcome"]) for each in stopped["environments"]
    )
    assert [each["DetailType"] for each in told].count("Trivet Drift Run Stopped") == 1
    assert "6 of 10 environments would change" in stopped["stopped"]
    confirmed = fleet.run({"confirm": stopped["id"]})
    assert (confirmed["applied"], confirmed["repaired"]) == (True, 6)


def _in_an_hour(stage: Stage) -> str:
    return datetime.fromtimestamp(stage.world.clock.now() + 3600, UTC).isoformat()
