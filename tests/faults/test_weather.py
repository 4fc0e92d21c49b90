"""Throttling, failures, lost requests and lost answers, at random: DynamoDB's included."""

from collections.abc import Mapping

import pytest

from tests.kit import checks, inventory
from tests.kit.faults import Weather
from tests.kit.situations import DELETE, POST, REAPPLY, SITUATIONS, Situation
from tests.kit.world import fresh

from .conftest import Scenario

KINDS: Mapping[str, Mapping[str, float]] = {
    "throttled": {"throttled": 0.3},
    "failing": {"failing": 0.2},
    "lost": {"lost": 0.2, "unheard": 0.2},
    "concurrent": {"concurrent": 0.2},
    "all at once": {
        "throttled": 0.1,
        "failing": 0.1,
        "lost": 0.1,
        "unheard": 0.1,
        "concurrent": 0.1,
    },
}


def _weathered(situation: Situation, weather: Weather) -> None:
    """Ask in bad weather until it is done, and look at the account when it has cleared up."""
    undisturbed = situation.undisturbed()
    with fresh() as world:
        situation.prepare(world)
        with world.wire.through(weather):
            situation.settle(world, lambda answer: checks.is_true(answer, undisturbed.state))
        world.finish()
        assert inventory.everything() == undisturbed.state


@pytest.mark.parametrize(
    ("situation", "kind"),
    [*((POST, kind) for kind in KINDS), (REAPPLY, "all at once"), (DELETE, "all at once")],
    ids=lambda each: each.name if isinstance(each, Situation) else each,
)
def test_bad_weather(situation: Situation, kind: str) -> None:
    weather = Weather(1, KINDS[kind])
    _weathered(situation, weather)
    assert set(weather.done) == set(KINDS[kind]), "the sun shone"


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda each: each.name)
def test_any_operation_in_bad_weather(situation: Situation, kind: str, scenario: Scenario) -> None:
    for seed in range(100, 115):
        with scenario(seed=seed):
            _weathered(situation, Weather(seed, KINDS[kind]))
