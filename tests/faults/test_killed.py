"""The process killed at every single AWS call, before and after it took effect."""

import pytest

from tests.kit import inventory
from tests.kit.faults import KillAt, Killed
from tests.kit.situations import CONFLICT, POST, SITUATIONS, Situation
from tests.kit.world import fresh

from .conftest import Scenario

Point = tuple[tuple[str, int], bool]


def _points(situation: Situation) -> list[Point]:
    """Return every call of the undisturbed operation, before and after it took effect."""
    keys = sorted({call.key for call in situation.undisturbed().calls})
    return [(key, after) for key in keys for after in (False, True)]


def _killed(situation: Situation, point: Point) -> None:
    """Kill an operation at one point, ask for the same again, and look at the account."""
    undisturbed = situation.undisturbed()
    with fresh() as world:
        situation.prepare(world)
        world.wire.layers.insert(0, KillAt(*point))
        with pytest.raises(Killed):
            situation.request(world)
        answers = situation.settle(world)
        assert len(answers) <= 2, f"Retry-After was not long enough: {answers}"
        world.finish()
        assert inventory.everything() == undisturbed.state
        assert inventory.executions() >= undisturbed.executions, "the smoke test was not run"


@pytest.mark.slow
def test_provisioning_killed_at_some_points(scenario: Scenario) -> None:
    """Before and after a call took effect in turn; the soak test takes all points."""
    for point in _points(POST)[::13]:
        with scenario(point=point):
            _killed(POST, point)


@pytest.mark.slow
def test_a_refused_environment_killed_is_not_recorded(scenario: Scenario) -> None:
    calls = CONFLICT.undisturbed().calls
    written = [call for call in calls if call.action == "TransactWriteItems"]
    assert len(written) > 1, "a record is made, and taken away again"
    for point in [(call.key, after) for call in written for after in (False, True)]:
        with scenario(point=point):
            _killed(CONFLICT, point)


@pytest.mark.soak
@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda each: each.name)
def test_any_operation_killed_at_any_call(situation: Situation, scenario: Scenario) -> None:
    for point in _points(situation):
        with scenario(point=point):
            _killed(situation, point)
