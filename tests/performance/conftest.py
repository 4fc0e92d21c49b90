"""A fleet in memory, of which each environment is as Trivet would have made it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from benchmarks import copies
from tests.memory import account_in_memory

Fleet = Callable[[int], Any]


@pytest.fixture
def fleet() -> Fleet:
    """A context with an account that holds a fleet of a size."""

    @contextmanager
    def account(size: int) -> Iterator[None]:
        with account_in_memory(executions=False):
            copies.fill(size)
            yield

    return account
