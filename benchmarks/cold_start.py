"""A cold start: CPU time of the import and of the first answer, and what neither can avoid."""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass

from tools.child import REPOSITORY

_TIMES = 21

_IMPORT = "import app"

_BARE_IMPORT = "import chalice, boto3"

_FIRST_ANSWER = """
from benchmarks.lambda_calls import request
request("GET", "/health")
"""

# GET /health asks STS, and needs no other client.
_BARE_CLIENT = """
import chalice, boto3
boto3.client("sts")
"""

_TELL = """
import time
print()
print(time.process_time())
"""


@dataclass
class ColdStart:
    """CPU seconds from the start of Python, each the least of several."""

    app: float
    bare: float
    """Importing Chalice and boto3 alone."""
    first_answer: float
    """Of `GET /health`."""
    bare_client: float
    """Importing Chalice and boto3, and making the client that `GET /health` needs."""


def cpu_seconds(environment: Mapping[str, str]) -> ColdStart:
    """Measure cold starts in turn; all find their modules compiled, as Python keeps them."""
    with tempfile.TemporaryDirectory() as compiled:
        settings = {**environment, "PYTHONPYCACHEPREFIX": compiled}
        settings.pop("PYTHONDONTWRITEBYTECODE", None)
        turns = [
            [
                _cpu_seconds(code, settings)
                for code in (_IMPORT, _BARE_IMPORT, _FIRST_ANSWER, _BARE_CLIENT)
            ]
            for _ in range(_TIMES)
        ]
    return ColdStart(*map(min, zip(*turns, strict=True)))


def _cpu_seconds(code: str, environment: Mapping[str, str]) -> float:
    done = subprocess.run(
        [sys.executable, "-c", code + _TELL],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
    )
    return float(done.stdout.split()[-1])
