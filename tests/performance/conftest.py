"""A fleet in memory, of which each environment is as Trivet would have made it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from benchmarks import copies
from tests.kit import account
from tests.kit.http import Api

Fleet = Callable[[int], AbstractContextManager[Api]]


@pytest.fixture
def fleet() -> Fleet:
    """A context with the API over an account that holds a fleet of a size."""

    @contextmanager
    def filled(size: int) -> Iterator[Api]:
        with account.in_memory(executions=False) as wire:
            copies.fill(size)
            yield Api(wire)

    return filled
