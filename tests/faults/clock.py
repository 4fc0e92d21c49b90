"""Time that passes only where somebody waits for it."""

import time
from threading import Lock

_REAL_SECONDS_PER_SECOND = 0.002
"""So much really passes while a thread waits: those who wait at the same time wait side by side."""


class FakeClock:
    """A clock for Trivet, botocore and the faults alike; starts at the real time."""

    def __init__(self) -> None:
        self._now = time.time()
        self._lock = Lock()

    def now(self) -> float:
        """Return the seconds since the epoch."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let these seconds pass, beside what other threads wait for."""
        until = self._now + seconds
        time.sleep(seconds * _REAL_SECONDS_PER_SECOND)
        with self._lock:
            self._now = max(self._now, until)
