"""A role made a moment ago, which IAM and Step Functions do not see yet; or never will."""

from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from tests.kit import checks, inventory
from tests.kit.checks import Answer
from tests.kit.hostile import SlowToAppear, not_assumable
from tests.kit.product import GIVE_UP_AFTER
from tests.kit.situations import ENVIRONMENT, POST_AND_WAIT
from tests.kit.wire import Call, Deliver
from tests.kit.world import World


@pytest.fixture
def undisturbed() -> dict[str, Any]:
    """The account after all went well; asked for before `world`, since there is one at a time."""
    return POST_AND_WAIT.undisturbed().state


def _look(world: World) -> Answer:
    return world.request("GET", ENVIRONMENT)


@pytest.mark.parametrize("seconds", [0, 8])
def test_a_role_seen_within_the_wait_makes_no_difference(
    undisturbed: dict[str, Any], world: World, seconds: int
) -> None:
    late = SlowToAppear(world.clock, iam=2, states=seconds)
    with world.wire.through(late):
        answer = world.ask_for(wait=20)
    assert (answer.status, answer.body["status"]) == (201, "ready")
    assert answer.body["smoke_test"]["status"] == "succeeded"
    assert late.refusals["IAM"]
    assert bool(late.refusals["SFN"]) == bool(seconds)
    assert inventory.everything() == undisturbed


def test_a_role_seen_after_a_minute_is_carried_on(
    undisturbed: dict[str, Any], world: World
) -> None:
    with world.wire.through(SlowToAppear(world.clock, iam=2, states=60)):
        answer = world.ask_for(wait=20)
        assert (answer.status, answer.body["status"]) == (201, "incomplete")
        assert answer.body["smoke_test"]["status"] == "pending"
        assert _look(world).body["smoke_test"]["status"] == "pending"
        world.clock.sleep(60)
        answer = _look(world)
        checks.is_true(answer, undisturbed)
        assert answer.body["status"] == "ready"
    world.finish()
    assert inventory.everything() == undisturbed


def _never_assumable(call: Call, deliver: Deliver) -> AWSResponse:
    return not_assumable(call) if call.action == "CreateStateMachine" else deliver()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ENVIRONMENT),
        ("POST", f"{ENVIRONMENT}/smoke-test"),
        ("POST", f"{ENVIRONMENT}/reapply"),
        ("POST", "/drift-runs"),
    ],
)
def test_a_role_that_never_is_assumable_fails_the_smoke_test(
    world: World, method: str, path: str
) -> None:
    with world.wire.through(_never_assumable):
        answer = world.ask_for(wait=20)
        assert answer.body["smoke_test"]["status"] == "pending"
        for _ in range(2):
            world.clock.sleep(GIVE_UP_AFTER / 2 + 1)
            world.request(method, path)
        answer = _look(world)
    assert answer.body["status"] == "incomplete"
    assert answer.body["smoke_test"]["status"] == "failed"
    [check] = answer.body["smoke_test"]["checks"]
    assert "still spreading through AWS" in check["detail"]
    assert "trust policy or permissions are wrong" in check["detail"]
