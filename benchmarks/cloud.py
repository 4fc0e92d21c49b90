"""The embedded AWS of the benchmarks: moto's server in a child process, a fleet already in it.

It is the one of `make serve` but for two things: it is filled before it serves, and executions
of state machines are recorded and not run. Running them takes moto far more time than all other
calls together, in the process that answers those.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from chalicelib.model.desired import Place
from tools.child import ChildError, child_process, end_of_log
from tools.embedded_aws import DEFAULT_REGION, client_settings, without_aws
from tools.local_http import HOST

PLACE = Place("123456789012", "aws", DEFAULT_REGION)
"""Where the fleet lives: moto's own account."""


def names(size: int) -> list[str]:
    """Return the names of the environments of a fleet."""
    return [f"team-{number:04}-dev" for number in range(size)]


@contextmanager
def cloud(size: int = 0) -> Iterator[Mapping[str, str]]:
    """Run an AWS with a fleet in it, and yield the environment for processes that use it.

    Raises:
        ChildError: when it does not start; the message holds the end of its log.
    """
    settings = without_aws(os.environ) | client_settings("", DEFAULT_REGION)
    del settings["AWS_ENDPOINT_URL"]
    settings["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    with (
        tempfile.TemporaryFile("w+") as log,
        child_process(
            "benchmarks.copies:serve",
            *("0", str(size)),
            environment=settings,
            stdout=subprocess.PIPE,
            stderr=log,
        ) as process,
    ):
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            raise ChildError(f"the embedded AWS did not start{end_of_log(log)}")
        endpoint = f"http://{HOST}:{port}"
        yield without_aws(os.environ) | client_settings(endpoint, DEFAULT_REGION)
