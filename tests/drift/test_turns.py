"""Runs that meet: another run, another call on an environment, and the end of their time."""

import threading
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from tests.kit.checks import Answer
from tests.kit.drifts import named
from tests.kit.events import scheduled
from tests.kit.faults import KillAt, Killed
from tests.kit.http import invoke
from tests.kit.inventory import resources
from tests.kit.names import NAME
from tests.kit.wire import Call, Deliver, Layer, refusing
from tests.kit.world import World

from .support import drift, only, provision, requested_run, scheduled_run, writes

BULK = "GetAccountAuthorizationDetails"


def meanwhile(action: str, do: Callable[[], None]) -> Layer:
    """Return a fault that does something else, once, after the first call of this name."""
    turns = iter([do])

    def then(call: Call, deliver: Deliver) -> AWSResponse:
        answer = deliver()
        other = next(turns, None) if call.action == action else None
        if other is not None:
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
        return answer

    return then


def test_the_second_of_two_runs_is_refused_until_the_first_has_ended(world: World) -> None:
    provision(world, NAME)
    refused: list[Answer] = []

    with world.wire.through(
        meanwhile(BULK, lambda: refused.append(world.request("POST", "/drift-runs")))
    ):
        requested_run(world)

    [answer] = refused
    assert answer.status == 409
    assert int(answer.headers["retry-after"]) >= 1
    requested_run(world)


def test_the_schedule_skips_its_turn_and_logs_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    provision(world, NAME)

    def on_schedule() -> None:
        invoke("drift_run", scheduled())

    with world.wire.recording() as made, world.wire.through(meanwhile(BULK, on_schedule)):
        report = requested_run(world)

    run = report["id"].rsplit("-", 1)[-1]
    skipped = [call for call in made if sha256(call.operation.encode()).hexdigest()[:12] != run]
    assert {call.service for call in skipped} == {"DynamoDB"}
    assert [call.action for call in skipped if call.writes] == ["UpdateItem"]
    assert any(record.message == "drift run skipped" for record in caplog.records)
    assert world.request("GET", "/drift-runs/latest").body == report


def test_the_lease_of_a_run_that_died_runs_out(world: World) -> None:
    provision(world, NAME)
    named("tag_added").on(NAME, "notebook")
    with (
        pytest.raises(Killed),
        world.wire.through(KillAt((f"{BULK} Role LocalManagedPolicy", 1), after=True)),
    ):
        world.request("POST", "/drift-runs")

    refused = world.request("POST", "/drift-runs")
    assert refused.status == 409
    world.clock.sleep(int(refused.headers["retry-after"]))
    assert only(requested_run(world))["outcome"] == "repaired"


@pytest.mark.parametrize("apply", [True, False])
def test_an_environment_that_another_call_holds_is_left_to_it(world: World, apply: bool) -> None:
    provision(world, NAME)
    declared = resources()
    named("trust_opened").on(NAME, "notebook")
    named("tag_added").on(NAME, "notebook")
    first_write = (f"UntagRole {NAME}-SageMaker", 1)
    with pytest.raises(Killed), world.wire.through(KillAt(first_write, after=False)):
        world.request("POST", f"/environments/{NAME}/reapply")
    drifted = resources()

    report = requested_run(world, {"apply": apply})

    assert (report["drifted"], report["failed"]) == (1, 0)
    assert only(report)["outcome"] == "drifted"
    assert "Another call" in only(report)["error"]
    assert {change["kind"] for change in only(report)["changes"]} == {
        "update_trust_policy",
        "untag_role",
    }
    assert resources() == drifted
    world.clock.sleep(60)
    assert only(requested_run(world))["outcome"] == "repaired"
    assert resources() == declared


def test_an_environment_that_changed_since_it_was_read_is_left_to_the_next_run(
    world: World,
) -> None:
    provision(world, NAME)
    declared = resources()
    named("trust_opened").on(NAME, "notebook")

    def put() -> None:
        answer = world.request("PUT", f"/environments/{NAME}", {"tags": {"team": "new"}, "wait": 0})
        assert answer.status == 200

    with world.wire.through(meanwhile(BULK, put)):
        finding = only(requested_run(world))
    assert finding["outcome"] == "drifted"
    assert "Another call" in finding["error"]
    roles = resources()["roles"]
    assert all(role["tags"]["team"] == "new" for role in roles.values())
    assert [role["trust"] for role in roles.values()] == [
        role["trust"] for role in declared["roles"].values()
    ]


@pytest.mark.parametrize("apply", [True, False])
def test_an_environment_deleted_meanwhile_is_not_in_the_report(world: World, apply: bool) -> None:
    provision(world, NAME)
    provision(world, f"{NAME}-other")

    def delete() -> None:
        assert world.request("DELETE", f"/environments/{NAME}").status == 200

    with world.wire.through(meanwhile("Query", delete)):
        report = requested_run(world, {"apply": apply})

    assert (report["checked"], report["in_sync"], report["environments"]) == (1, 1, [])
    assert all("other" in name for name in resources()["roles"])


@pytest.fixture
def fleet(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Six environments that have drifted, worked on one after the other."""
    monkeypatch.setenv("TRIVET_CONCURRENCY", "1")
    names = [f"{NAME}-{letter}" for letter in "abcdef"]
    for name in names:
        provision(world, name)
        named("tag_added").on(name, "notebook")
    return names


def slow_to_untag(world: World) -> Layer:
    """Return a fault that makes each environment's repair take six seconds."""

    def slow(call: Call, deliver: Deliver) -> AWSResponse:
        if call.action == "UntagRole":
            world.clock.sleep(6)
        return deliver()

    return slow


def repaired(report: Any) -> list[str]:
    assert {each["outcome"] for each in report["environments"]} <= {"repaired"}
    return [each["name"] for each in report["environments"]]


def test_a_run_ends_in_good_time_and_the_next_starts_where_it_ended(
    world: World, fleet: list[str]
) -> None:
    with world.wire.through(slow_to_untag(world)):
        started = world.clock.now()
        first = requested_run(world)
        assert world.clock.now() - started < 29

        assert repaired(first) == fleet[:3]
        assert first["not_reached"] == fleet[3:]
        assert (first["checked"], first["in_sync"]) == (3, 0)
        assert world.request("GET", "/drift-runs/latest").body == first

        # One that comes before the start drifts again: it is the last to be looked at.
        named("tag_added").on(fleet[0], "notebook")
        second = requested_run(world)
        assert repaired(second) == fleet[3:]
        assert second["not_reached"] == fleet[:3]

        third = requested_run(world)
    assert repaired(third) == fleet[:1]
    assert (third["checked"], third["not_reached"]) == (6, [])
    assert requested_run(world)["in_sync"] == 6


def test_the_schedule_ends_in_good_time_too(world: World, fleet: list[str]) -> None:
    with world.wire.through(slow_to_untag(world)):
        report = scheduled_run(world, seconds=40)
    assert repaired(report) == fleet[:3]
    assert report["not_reached"] == fleet[3:]


def test_the_next_run_starts_after_a_name_that_is_gone(world: World, fleet: list[str]) -> None:
    with world.wire.through(slow_to_untag(world)):
        assert requested_run(world)["not_reached"][0] == fleet[3]
        assert world.request("DELETE", f"/environments/{fleet[3]}").status == 200
        named("tag_added").on(fleet[0], "notebook")
        assert repaired(requested_run(world)) == [fleet[0], *fleet[4:]]


def test_a_run_that_could_not_read_the_account_does_not_lose_its_place(
    world: World, fleet: list[str]
) -> None:
    with world.wire.through(slow_to_untag(world)):
        assert requested_run(world)["not_reached"][0] == fleet[3]

        def bulk(call: Call) -> bool:
            return call.action == BULK

        with world.wire.through(refusing(bulk, "AccessDenied", "no")):
            assert world.request("POST", "/drift-runs").status == 502
        named("tag_added").on(fleet[0], "notebook")
        assert requested_run(world)["not_reached"] == fleet[:3]


def test_time_that_runs_out_while_reading_is_no_failure_of_any_environment(
    world: World, fleet: list[str]
) -> None:
    def slow(call: Call, deliver: Deliver) -> AWSResponse:
        answer = deliver()
        if call.action == "ListPolicies":
            world.clock.sleep(25)
        return answer

    with world.wire.through(slow), world.wire.recording() as made:
        report = requested_run(world)
    assert (report["checked"], report["failed"], report["not_reached"]) == (0, 0, fleet)
    assert not writes(made)


def test_what_is_not_repaired_in_time_is_reported_and_completed_by_the_next_run(
    world: World, fleet: list[str]
) -> None:
    declared = resources()
    for name in fleet:
        named("all_managed_policies_detached").on(name, "notebook")

    def slow(call: Call, deliver: Deliver) -> AWSResponse:
        if call.action == "AttachRolePolicy":
            world.clock.sleep(4)
        return deliver()

    with world.wire.through(slow):
        report = requested_run(world)
    assert [(each["name"], each["outcome"]) for each in report["environments"]] == [
        (fleet[0], "failed")
    ]
    assert "Time ran out" in report["environments"][0]["error"]
    assert report["not_reached"] == fleet[1:]

    requested_run(world)
    now = resources()["roles"]
    assert {name: role["attached"] for name, role in now.items()} == {
        name: role["attached"] for name, role in declared["roles"].items()
    }
    assert drift(world, fleet[0])["in_sync"]


def test_a_run_that_only_looks_holds_no_environment(world: World, fleet: list[str]) -> None:
    with world.wire.recording() as made:
        assert requested_run(world, {"apply": False})["drifted"] == 6
    assert not writes(made)
    rows = [call.parameters["Item"] for call in made if call.action == "PutItem"]
    assert not [row for row in rows if row["pk"]["S"] == "environment"]


def test_what_was_half_deleted_is_not_made_anew(world: World) -> None:
    provision(world, NAME)
    first_role = (f"DeleteRole {NAME}-SageMaker", 1)
    with pytest.raises(Killed), world.wire.through(KillAt(first_role, after=True)):
        world.request("DELETE", f"/environments/{NAME}")
    world.clock.sleep(60)
    left = resources()

    report = requested_run(world)

    assert (only(report)["outcome"], resources()) == ("failed", left)
    assert "Call DELETE again" in only(report)["error"]
    assert world.request("DELETE", f"/environments/{NAME}").status == 200
    assert requested_run(world)["checked"] == 0


def test_what_was_half_deleted_comes_back_when_asked_for(world: World) -> None:
    provision(world, NAME)
    whole = resources()
    first_role = (f"DeleteRole {NAME}-SageMaker", 1)
    with pytest.raises(Killed), world.wire.through(KillAt(first_role, after=True)):
        world.request("DELETE", f"/environments/{NAME}")
    world.clock.sleep(60)

    answer = world.request("POST", "/environments", {"name": NAME})

    assert (answer.status, answer.body["status"]) == (200, "ready")
    assert resources() == whole
    assert requested_run(world)["in_sync"] == 1
