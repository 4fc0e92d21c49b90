"""Trivet, measured: each function in a process of its own (`measuring.measure`)."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from benchmarks.lambda_calls import request, scheduled_drift_run
from benchmarks.measuring import Sample, report, sample

_SECONDS_FOR_SMOKE_TEST = 60


def new_environments(names: Sequence[str]) -> list[Sample]:
    """Provision new environments, the first in a cold process."""
    return [sample(partial(_provision, name)) for name in names]


def repeats(name: str, times: int) -> list[Sample]:
    """Repeat the request for an environment that is as declared."""
    _settle(name)
    return [sample(partial(_provision, name)) for _ in range(times)]


def repeats_at_full_speed(name: str, times: int) -> list[Sample]:
    """Do the same without a latency: what counts is Trivet's own CPU time."""
    _settle(name)
    return [sample(partial(_provision, name), latency=0) for _ in range(times)]


def drift_run() -> list[Sample]:
    """Do one drift run in a cold process; the result is its report."""
    return [replace(sample(scheduled_drift_run), result=request("GET", "/drift-runs/latest"))]


def _provision(name: str) -> dict[str, Any]:
    return request("POST", "/environments", {"name": name, "wait": 0})


def _shown(name: str) -> dict[str, Any]:
    return request("GET", "/environments/{name}", name=name)


def _settle(name: str) -> None:
    """Provision an environment, and ask for it until its smoke test succeeded."""
    _provision(name)
    deadline = time.monotonic() + _SECONDS_FOR_SMOKE_TEST
    while _shown(name)["smoke_test"]["status"] != "succeeded":
        assert time.monotonic() < deadline, "the smoke test did not succeed"
        time.sleep(0.2)


if __name__ == "__main__":
    report(globals())
