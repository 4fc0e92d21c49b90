"""Fixtures of the fault tests, and the summary of the scenarios that they ran."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

Scenario = Callable[..., AbstractContextManager[None]]

_RUN: Counter[str] = Counter()
_PASSED: Counter[str] = Counter()


@pytest.fixture
def scenario(subtests: pytest.Subtests, request: pytest.FixtureRequest) -> Scenario:
    """One of the scenarios of a sweep: it fails by itself, and is counted for the summary."""
    sweep = request.function.__name__.removeprefix("test_").replace("_", " ")

    @contextmanager
    def one(**what: Any) -> Iterator[None]:
        _RUN[sweep] += 1
        with subtests.test(**what):
            yield
            _PASSED[sweep] += 1

    return one


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many scenarios there were, and how many passed."""
    if not _RUN:
        return
    terminalreporter.section("fault scenarios")
    for sweep, run in sorted(_RUN.items()):
        terminalreporter.line(f"{sweep}: {run} run, {_PASSED[sweep]} passed")
    terminalreporter.line(f"in all: {_RUN.total()} run, {_PASSED.total()} passed")
