"""The embedded AWS of the benchmarks: moto's server in a child process, a fleet already in it.

It is the one of `make serve` but for three things: it is filled before it serves, it does without
what moto takes long for (`tests.kit.quick_moto`), and executions of state machines are recorded and
not run. Running them takes moto far more time than all other calls together, in the process that
answers those.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from chalicelib import catalogue
from chalicelib.model.desired import Desired, Place
from chalicelib.model.environment import Declaration, Environment, timestamp
from chalicelib.settings import DEFAULT_BOUNDARY
from tools.child import ChildError, child_process, end_of_log
from tools.embedded_aws import DEFAULT_REGION, client_settings, without_aws
from tools.local_http import HOST

PLACE = Place("123456789012", "aws", DEFAULT_REGION)
"""Home: moto's own account."""


def places(accounts: int) -> list[Place]:
    """Return where a fleet lives: home, and then as many members as make up the number."""
    members = (f"{500_000_000_000 + number}" for number in range(1, accounts))
    return [PLACE, *(Place(each, PLACE.partition, PLACE.region) for each in members)]


def names(size: int) -> list[str]:
    """Return the names of the environments of a fleet."""
    return [f"team-{number:04}-dev" for number in range(size)]


def environment(name: str, place: Place = PLACE) -> Environment:
    """Return an environment as it is recorded before anything is made of it."""
    return Environment(
        name=name,
        account_id=place.account_id,
        partition=place.partition,
        region=place.region,
        declaration=Declaration(),
        created_at=timestamp(0),
        updated_at=timestamp(0),
    )


def desired(name: str, place: Place = PLACE) -> Desired:
    """Return an environment as it should be."""
    boundary = f"{place.iam}:policy/{DEFAULT_BOUNDARY}"
    profile = catalogue.load().profile("standard")
    return profile.render(name, place, tags={}, permissions_boundary=boundary, parameters={})


@contextmanager
def cloud(size: int = 0, accounts: int = 1) -> Iterator[Mapping[str, str]]:
    """Run an AWS with a fleet in it, and yield the environment for processes that use it.

    Args:
        size: environments in each account.
        accounts: home and its members.

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
            *("0", str(size), str(accounts)),
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
