"""The course of the benchmarks: what is measured, in which order, on which AWS."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import cold_start, many_accounts, today, trivet, weather
from benchmarks.cloud import cloud, names
from benchmarks.cold_start import ColdStart
from benchmarks.measuring import Report, Sample, measure
from tools.child import REPOSITORY
from tools.embedded_aws import DEFAULT_REGION, client_settings, embedded_aws, without_aws
from tools.operations import fleet_machine

SIZES = (1, 30, 300, 1_000)
REPAIRED = 300
"""The size of the fleet that is repaired."""
ACCOUNTS = (10, 50)
"""Accounts of the runs over many."""
EACH = 20
"""Environments in each of them."""
AT_ONCE = fleet_machine.AT_ONCE
"""Accounts that the fleet's state machine works on side by side."""

WEATHERED = {100: 5, 300: 2}
"""The fleets that are repaired in bad weather, and how many runs one after the other."""

_LANES = 12
_TIMES = 5


@dataclass
class Fleet:
    """A fleet of one size: checked by Trivet, and role by role."""

    size: int
    trivet: Sample
    peak_memory: int
    role_by_role: Sample


@dataclass
class Accounts:
    """A fleet over so many accounts, checked by the steps of the fleet's state machine."""

    count: int
    side_by_side: Sample
    one_by_one: Sample


@dataclass
class Results:
    """All that was measured."""

    cold: Sample
    """A new environment, in a process that has asked AWS nothing yet."""
    new: list[Sample]
    """New environments, in a warm process."""
    repeats: list[Sample]
    procedure: list[Sample]
    own_cpu: list[float]
    """CPU seconds of warm requests that change nothing."""
    cold_start: ColdStart
    package_size: int
    fleets: dict[int, Fleet] = field(default_factory=dict)
    accounts: dict[int, Accounts] = field(default_factory=dict)
    repair: Sample | None = None
    repair_one_by_one: Sample | None = None
    weather: dict[int, list[Sample]] = field(default_factory=dict)
    """Drift runs over drifted fleets, by size: the first in calm weather, the others in bad."""


Step = Callable[[str], None]
"""Told of each step before it is taken."""

STEPS = 9 + 3 * len(SIZES) + 3 * len(ACCOUNTS) + len(WEATHERED)


def run(step: Step) -> Results:
    """Measure everything."""
    results = _single(step)
    for size in SIZES:
        step(f"filling an AWS with {size} environments")
        with cloud(size) as environment:
            results.fleets[size] = _fleet(step, size, environment)
            if size == REPAIRED:
                results.repair, results.repair_one_by_one = _repairs(step, size, environment)
    for count in ACCOUNTS:
        results.accounts[count] = over_accounts(step, count)
    for size, times in WEATHERED.items():
        step(f"Trivet repairs {size} in bad weather")
        in_memory = without_aws(os.environ) | client_settings("", DEFAULT_REGION)
        del in_memory["AWS_ENDPOINT_URL"]
        # All of them drift, which the brake would not have.
        in_memory["TRIVET_MAX_DRIFT"] = "1"
        measured = measure(weather.drift_runs, size, times, environment=in_memory)
        results.weather[size] = measured.samples
    return results


def over_accounts(step: Step, count: int) -> Accounts:
    """Check a fleet over so many accounts: side by side, and one account after the other."""
    step(f"filling an AWS with {count} accounts of {EACH}")
    with cloud(EACH, count) as environment:
        samples = []
        for at_once in (AT_ONCE, 1):
            step(f"Trivet checks {count} accounts, {at_once} at once")
            measured = measure(many_accounts.fleet_run, at_once, environment=environment)
            [sample] = measured.samples
            found = sample.result
            seen = (found["status"], found["in_sync"], len(found["accounts"]))
            assert seen == ("finished", EACH * count, count), f"the run came to {seen}"
            samples.append(sample)
    return Accounts(count, *samples)


def _single(step: Step) -> Results:
    with embedded_aws(region=DEFAULT_REGION) as aws:
        environment = aws.environment
        step("building the deployment package")
        package_size = _package_size()
        step("the first call ever, which makes the table")
        measure(trivet.new_environments, ["first"], environment=environment)
        step("new environments")
        new = measure(
            trivet.new_environments, _numbered("new", _TIMES + 1), environment=environment
        ).samples
        step("the manual procedure")
        procedure = measure(
            today.manual_procedure, _numbered("manual", _TIMES), environment=environment
        ).samples
        step("repeats of an existing environment")
        repeats = measure(trivet.repeats, "repeated", _TIMES, environment=environment).samples
        step("warm requests that change nothing")
        warm = measure(trivet.repeats_at_full_speed, "repeated", 100, environment=environment)
        step("cold starts")
        return Results(
            cold=new[0],
            new=new[1:],
            repeats=repeats,
            procedure=procedure,
            own_cpu=[each.own_cpu for each in warm.samples],
            cold_start=cold_start.cpu_seconds(environment),
            package_size=package_size,
        )


def _fleet(step: Step, size: int, environment: Mapping[str, str]) -> Fleet:
    step(f"Trivet checks {size}")
    report = _drift_run(environment, expected={"checked": size, "in_sync": size})
    # One lane shows that several at a time take each no longer.
    lanes = 1 if size <= 30 else _LANES
    step(f"{size} are read role by role")
    read = measure(today.fleet_role_by_role, names(size), lanes, environment=environment)
    assert read.samples[0].result == size, "the fleet is not in sync"
    return Fleet(size, report.samples[0], report.peak_memory, read.samples[0])


def _repairs(step: Step, size: int, environment: Mapping[str, str]) -> tuple[Sample, Sample]:
    """Repair a drift in each environment: as configured by default, and one after the other."""
    repaired = []
    # All of them drift, which the brake would not have.
    unbraked = {**environment, "TRIVET_MAX_DRIFT": "1"}
    for how, concurrency in (("side by side", {}), ("one by one", {"TRIVET_CONCURRENCY": "1"})):
        step(f"Trivet repairs {size} {how}")
        measure(today.one_drift_each, names(size), environment=environment)
        expected = {"checked": size, "drifted": size, "repaired": size}
        repaired += _drift_run({**unbraked, **concurrency}, expected).samples
    return repaired[0], repaired[1]


def _drift_run(environment: Mapping[str, str], expected: Mapping[str, Any]) -> Report:
    report = measure(trivet.drift_run, environment=environment)
    found = report.samples[0].result
    seen = {key: found[key] for key in expected}
    assert seen == expected, f"the drift run found {seen}, not {expected}"
    return report


def _package_size() -> int:
    """Return the size of the deployment package in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [Path(sys.executable).parent / "chalice", "package", folder],
            cwd=REPOSITORY,
            env={**os.environ, "AWS_DEFAULT_REGION": DEFAULT_REGION},
            check=True,
            capture_output=True,
        )
        return (Path(folder) / "deployment.zip").stat().st_size


def _numbered(name: str, count: int) -> list[str]:
    return [f"{name}-{number}" for number in range(count)]
