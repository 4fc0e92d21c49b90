"""Time that passes only where somebody waits for it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from types import SimpleNamespace
from unittest.mock import patch

import botocore.endpoint
import botocore.waiter

from . import product

_REAL_SECONDS_PER_SECOND = 0.002
"""So much really passes while a thread waits: those who wait at the same time wait side by side."""


class Clock:
    """A clock for Trivet, botocore and what happens on the wire; starts at the real time."""

    def __init__(self) -> None:
        self._now = time.time()
        self._lock = Lock()
        self.real_seconds = _REAL_SECONDS_PER_SECOND
        """So much really passes in one second of waiting: more, where many wait side by side."""
        self.slept = 0.0
        """Seconds that all threads together have waited."""

    def now(self) -> float:
        """Return the seconds since the epoch."""
        return self._now

    def set(self, now: float) -> None:
        """Have it be this time, in seconds since the epoch."""
        self._now = now

    def sleep(self, seconds: float) -> None:
        """Let these seconds pass, beside what other threads wait for."""
        until = self._now + seconds
        time.sleep(seconds * self.real_seconds)
        with self._lock:
            self._now = max(self._now, until)
            self.slept += seconds


@contextmanager
def standing() -> Iterator[Clock]:
    """Have time stand still for Trivet and botocore until one of them, or the test, sleeps."""
    clock = Clock()
    waiting = SimpleNamespace(sleep=clock.sleep)
    with (
        patch.object(product.CLOCK, "now", clock.now, create=True),
        patch.object(product.CLOCK, "sleep", clock.sleep, create=True),
        patch.object(botocore.endpoint, "time", waiting),
        patch.object(botocore.waiter, "time", waiting),
    ):
        yield clock
