"""A fleet in bad weather: throttling slows a run, and neither stops it nor the runs after it."""

import pytest

from tests.kit.faults import Latency
from tests.kit.fleet import API_GATEWAY, Run, fleet
from tests.kit.wire import refusing


@pytest.fixture(autouse=True)
def _no_brake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every environment drifts here, which a run would take for a wrong template."""
    monkeypatch.setenv("TRIVET_MAX_DRIFT", "1")


def _all_repaired(run: Run, size: int) -> None:
    assert run.status == 200, run
    assert run.counts == {"checked": size, "repaired": size, "failed": 0, "not_reached": 0}
    assert run.seconds < API_GATEWAY


@pytest.mark.parametrize("size", [12, pytest.param(100, marks=pytest.mark.soak)])
def test_every_run_repairs_all_and_a_calm_call_is_as_fast_as_ever(size: int) -> None:
    with fleet(size) as found:
        found.seconds_of_a_look()  # asks for the account besides, once a process
        before = found.seconds_of_a_look()
        for seed in range(5 if size == 100 else 2):
            found.drift()
            _all_repaired(found.run_in_bad_weather(seed), size)
            assert found.in_order() == size
        assert found.seconds_of_a_look() == pytest.approx(before)


@pytest.mark.soak
def test_of_three_hundred_the_second_run_does_what_the_first_did_not_reach() -> None:
    size = 300
    with fleet(size) as found:
        calm = found.run()
        found.drift()
        first = found.run_in_bad_weather(0)
        second = found.run_in_bad_weather(1)
        # As many as calm weather's share of the time allows.
        assert first.counts["repaired"] >= min(size, size * API_GATEWAY // calm.seconds // 2)
        for run in (first, second):
            assert run.counts["failed"] == 0
            assert run.seconds < API_GATEWAY
        assert second.counts["not_reached"] == 0
        assert found.in_order() == size


def test_roles_are_repaired_though_no_state_machine_can_be_read() -> None:
    with fleet(8) as found:
        with found.world.wire.through(refusing("DescribeStateMachine", "ThrottlingException")):
            run = found.run()
        _all_repaired(run, 8)
        assert found.in_order() == 8
        assert all("state machine" in each["error"] for each in run.report["environments"])


@pytest.mark.parametrize("seconds_a_call", [0.5, 3, 6])
def test_slow_answers_make_no_answer_late(seconds_a_call: float) -> None:
    with fleet(12, seconds_a_call=0) as found:
        with found.world.wire.through(Latency(found.world.clock, seconds_a_call, of_dynamodb=0.5)):
            run = found.run()
        assert run.status in (200, 503)
        assert run.seconds < API_GATEWAY
