"""What an operator does: pause, resume, unprotect, read the history; and a whole day of it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.kit import events, inventory
from tests.kit.checks import fields_in_error
from tests.kit.drifts import delete_role
from tests.kit.faults import KillAt, Killed
from tests.kit.http import invoke, on_lambda
from tests.kit.names import ACCOUNT, NAME, OPEN, READ_ONLY
from tests.kit.wire import refusing
from tests.kit.world import World

ENVIRONMENT = f"/environments/{NAME}"
ROLE = f"{NAME}-SageMaker"
ALICE = f"arn:aws:sts::{ACCOUNT}:assumed-role/Team/alice"


def later(world: World, seconds: float) -> str:
    return datetime.fromtimestamp(world.clock.now() + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pause(world: World, seconds: float = 3_600) -> Any:
    body = {"until": later(world, seconds), "reason": "an incident"}
    answer = world.post(f"{ENVIRONMENT}/pause", body)
    assert answer.status == 200, answer
    return answer.body


def entries(world: World, name: str = NAME) -> list[Any]:
    answer = world.get(f"/environments/{name}/history")
    assert answer.status == 200, answer
    return list(answer.body["entries"])


def operations(world: World) -> list[str]:
    """Return what was done, oldest first."""
    return [each["operation"] for each in reversed(entries(world))]


def attach(iam: Any) -> None:
    iam.attach_role_policy(RoleName=ROLE, PolicyArn=READ_ONLY)


def is_attached() -> bool:
    return READ_ONLY in inventory.role(ROLE)["attached"]


def told(world: World, name: str = "AttachRolePolicy") -> None:
    """Have IAM report the change that somebody made."""
    parameters = {"roleName": ROLE, "policyArn": READ_ONLY}
    invoke("iam_change", events.cloudtrail(world.clock.now(), name, parameters))


# --- pause


def test_a_pause_keeps_drift_until_it_is_ended(world: World, iam: Any) -> None:
    world.provision()
    paused = pause(world)
    attach(iam)

    world.clock.sleep(60)
    report = world.post("/drift-runs").body
    told(world)

    assert paused["paused_until"]
    assert is_attached()
    [finding] = report["environments"]
    assert (finding["name"], finding["outcome"], report["repaired"]) == (NAME, "paused", 0)
    assert world.get(ENVIRONMENT).body["paused_until"] == paused["paused_until"]

    assert world.delete(f"{ENVIRONMENT}/pause").body["paused_until"] is None
    world.post("/drift-runs")
    assert not is_attached()


def test_history_says_who_paused_until_when_and_why(world: World) -> None:
    world.provision(wait=0)
    until = later(world, 3_600)
    body = {"until": until, "reason": "an incident"}
    on_lambda("POST", f"{ENVIRONMENT}/pause", body, caller=ALICE)
    world.delete(f"{ENVIRONMENT}/pause")

    resumed, paused, created = entries(world)
    assert (paused["operation"], paused["by"]) == ("pause", ALICE)
    assert paused["pause"] == {"until": until, "reason": "an incident"}
    assert "pause" not in resumed
    assert "pause" not in created


def test_a_callers_own_reapply_works_in_a_pause(world: World, iam: Any) -> None:
    world.provision()
    pause(world)
    attach(iam)

    answer = world.post(f"{ENVIRONMENT}/reapply", {"wait": 0})

    assert [each["kind"] for each in answer.body["changes"]] == ["detach_managed_policy"]
    assert answer.body["paused_until"] is not None
    assert not is_attached()


def test_a_pause_ends_by_itself(world: World, iam: Any) -> None:
    world.provision()
    pause(world, seconds=120)
    attach(iam)
    world.clock.sleep(121)

    world.post("/drift-runs")

    assert world.get(ENVIRONMENT).body["paused_until"] is None
    assert not is_attached()


@pytest.mark.parametrize(
    ("until", "reason", "field"),
    [
        (-1, "x", "until"),
        (7 * 86_400 + 60, "x", "until"),
        ("tomorrow", "x", "until"),
        ("2026-11-25T18:00:00", "x", "until"),
        (60, "", "reason"),
        (60, 1, "reason"),
    ],
)
def test_a_pause_that_cannot_be_is_a_422(world: World, until: Any, reason: Any, field: str) -> None:
    world.provision(wait=0)
    moment = until if isinstance(until, str) else later(world, until)

    answer = world.post(f"{ENVIRONMENT}/pause", {"until": moment, "reason": reason})

    assert fields_in_error(answer) == [field]
    assert world.get(ENVIRONMENT).body["paused_until"] is None


@pytest.mark.parametrize("path", ["pause", "deletion-protection"])
def test_taking_off_what_is_not_on_changes_nothing(world: World, path: str) -> None:
    before = world.provision()

    answer = world.delete(f"{ENVIRONMENT}/{path}")

    assert answer.status == 200
    assert answer.body == {**before, "changes": []}
    assert operations(world) == ["create"]


# --- history


def test_history_says_who_did_what_and_how_it_ended(world: World) -> None:
    on_lambda("POST", "/environments", {"name": NAME, "wait": 0}, caller=ALICE)
    on_lambda("PUT", ENVIRONMENT, {"tags": {"team": "a"}, "wait": 0}, caller=ALICE)

    declared, created = entries(world)

    assert (created["operation"], declared["operation"]) == ("create", "declare")
    for each in (created, declared):
        assert (each["by"], each["outcome"]) == (ALICE, "done")
        assert (each["error"], each["cause"]) == (None, None)
        assert each["changes"]
    assert {each["kind"] for each in declared["changes"]} == {"tag_role", "tag_policy"}
    assert created["at"] <= declared["at"]


def test_what_found_nothing_or_was_refused_is_no_history(world: World) -> None:
    world.provision()
    assert world.post("/environments", {"name": NAME}).status == 200
    assert world.post(f"{ENVIRONMENT}/reapply").status == 200
    assert world.put(ENVIRONMENT, {"profile": "nothing"}).status == 422
    assert world.put(ENVIRONMENT, {"dry_run": True, "tags": {"a": "b"}}).status == 200
    world.post("/drift-runs")

    assert operations(world) == ["create"]


def test_a_failure_half_way_is_history(world: World) -> None:
    with world.wire.through(refusing("CreateStateMachine", "AccessDeniedException", "no", 403)):
        refused = world.ask_for()
    world.settle(world.ask_for)

    done, failed = entries(world)
    assert refused.status == 502
    assert (failed["operation"], failed["outcome"]) == ("create", "failed")
    assert failed["error"] == refused.body["detail"]
    assert {each["kind"] for each in failed["changes"]} >= {"create_role", "create_policy"}
    assert (done["operation"], done["outcome"]) == ("declare", "done")


def test_a_process_that_died_is_history(world: World) -> None:
    kill = KillAt((f"CreateRole {ROLE}", 1), after=True)
    with world.wire.recording() as calls, world.wire.through(kill):
        try:
            world.ask_for()
        except Killed:
            died = True
    assert died, [call.key for call in calls]
    world.settle(world.ask_for)

    assert [each["outcome"] for each in reversed(entries(world))] == ["failed", "done"]
    assert entries(world)[1]["error"]


def test_history_outlives_the_environment(world: World) -> None:
    world.provision(wait=0)
    world.delete(ENVIRONMENT)

    assert world.get(ENVIRONMENT).status == 404
    assert operations(world) == ["create", "delete"]
    assert world.get("/environments/never-was/history").status == 404


def test_pages_of_history_join_up(world: World) -> None:
    world.provision(wait=0)
    for number in range(4):
        world.put(ENVIRONMENT, {"tags": {"number": str(number)}, "wait": 0})
    whole = entries(world)
    found: list[Any] = []
    path = f"{ENVIRONMENT}/history?limit=2"
    while True:
        page = world.get(path).body
        found += page["entries"]
        if page["next_cursor"] is None:
            break
        path = f"{ENVIRONMENT}/history?limit=2&cursor={page['next_cursor']}"

    assert found == whole
    assert len(whole) == 5


# --- what was last seen


def test_status_and_look_say_what_the_last_look_found(world: World, iam: Any) -> None:
    new = world.provision()
    world.clock.sleep(10)
    attach(iam)

    world.get(f"{ENVIRONMENT}/drift")
    drifted = world.get(ENVIRONMENT).body
    world.clock.sleep(10)
    world.post("/drift-runs")
    repaired = world.get(ENVIRONMENT).body

    assert (new["status"], drifted["status"], repaired["status"]) == ("ready", "drifted", "ready")
    assert [each["drift"]["in_sync"] for each in (drifted, repaired)] == [False, True]
    assert drifted["drift"]["checked_at"] < repaired["drift"]["checked_at"]
    listed = world.get("/environments").body["environments"][0]
    assert (listed["status"], listed["drift"]) == (repaired["status"], repaired["drift"])


@pytest.mark.parametrize("call", [f"{ENVIRONMENT}/reapply", "/environments"])
def test_what_was_put_back_by_hand_is_seen_by_the_next_call(
    world: World, iam: Any, call: str
) -> None:
    world.provision()
    attach(iam)
    world.get(f"{ENVIRONMENT}/drift")
    iam.detach_role_policy(RoleName=ROLE, PolicyArn=READ_ONLY)
    world.clock.sleep(10)
    body = {"name": NAME} if call == "/environments" else None

    seen = world.post(call, body).body

    assert (seen["status"], seen["drift"]["in_sync"]) == ("ready", True)
    assert world.get(ENVIRONMENT).body == seen
    assert operations(world) == ["create"]
    with world.wire.recording() as calls:
        assert world.post(call, body).body == seen
    assert not calls.writes


def test_a_run_in_which_nothing_changed_still_moves_checked_at(world: World) -> None:
    world.provision()
    world.post("/drift-runs")
    first = world.get(ENVIRONMENT).body["drift"]["checked_at"]
    world.clock.sleep(3_600)
    world.post("/drift-runs")

    assert world.get(ENVIRONMENT).body["drift"]["checked_at"] > first


# --- a day in the life


def test_a_day_is_told_by_history_alone(world: World, iam: Any) -> None:
    world.provision(deletion_protection=True)
    attach(iam)
    told(world)
    attach(iam)
    preview = world.post("/drift-runs", {"apply": False}).body
    pause(world)
    world.clock.sleep(60)
    world.post("/drift-runs")
    assert is_attached()
    world.delete(f"{ENVIRONMENT}/pause")
    world.clock.sleep(60)
    world.post("/drift-runs")
    assert not is_attached()
    delete_role(ROLE)
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=trust)
    iam.put_role_policy(RoleName=ROLE, PolicyName="open", PolicyDocument=json.dumps(OPEN))
    assert world.get(f"{ENVIRONMENT}/drift").body["foreign"]
    assert world.post(f"{ENVIRONMENT}/reapply").status == 409
    assert world.post(f"{ENVIRONMENT}/adopt").status == 200
    assert world.delete(ENVIRONMENT).status == 409
    world.delete(f"{ENVIRONMENT}/deletion-protection")
    assert world.delete(ENVIRONMENT).status == 200

    story = list(reversed(entries(world)))
    assert [each["operation"] for each in story] == [
        *("create", "event_repair", "pause", "resume", "drift_repair", "adopt", "unprotect"),
        "delete",
    ]
    assert {each["outcome"] for each in story} == {"done"}
    assert [each["at"] for each in story] == sorted(each["at"] for each in story)
    by_event = story[1]
    assert by_event["cause"]["event_name"] == "AttachRolePolicy"
    assert by_event["cause"]["actor"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/Admin/someone"
    for repair in (by_event, story[4]):
        [change] = repair["changes"]
        assert (change["kind"], change["effect"]) == ("detach_managed_policy", "widened")
        assert change["actual"] == READ_ONLY
        assert "ReadOnlyAccess" in change["summary"]
    removed = [each for each in story[5]["changes"] if each["kind"] == "delete_inline_policy"]
    assert [each["actual"]["document"] for each in removed] == [OPEN]
    assert preview["applied"] is False
    assert [each["outcome"] for each in preview["environments"]] == ["drifted"]
