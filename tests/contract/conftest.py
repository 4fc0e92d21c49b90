"""One AWS account per module: tests in it keep apart by the names of their environments.

`--hostile` makes it one that behaves as the real one does (`kit/hostile.py`), to callers who let
AWS come to rest between two requests.
"""

import itertools
from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from tests.kit import account, checks
from tests.kit.clock import Clock, standing
from tests.kit.hostile import hostile
from tests.kit.http import Api, PatientApi
from tests.kit.wire import Wire

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def region() -> str:
    """The region of the module's account."""
    return "us-east-1"


@pytest.fixture(scope="module")
def hostile_clock(pytestconfig: pytest.Config) -> Iterator[Clock | None]:
    """The clock of a hostile AWS, if it is to be one."""
    with standing() if pytestconfig.getoption("hostile") else nullcontext() as clock:
        yield clock


@pytest.fixture(scope="module")
def cloud(region: str, hostile_clock: Clock | None) -> Iterator[Wire]:
    """An AWS account in memory."""
    with account.in_memory(region) as wire:
        if hostile_clock:
            wire.layers = hostile(hostile_clock)
        yield wire


@pytest.fixture(scope="module")
def api(cloud: Wire, hostile_clock: Clock | None) -> Api:
    """The API over the module's account, its answers checked."""
    if hostile_clock:
        return PatientApi(cloud, hostile_clock, checks.by_openapi)
    return Api(cloud, checks.by_openapi)


@pytest.fixture
def clock(hostile_clock: Clock | None) -> Iterator[Clock]:
    """Trivet's clock, which stands still until someone sleeps."""
    with nullcontext(hostile_clock) if hostile_clock else standing() as made:
        made.slept = 0
        yield made


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"env-{next(_NUMBERS)}"
