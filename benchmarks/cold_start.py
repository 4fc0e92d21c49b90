"""A cold start: CPU time from nothing to the first answer, and of what it cannot do without."""

import subprocess
import sys
import tempfile
from collections.abc import Mapping

from tools.child import REPOSITORY

_TIMES = 11

_FIRST_ANSWER = """
from benchmarks.lambda_calls import request
request("GET", "/health")
"""

# GET /health asks STS, and needs no other client.
_BARE_MINIMUM = """
import chalice, boto3
boto3.client("sts")
"""

_TELL = """
import time
print()
print(time.process_time())
"""


def cpu_seconds(environment: Mapping[str, str]) -> tuple[float, float]:
    """Return the CPU seconds of a cold start and of the bare minimum, each the least of several.

    Both count from the start of Python, and find their modules compiled, as Python keeps them.
    """
    with tempfile.TemporaryDirectory() as compiled:
        settings = {**environment, "PYTHONPYCACHEPREFIX": compiled}
        settings.pop("PYTHONDONTWRITEBYTECODE", None)
        turns = [
            (_cpu_seconds(_FIRST_ANSWER, settings), _cpu_seconds(_BARE_MINIMUM, settings))
            for _ in range(_TIMES)
        ]
    return min(ours for ours, _ in turns), min(bare for _, bare in turns)


def _cpu_seconds(code: str, environment: Mapping[str, str]) -> float:
    done = subprocess.run(
        [sys.executable, "-c", code + _TELL],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
    )
    return float(done.stdout.split()[-1])
