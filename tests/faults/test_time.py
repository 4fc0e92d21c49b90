"""Time running out: the answer comes before the function's time ends, and is honest."""

from collections.abc import Mapping

import pytest

from tests.kit import checks, inventory
from tests.kit.faults import Latency
from tests.kit.situations import DELETE, DRIFT_RUN, POST, REAPPLY, SITUATIONS, SMOKE_TEST, Situation
from tests.kit.world import fresh

from .conftest import Scenario

Slowness = Mapping[str, float]
ALL_SLOW: Slowness = {"seconds": 1.5}
IAM_SLOW: Slowness = {"seconds": 4.9, "of_dynamodb": 0.1}
DYNAMODB_SLOW: Slowness = {"seconds": 0.1, "of_dynamodb": 2.9}
DYNAMODB_SILENT: Slowness = {"seconds": 0.1, "of_dynamodb": 9}


def _hurried(situation: Situation, seconds: float, slowness: Slowness) -> None:
    """Give an operation little time, then time enough, and look at the account."""
    undisturbed = situation.undisturbed()
    with fresh() as world:
        situation.prepare(world)
        with world.wire.through(Latency(world.clock, **slowness)):
            began = world.clock.now()
            answer = situation.request(world, seconds)
            assert world.clock.now() < began + seconds, "the answer came too late"
            checks.is_true(answer, undisturbed.state)
        assert answer.status in (200, 503) or situation.done(answer), answer
        situation.settle(world)
        world.finish()
        assert inventory.everything() == undisturbed.state


@pytest.mark.parametrize(("seconds", "slowness"), [(29, IAM_SLOW), (5, ALL_SLOW)])
@pytest.mark.parametrize(
    "situation", [POST, REAPPLY, DRIFT_RUN, DELETE, SMOKE_TEST], ids=lambda each: each.name
)
def test_little_time(situation: Situation, seconds: float, slowness: Slowness) -> None:
    """The soak test takes every other time, and slowness of the table's too."""
    _hurried(situation, seconds, slowness)


@pytest.mark.parametrize(("seconds", "slowness"), [(14, DYNAMODB_SLOW), (1, ALL_SLOW)])
def test_little_time_to_provision(seconds: float, slowness: Slowness) -> None:
    _hurried(POST, seconds, slowness)


@pytest.mark.soak
@pytest.mark.parametrize("slowness", [ALL_SLOW, IAM_SLOW, DYNAMODB_SLOW, DYNAMODB_SILENT])
@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda each: each.name)
def test_any_little_time(situation: Situation, slowness: Slowness, scenario: Scenario) -> None:
    for seconds in range(1, 31, 2):
        with scenario(seconds=seconds):
            _hurried(situation, seconds, slowness)
