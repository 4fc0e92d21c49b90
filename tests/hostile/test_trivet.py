"""Trivet over the hostile AWS: asked again as it says, it comes to the state of a kind one."""

import pytest

from tests.kit import inventory
from tests.kit.hostile import AT_REST, hostile
from tests.kit.situations import DELETE, DRIFT_RUN, POST, PUT, REAPPLY, Situation
from tests.kit.world import fresh


@pytest.mark.parametrize(
    "situation",
    [
        POST,
        pytest.param(PUT, marks=pytest.mark.soak),
        pytest.param(REAPPLY, marks=pytest.mark.soak),
        DRIFT_RUN,
        DELETE,
    ],
    ids=lambda each: each.name,
)
def test_it_ends_as_on_a_kind_aws(situation: Situation) -> None:
    undisturbed = situation.undisturbed()
    with fresh() as world, world.wire.through(*hostile(world.clock)):
        situation.prepare(world)
        world.clock.sleep(AT_REST)
        situation.settle(world)
        world.clock.sleep(AT_REST)
        world.finish()
        assert inventory.everything() == undisturbed.state
