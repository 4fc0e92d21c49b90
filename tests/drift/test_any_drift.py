"""Any drifts at once: the fleet run brings IAM to the state of an untouched environment."""

import itertools
import json
import os
import re
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.kit.drifts import CATALOGUE
from tests.kit.inventory import resources
from tests.kit.world import World, fresh

from .support import drift, provision, requested_run, scheduled_run, writes

BOUNDARY = "arn:aws:iam::aws:policy/PowerUserAccess"
TWINS = {None: "free-twin", BOUNDARY: "bounded-twin"}
NUMBERS = itertools.count(1)

in_bulk = st.sampled_from([kind for kind in CATALOGUE if kind.in_bulk])
drifts = st.lists(
    in_bulk.flatmap(lambda kind: st.tuples(st.just(kind), st.sampled_from(kind.roles))),
    min_size=1,
    max_size=8,
)
any_drifts = given(
    drifts=drifts,
    boundary=st.sampled_from([None, BOUNDARY]),
    run=st.sampled_from([requested_run, scheduled_run]),
)


@pytest.fixture(scope="module")
def account() -> Iterator[World]:
    """An account with two environments that nobody touches."""
    lifted = {"TRIVET_PERMISSIONS_BOUNDARY": "none"}
    with patch.dict(os.environ, lifted), fresh() as world:
        for boundary, name in TWINS.items():
            provision(world, name, permissions_boundary=boundary)
        yield world


@pytest.mark.slow
@any_drifts
@settings(max_examples=3, deadline=None, derandomize=True, phases=[Phase.generate])
def test_any_drifts_are_repaired_to_the_state_of_a_twin(
    account: World, drifts: Any, boundary: str | None, run: Any
) -> None:
    _check(account, drifts, boundary, run)


@pytest.mark.soak
@any_drifts
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_very_many_combinations_of_drifts_are_repaired(
    account: World, drifts: Any, boundary: str | None, run: Any
) -> None:
    _check(account, drifts, boundary, run)


def _check(account: World, drifts: Any, boundary: str | None, run: Any) -> None:
    name, twin = f"env-{next(NUMBERS)}", TWINS[boundary]
    provision(account, name, permissions_boundary=boundary)
    try:
        for kind, role in drifts:
            kind.on(name, role)
        drifted = resources()
        with account.wire.recording() as made:
            looked = requested_run(account, {"apply": False})
        assert not writes(made)
        assert resources() == drifted

        repaired = run(account)
        assert repaired["drifted"] == looked["drifted"]
        assert repaired["failed"] == 0
        assert _of(name, resources()) == _of(twin, resources())
        assert _of(twin, resources()) == _of(twin, drifted)

        with account.wire.recording() as made:
            again = run(account)
        assert again["environments"] == []
        assert not [write for write in writes(made) if not write.startswith("StartExecution")]
        assert drift(account, name)["in_sync"]
    finally:
        account.request("DELETE", f"/environments/{name}")


def _of(name: str, everything: Any) -> Any:
    """Return what is an environment's, under names that are the same for any."""
    found = {
        kind: {
            key: value
            for key, value in values.items()
            if re.split("[:/]", key)[-1].startswith(f"{name}-")
        }
        for kind, values in everything.items()
    }
    return json.loads(json.dumps(found).replace(name, "E"))
