"""The recorded calls, made once for all tests and worker processes of a run."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.recorder import RecordedCall
from tests.kit.shared import made_once

from .scenario import recorded_calls

Recorded = Callable[..., tuple[RecordedCall, ...]]


@pytest.fixture(scope="session")
def recorded(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str, pytestconfig: pytest.Config
) -> Recorded:
    """`recorded_calls`, shared between the workers of a run through files."""
    is_hostile = pytestconfig.getoption("hostile")

    def calls(region: str, lifted: bool = False) -> tuple[RecordedCall, ...]:
        def make(path: Path) -> None:
            path.write_bytes(pickle.dumps(recorded_calls(region, lifted, is_hostile)))

        name = f"recorded-{region}-{lifted}"
        kept = made_once(tmp_path_factory, worker_id, name, make)
        loaded: tuple[RecordedCall, ...] = pickle.loads(kept.read_bytes())
        return loaded

    return calls
