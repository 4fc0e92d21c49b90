"""Members beside home, and the fleet's state machine in place of AWS's."""

from collections.abc import Iterator

import pytest

from tests.accounts.support import MEMBER, Stage, register
from tests.kit.world import World


@pytest.fixture
def member(world: World) -> str:
    """A registered member account's id."""
    register(world, MEMBER)
    return MEMBER


@pytest.fixture
def stage(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A deployed stage: the functions run on Lambda, and the fleet's state machine is there."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "trivet-dev")
    monkeypatch.setenv("TRIVET_STAGE", "dev")
    made = Stage(world)
    with world.wire.through(made.machine):
        yield made
