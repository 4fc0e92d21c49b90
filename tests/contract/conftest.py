"""One AWS account per module: tests in it keep apart by the names of their environments."""

import itertools
from collections.abc import Iterator

import pytest

from tests.kit import account, checks
from tests.kit.http import Api
from tests.kit.wire import Wire

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def region() -> str:
    """The region of the module's account."""
    return "us-east-1"


@pytest.fixture(scope="module")
def cloud(region: str) -> Iterator[Wire]:
    """An AWS account in memory."""
    with account.in_memory(region) as wire:
        yield wire


@pytest.fixture(scope="module")
def api(cloud: Wire) -> Api:
    """The API over the module's account, its answers checked."""
    return Api(cloud, checks.by_openapi)


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"env-{next(_NUMBERS)}"
