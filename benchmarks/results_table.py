"""The results as a Markdown page: what must be reached, what was, and beside it today's ways."""

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from statistics import median

from benchmarks import accounts_table, weather_table
from benchmarks.course import REPAIRED, SIZES, Fleet, Results
from benchmarks.measuring import LATENCY, Sample
from benchmarks.tables import Row, table

_BULK = frozenset({"iam:GetAccountAuthorizationDetails", "iam:ListRoles", "iam:ListPolicies"})
_MB = 1_000_000


def rows(results: Results) -> list[Row]:
    """Return what must be reached, and whether it was."""
    return [
        *_single_environment(results),
        *_fleet_in_sync(results.fleets[REPAIRED]),
        _growth(results),
        _memory(results.fleets[SIZES[-1]]),
        *_repair(results),
        accounts_table.constant(results.accounts),
        *_process(results),
        *weather_table.rows(results.weather),
    ]


def page(results: Results) -> str:
    """Return the whole page."""
    asked = [
        [row.what, row.must, row.measured, "reached" if row.reached else "**missed**"]
        for row in rows(results)
    ]
    single = [
        _single_row("Trivet, warm", results.new),
        _single_row("Trivet, cold process", [results.cold]),
        _single_row("Trivet, repeated", results.repeats),
        _single_row("the manual procedure, call by call", results.procedure),
    ]
    fleets = [_fleet_row(fleet) for fleet in results.fleets.values()]
    return _PAGE.format(
        latency=f"{LATENCY * 1000:.0f}",
        python=platform.python_version(),
        boto3=version("boto3"),
        moto=version("moto"),
        cores=_cores(),
        asked=table(["what", "must be", "measured", ""], asked),
        single=table(["", "calls", "in sequence", "seconds"], single),
        writes=_writes(results),
        against_writes=f"{_against_writes(results):.2f}",
        fleets=table(_FLEET_HEAD, fleets),
        accounts=accounts_table.section(results.accounts),
        weather=weather_table.table_of(results.weather),
    )


_FLEET_HEAD = (
    "environments",
    "Trivet: calls",
    "to IAM",
    "seconds",
    "ms each",
    "own CPU ms each",
    "peak MB",
    "role by role: calls",
    "seconds",
    "times Trivet's",
)

_PAGE = """\
# Benchmarks

Written by `make bench`; do not edit. Every AWS call takes {latency} ms more than moto needs to
answer it. Python {python}, boto3 {boto3}, moto {moto}, {cores} CPU cores, which moto, Trivet and
the comparisons share.

## What must be reached

{asked}

## One new environment

{single}

The manual procedure is `benchmarks/procedure.py`: each step of the appendix that reaches AWS,
look-ups included, then the state machine and its start. Against its {writes} writing calls alone,
Trivet's wall clock (warm, reads and records included) is {against_writes}.

Of Trivet's calls in sequence, nine are changes to the notebook role, which IAM wants one after the
other. The others look the environment up, record it and look at what has its names, and record
what became of it. Calls in sequence are taken from the times at which real requests began and
ended: the most that followed one another.

For the cold start both sides find their modules compiled, as Python keeps them. The deployment
package holds no bytecode, so that Lambda compiles what is in it anew, which is not counted here.

## Checking a fleet that is in sync

{fleets}

Role by role is `benchmarks/role_by_role.py`: the reads of a Terraform refresh, reduced to the 14 an
environment that any tool needs, one after the other. From 300 environments on, twelve were read
at a time, each timed by itself, and the times added up. Own CPU is that of Trivet's process outside
the SDK's calls. moto gives GetAccountAuthorizationDetails in a single page; AWS gives at most 1,000
items a page.

{accounts}
## Repairing a fleet in bad weather

{weather}

Each environment lacks one policy. In bad weather a fifth of all calls are throttled, a tenth fail,
half of these after they took effect, and of a tenth the answer is lost with the connection. The
seconds are the test kit's clock's: an answer takes {latency} ms, pauses what they are long, and
work no time.

![Time against fleet size](time.png)

![Calls against fleet size](calls.png)
"""


def _single_environment(results: Results) -> Iterator[Row]:
    longest = max(sample.in_sequence for sample in [results.cold, *results.new])
    yield Row(
        "new environment, `wait: 0`: round trips in sequence, everything included",
        "at most 12",
        f"{longest}",
        longest <= 12,
    )
    ratio = _seconds(results.new) / _seconds(results.procedure)
    cold = results.cold.seconds / _seconds(results.procedure)
    yield Row(
        "the same, wall clock against the manual procedure, call by call",
        "at most 0.5",
        f"{ratio:.2f} (cold process: {cold:.2f})",
        ratio <= 0.5,
    )
    repeat = max(sample.in_sequence for sample in results.repeats)
    yield Row(
        "repeat of an existing environment: round trips in sequence",
        "at most 5",
        f"{repeat}",
        repeat <= 5,
    )


def _fleet_in_sync(fleet: Fleet) -> Iterator[Row]:
    calls = fleet.trivet.calls
    iam = {call for call in calls if call.startswith("iam:")}
    yield Row(
        f"{fleet.size} in sync: IAM calls",
        "bulk listings only",
        f"{fleet.trivet.count('iam')}: " + ", ".join(sorted(name[4:] for name in iam)),
        iam <= _BULK,
    )
    states = fleet.trivet.count("states")
    yield Row(
        f"{fleet.size} in sync: Step Functions calls",
        "at most one an environment",
        f"{states}",
        states <= fleet.size,
    )
    ratio = fleet.role_by_role.seconds / fleet.trivet.seconds
    yield Row(
        f"{fleet.size} in sync: wall clock against reading role by role",
        "at most 1/50",
        f"1/{ratio:.0f}",
        ratio >= 50,
    )


def _growth(results: Results) -> Row:
    sizes = SIZES[1:]
    figures: list[tuple[str, Callable[[Fleet], float]]] = [
        ("calls", lambda fleet: fleet.trivet.call_count),
        ("ms", lambda fleet: fleet.trivet.seconds * 1000),
        ("MB", lambda fleet: fleet.peak_memory / _MB),
    ]
    seen = {
        unit: [figure(results.fleets[size]) / size for size in sizes] for unit, figure in figures
    }
    return Row(
        f"fleet of {', '.join(f'{size:,}' for size in sizes)}: per environment",
        "constant or falling",
        "; ".join(
            f"{unit} {' → '.join(f'{each:.2g}' for each in series)}"
            for unit, series in seen.items()
        ),
        all(series == sorted(series, reverse=True) for series in seen.values()),
    )


def _memory(fleet: Fleet) -> Row:
    return Row(
        f"fleet of {fleet.size:,}: peak memory of the process",
        "under 200 MB",
        f"{fleet.peak_memory / _MB:.0f} MB",
        fleet.peak_memory < 200 * _MB,
    )


def _repair(results: Results) -> Iterator[Row]:
    repair, one_by_one = results.repair, results.repair_one_by_one
    assert repair is not None
    assert one_by_one is not None
    iam = {call: n for call, n in repair.calls.items() if call.startswith("iam:")}
    writes = {call[4:]: n for call, n in iam.items() if call not in _BULK}
    yield Row(
        f"{REPAIRED} with one drift each: IAM calls beside the bulk listings",
        "only what differs",
        ", ".join(f"{n} {call}" for call, n in writes.items()),
        writes == {"AttachRolePolicy": REPAIRED},
    )
    ratio = one_by_one.seconds / repair.seconds
    yield Row(
        f"{REPAIRED} with one drift each: against one environment after the other",
        "at least 5 times faster",
        f"{ratio:.1f} times ({repair.seconds:.0f} s, {one_by_one.seconds:.0f} s)",
        ratio >= 5,
    )


def _process(results: Results) -> Iterator[Row]:
    own = median(results.own_cpu) * 1000
    yield Row(
        "warm request that changes nothing: Trivet's own CPU time apart from AWS calls",
        "at most 5 ms",
        f"{own:.1f} ms",
        own <= 5,
    )
    cold = results.cold_start
    imported, answered = cold.app / cold.bare, cold.first_answer / cold.bare_client
    yield Row(
        "`import app`, CPU time against `import chalice, boto3`",
        "at most 1.2",
        f"{imported:.2f} ({cold.app * 1000:.0f} ms, {cold.bare * 1000:.0f} ms)",
        imported <= 1.2,
    )
    yield Row(
        "cold start to the first `GET /health`, CPU time against `import chalice, boto3` and "
        "the same clients",
        "at most 1.0",
        f"{answered:.2f} ({cold.first_answer * 1000:.0f} ms, {cold.bare_client * 1000:.0f} ms)",
        answered <= 1.0,
    )
    yield Row(
        "deployment package",
        "under 5 MB",
        f"{results.package_size / _MB:.1f} MB",
        results.package_size < 5 * _MB,
    )


def _cores() -> int:
    """Return how many CPU cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _writes(results: Results) -> int:
    calls = results.procedure[0].calls
    return sum(n for call, n in calls.items() if ":Get" not in call)


def _against_writes(results: Results) -> float:
    calls = results.procedure[0].call_count
    return _seconds(results.new) / (_seconds(results.procedure) * _writes(results) / calls)


def _seconds(samples: Sequence[Sample]) -> float:
    return median(sample.seconds for sample in samples)


def _single_row(who: str, samples: Sequence[Sample]) -> list[str]:
    return [
        who,
        str(max(sample.call_count for sample in samples)),
        str(max(sample.in_sequence for sample in samples)),
        f"{_seconds(samples):.2f}",
    ]


def _fleet_row(fleet: Fleet) -> list[str]:
    ours, theirs = fleet.trivet, fleet.role_by_role
    return [
        f"{fleet.size:,}",
        f"{ours.call_count:,}",
        str(ours.count("iam")),
        f"{ours.seconds:.1f}",
        f"{ours.seconds / fleet.size * 1000:.1f}",
        f"{ours.own_cpu / fleet.size * 1000:.1f}",
        f"{fleet.peak_memory / _MB:.0f}",
        f"{theirs.call_count:,}",
        f"{theirs.seconds:,.1f}",
        f"{theirs.seconds / ours.seconds:.1f}",
    ]
