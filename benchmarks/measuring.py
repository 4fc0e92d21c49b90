"""One measurement: what is measured, in a process of its own, and what it tells its parent.

A process of its own, so that its peak memory is its own, and that it starts as cold as a new
Lambda environment does.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.wire import longest_chain, wire
from tools.child import REPOSITORY

LATENCY = 0.05
"""Seconds added to every AWS call."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of work, measured."""

    seconds: float
    calls: Mapping[str, int]
    """Requests sent, by name, such as `iam:GetRole`."""
    in_sequence: int = 0
    """The most calls that followed one another; 0 where that was not looked at."""
    own_cpu: float = 0
    """CPU seconds of the process outside the SDK's calls; 0 likewise."""
    result: Any = None

    @property
    def call_count(self) -> int:
        """All calls to AWS."""
        return sum(self.calls.values())

    def count(self, service: str) -> int:
        """The calls to one service."""
        return sum(n for call, n in self.calls.items() if call.startswith(f"{service}:"))


class Report(msgspec.Struct, frozen=True):
    """What a process measured, and the most memory that it took, in bytes."""

    samples: list[Sample]
    peak_memory: int


def sample(work: Callable[[], Any], latency: float = LATENCY) -> Sample:
    """Do some work, and return what it took."""
    with wire(latency) as recorded:
        start, cpu = time.perf_counter(), time.process_time()
        result = work()
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    return Sample(
        seconds=seconds,
        calls=recorded.counts(),
        in_sequence=longest_chain(recorded.calls),
        own_cpu=cpu - recorded.cpu_in_calls,
        result=result,
    )


def measure(
    subject: Callable[..., list[Sample]], *arguments: Any, environment: Mapping[str, str]
) -> Report:
    """Have a function measured in a process of its own, and return what it reports.

    Args:
        subject: a function of a module that calls `report` when it is run.
        environment: the whole environment of the process.
    """
    done = subprocess.run(
        [sys.executable, "-m", subject.__module__, subject.__name__, json.dumps(arguments)],
        cwd=REPOSITORY,
        env=dict(environment),
        stdout=subprocess.PIPE,
        check=True,
    )
    # Before the last line stand logs and metrics.
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Report)


def report(subjects: Mapping[str, Any]) -> None:
    """Run the subject that the command line names, and print its report; for `measure`."""
    _, name, arguments = sys.argv
    samples = subjects[name](*json.loads(arguments))
    print("\n" + msgspec.json.encode(Report(samples, _peak_memory())).decode())


def _peak_memory() -> int:
    """Return the most memory that this process took so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage counts the parent's memory too, which Linux hands down to a child.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
