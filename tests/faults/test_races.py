"""Many calls at once: on one environment, on many, on the fleet."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial

import pytest

from tests.kit import inventory
from tests.kit.account import client
from tests.kit.checks import Answer
from tests.kit.faults import Gate
from tests.kit.hostile import OneChangeAtATime
from tests.kit.names import ACCOUNT, NAME, ROLES
from tests.kit.product import telemetry
from tests.kit.situations import DELETE, DRIFT_RUN, ENVIRONMENT, POST
from tests.kit.world import World, fresh

MANY_AT_ONCE = 20
DIFFERENT_AT_ONCE = 8


def _busy(answer: Answer) -> bool:
    return answer.status == 409 and answer.body["type"].endswith(":busy")


def _post(world: World, name: str = NAME) -> Answer:
    return world.ask_for(name=name)


def test_of_equal_requests_at_once_one_makes_the_environment() -> None:
    undisturbed = POST.undisturbed()
    with fresh() as world:
        one_at_a_time = OneChangeAtATime()
        with world.wire.through(one_at_a_time):
            answers = world.at_once(*[partial(_post, world)] * MANY_AT_ONCE)
        assert [answer.status for answer in answers].count(201) == 1
        assert all(answer.status in (200, 201) or _busy(answer) for answer in answers)
        assert one_at_a_time.overlaps == []
        assert inventory.executions() == 1
        world.finish()
        assert inventory.everything() == undisturbed.state


def test_different_requests_at_once_do_not_disturb_each_other() -> None:
    names = [f"lake-{number:02}" for number in range(DIFFERENT_AT_ONCE)]
    with fresh() as world:
        answers = world.at_once(*[partial(_post, world, name) for name in names])
        assert [answer.status for answer in answers] == [201] * DIFFERENT_AT_ONCE
        for name in names:
            assert world.finish(name)["smoke_test"]["status"] == "succeeded"
            assert world.request("GET", f"/environments/{name}/drift").body["in_sync"]
        held = inventory.everything()
        assert len(held["roles"]) == 3 * DIFFERENT_AT_ONCE
        # The permissions boundary is everyone's.
        assert len(held["policies"]) == 2 * DIFFERENT_AT_ONCE + 1
        assert held["leases"] == []


def test_provisioning_racing_deletion_racing_a_drift_run() -> None:
    undisturbed, empty = POST.undisturbed(), DELETE.undisturbed()
    with fresh() as world:
        one_at_a_time = OneChangeAtATime()
        with world.wire.through(one_at_a_time):
            for _ in range(3):
                posted, deleted, again, run, other_run = world.at_once(
                    partial(_post, world),
                    partial(DELETE.request, world),
                    partial(_post, world),
                    partial(DRIFT_RUN.request, world),
                    partial(DRIFT_RUN.request, world),
                )
                for answer in (posted, again):
                    assert answer.status in (200, 201) or _busy(answer), answer
                assert deleted.status in (200, 404) or _busy(deleted), deleted
                for answer in (run, other_run):
                    assert answer.status == 200 or _busy(answer), answer
        assert one_at_a_time.overlaps == []
        world.settle(partial(_post, world))
        world.finish()
        assert inventory.everything() == undisturbed.state
        DELETE.settle(world)
        assert inventory.everything() == empty.state


def test_the_lease_of_another_call_says_how_long_to_wait(world: World) -> None:
    gate = Gate(lambda call: call.action == "CreateRole")

    def second() -> Answer:
        gate.wait()
        answers = [world.ask_for(), world.request("DELETE", ENVIRONMENT)]
        answers += [world.request("POST", f"{ENVIRONMENT}/reapply")]
        gate.open()
        assert all(_busy(answer) for answer in answers), answers
        return answers[0]

    with world.wire.through(gate):
        first, refused = world.at_once(partial(_post, world), second)
    assert first.status == 201
    assert 0 < int(refused.headers["retry-after"]) <= 29


def _made_while_another_is_recorded(
    world: World, one: dict[str, str], other: dict[str, str]
) -> list[Answer]:
    """POST one environment, and the other between its look at the names there and its record."""
    record = "TransactWriteItems"
    gate = Gate(lambda call: call.action == record and one["name"] in str(call.parameters))

    def second() -> Answer:
        gate.wait()
        answer = world.ask_for(**other)
        gate.open()
        return answer

    with world.wire.through(gate):
        return world.at_once(partial(world.ask_for, **one), second)


@pytest.mark.parametrize(("one", "other"), [("lake", "lake-dev"), ("lake-dev", "lake")])
@pytest.mark.parametrize("profile", ["standard", "scoped"])
def test_a_scoped_environment_looks_for_names_like_its_own_once_it_is_recorded(
    world: World, one: str, other: str, profile: str
) -> None:
    """Each has looked before the other was recorded, as where Terraform makes both at once."""
    refused, made = _made_while_another_is_recorded(
        world, {"name": one, "profile": "scoped"}, {"name": other, "profile": profile}
    )

    assert (refused.status, made.status) == (409, 201)
    assert f"beside environment {other}" in refused.body["detail"]
    assert world.get(f"/environments/{one}").status == 404
    roles = {f"{other}-{suffix}" for suffix in ROLES.values()}
    assert set(inventory.held()["roles"]) == roles


def test_drift_runs_tell_of_two_that_should_not_stand_together(world: World) -> None:
    """What is left: the one that is recorded last has a profile that does not go by names."""
    one, other = {"name": "lake-dev", "profile": "standard"}, {"name": "lake", "profile": "scoped"}
    both = _made_while_another_is_recorded(world, one, other)
    world.ask_for(name="pond")
    until = world.clock.now() + 3600
    when = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    world.post("/environments/lake/pause", {"until": when, "reason": "moving house"})
    client("iam").detach_role_policy(
        RoleName="lake-SageMaker", PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/lake-SageMakerData"
    )

    report = world.post("/drift-runs", {}).body

    assert [each.status for each in both] == [201, 201]
    assert (report["checked"], report["in_sync"], report["failed"]) == (3, 1, 2)
    told = {each["name"]: each["error"] for each in report["environments"]}
    assert set(told) == {"lake", "lake-dev"}
    assert "moving house" in told["lake"]
    assert "stands beside environment lake-dev" in told["lake"]
    assert "stands beside environment lake," in told["lake-dev"]


def test_of_two_drift_runs_the_second_is_told_so(world: World) -> None:
    DRIFT_RUN.prepare(world)
    gate = Gate(lambda call: call.action == "GetAccountAuthorizationDetails")

    def second() -> Answer:
        gate.wait()
        answer = DRIFT_RUN.request(world)
        gate.open()
        return answer

    with world.wire.through(gate):
        first, refused = world.at_once(partial(DRIFT_RUN.request, world), second)
    assert first.status == 200
    assert _busy(refused)
    assert 0 < int(refused.headers["retry-after"]) <= 29


def test_metrics_of_many_threads_are_all_written(capsys: pytest.CaptureFixture[str]) -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def count() -> None:
        for number in range(200):
            telemetry.count(f"Metric{number % 7}")
            telemetry.flush()

    try:
        with ThreadPoolExecutor(8) as threads:
            for each in [threads.submit(count) for _ in range(8)]:
                each.result()
    finally:
        sys.setswitchinterval(interval)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    values = [line[key] for line in lines for key in line if key.startswith("Metric")]
    assert sum(len(each) for each in values) == 8 * 200
