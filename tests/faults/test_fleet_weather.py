"""A fleet in bad weather: throttling slows a run, and neither stops it nor the runs after it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from benchmarks import copies
from benchmarks.cloud import names
from tests.kit.account import client
from tests.kit.checks import Answer
from tests.kit.faults import Latency, Weather
from tests.kit.wire import refusing
from tests.kit.world import World, fresh

API_GATEWAY = 29
"""Seconds after which nobody hears an answer."""

BAD: Mapping[str, float] = {"throttled": 0.2, "failing": 0.1, "unheard": 0.1}
S3 = "arn:aws:iam::aws:policy/AmazonS3FullAccess"


@contextmanager
def fleet(size: int, real_seconds: float = 0.02) -> Iterator[World]:
    """Have a fleet of which every environment drifted.

    Args:
        real_seconds: that pass in a second of waiting. moto works on one call at a time, for some
            20 ms: only who waits longer than that really waits beside the others.
    """
    with fresh() as world:
        world.clock.real_seconds = real_seconds
        copies.fill(size)
        drift(size)
        yield world


def drift(size: int) -> None:
    iam = client("iam")
    for name in names(size):
        with suppress(iam.exceptions.NoSuchEntityException):
            iam.detach_role_policy(RoleName=f"{name}-SageMaker", PolicyArn=S3)


def repaired(size: int) -> int:
    iam = client("iam")
    return sum(
        any(
            each["PolicyArn"] == S3
            for each in iam.list_attached_role_policies(RoleName=f"{name}-SageMaker")[
                "AttachedPolicies"
            ]
        )
        for name in names(size)
    )


def timed(world: World) -> tuple[Answer, float]:
    began = world.clock.now()
    answer = world.post("/drift-runs")
    return answer, world.clock.now() - began


@pytest.fixture(autouse=True)
def _no_brake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every environment drifts here, which a run would take for a wrong template."""
    monkeypatch.setenv("TRIVET_MAX_DRIFT", "1")


def counts(answer: Answer) -> dict[str, Any]:
    report = answer.body
    return {
        "checked": report["checked"],
        "repaired": report["repaired"],
        "failed": report["failed"],
        "not_reached": len(report["not_reached"]),
    }


def test_a_run_checks_and_repairs_every_one_in_bad_weather() -> None:
    with fleet(12) as world:
        with world.wire.through(Weather(1, BAD)):
            answer, seconds = timed(world)
        assert answer.status == 200, answer
        assert counts(answer) == {"checked": 12, "repaired": 12, "failed": 0, "not_reached": 0}
        assert seconds < API_GATEWAY
        assert repaired(12) == 12


@pytest.mark.soak
def test_the_first_run_checks_and_repairs_every_one_of_a_hundred() -> None:
    with fleet(100, real_seconds=3) as world:
        with world.wire.through(Weather(1, BAD)):
            answer, seconds = timed(world)
        assert answer.status == 200, answer
        assert counts(answer) == {"checked": 100, "repaired": 100, "failed": 0, "not_reached": 0}
        assert seconds < API_GATEWAY
        assert repaired(100) == 100


@pytest.mark.soak
def test_no_run_slows_the_next_and_a_calm_call_is_as_fast_as_ever() -> None:
    with fleet(100, real_seconds=3) as world:
        for number in range(5):
            drift(100)
            with world.wire.through(Weather(number, BAD)):
                answer, seconds = timed(world)
            assert counts(answer)["repaired"] == 100
            assert seconds < API_GATEWAY
        name = names(1)[0]
        slept = world.clock.slept
        assert world.get(f"/environments/{name}/drift").status == 200
        assert world.clock.slept == slept


@pytest.mark.soak
def test_of_three_hundred_the_second_run_does_what_the_first_did_not_reach() -> None:
    with fleet(300, real_seconds=3) as world:
        for number in range(2):
            with world.wire.through(Weather(number, BAD)):
                answer, seconds = timed(world)
            assert counts(answer)["failed"] == 0
            assert seconds < API_GATEWAY
        assert not answer.body["not_reached"]
        assert repaired(300) == 300


def test_roles_are_repaired_though_no_state_machine_can_be_read() -> None:
    with fleet(8) as world:
        with world.wire.through(refusing("DescribeStateMachine", "ThrottlingException")):
            answer, seconds = timed(world)
        assert repaired(8) == 8
        assert counts(answer)["repaired"] == 8
        assert all("state machine" in each["error"] for each in answer.body["environments"])
        assert seconds < API_GATEWAY


@pytest.mark.parametrize("seconds_a_call", [0.5, 3, 6])
def test_slow_answers_make_no_answer_late(seconds_a_call: float) -> None:
    with fleet(12) as world:
        with world.wire.through(Latency(world.clock, seconds_a_call, of_dynamodb=0.5)):
            answer, seconds = timed(world)
        assert answer.status in (200, 503)
        assert seconds < API_GATEWAY
