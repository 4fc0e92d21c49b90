"""What a run costs an account does not depend on how many accounts there are."""

from collections import Counter

import pytest

from tests.accounts.support import Stage, provision, register
from tests.kit.names import ACCOUNT


def cost(stage: Stage, run: str, account_id: str) -> Counter[str]:
    """Return the calls that looking at one account takes, by action."""
    with stage.world.wire.recording() as calls:
        stage.step("look", run, account_id=account_id)
    return Counter(f"{call.service}:{call.action}" for call in calls)


@pytest.mark.slow
def test_calls_per_account_are_constant(stage: Stage) -> None:
    members = [f"{400000000000 + number}" for number in range(6)]
    for account_id in members[:2]:
        register(stage.world, account_id)
        provision(stage.world, account_id)
    run = stage.start()["id"]
    few = [cost(stage, run, each) for each in members[:2]]
    stage.over("look", run, [ACCOUNT])
    stage.step("decide", run)
    stage.step("conclude", run)

    for account_id in members[2:]:
        register(stage.world, account_id)
        provision(stage.world, account_id)
    run = stage.start()["id"]
    many = [cost(stage, run, each) for each in members]

    assert {tuple(sorted(each.items())) for each in [*few, *many]} == {
        tuple(sorted(few[0].items()))
    }
