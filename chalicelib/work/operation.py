"""One operation: a request or a scheduled run, with the time it has and the calls it made.

The current operation is known to every thread that works for it, so that the hooks on the AWS
clients, which are shared by all, count and time-limit each call for whom it is made.
"""

import math
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import TypeVar

import msgspec

from chalicelib.work.pace import Pace

T = TypeVar("T")

WORKERS = 32
"""Threads that work side by side for one operation, and connections per AWS service."""

_RETRIES_AT_FIRST = 200


class Clock:
    """Time as Trivet sees it; tests put their own in its place."""

    def now(self) -> float:
        """Return the seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Let this many seconds pass."""
        time.sleep(seconds)


CLOCK = Clock()

_IDLE: list[ThreadPoolExecutor] = []
"""Threads of operations that ended with all their work done: the next ones begin with these."""


class Operation(msgspec.Struct):
    """What is known of the call being answered.

    Times are seconds since the epoch. `deadline` is when the last AWS call may start, if it takes
    no longer than calls may (`aws.clients.CALL_TIMEOUT`); what has to be written to end in good
    order may still start until `last_call`.
    """

    started: float
    deadline: float
    last_call: float
    caller: str | None = None
    request_id: str | None = None
    id: str = msgspec.field(default_factory=lambda: uuid.uuid4().hex)
    calls: Counter[str] = msgspec.field(default_factory=Counter)
    fresh: set[str] = set()
    """Names and ARNs just made, which IAM may not show everywhere yet."""
    clock: Clock = msgspec.field(default_factory=lambda: CLOCK)
    _paces: dict[str, Pace] = {}
    _retries: int = _RETRIES_AT_FIRST
    _lock: Lock = msgspec.field(default_factory=Lock)
    _pool: ThreadPoolExecutor | None = None
    _at_work: int = 0

    def count(self, call: str) -> None:
        """Count one AWS call as it is sent, e.g. `iam:GetRole`; each earns one retry."""
        with self._lock:
            self.calls[call] += 1
            self._retries += 1

    def spend_retry(self) -> bool:
        """Take one retry from this operation's own store; tell whether there was one left.

        Where everything fails the store runs dry, so that no storm is made of an outage; where a
        part fails it never does. Nothing of it outlives the operation.
        """
        with self._lock:
            self._retries -= 2
            return self._retries > 0

    def pace(self, service: str) -> Pace:
        """Return how many calls this operation may have under way at a service."""
        with self._lock:
            return self._paces.setdefault(service, Pace(WORKERS))

    def time_left(self) -> float:
        """Return the seconds in which AWS calls may still start; never negative."""
        limit = self.last_call if _CLOSING.get() else min(self.deadline, _UNTIL.get())
        return max(0.0, limit - self.clock.now())

    def submit(self, work: Callable[[], T]) -> "Future[T]":
        """Have some work done by this operation's own threads: none of them works for another."""
        with self._lock:
            if self._pool is None:
                # To start threads would take about as much CPU time as all else of a request.
                try:
                    self._pool = _IDLE.pop()
                except IndexError:
                    self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="trivet")
            self._at_work += 1
            return self._pool.submit(self._do, work)

    def _do(self, work: Callable[[], T]) -> T:
        try:
            return work()
        finally:
            with self._lock:
                self._at_work -= 1

    def end(self) -> None:
        """Let go of the threads: work that has not begun is dropped, and other work gets no call.

        A read that nobody waits for any more would else go on in the time of the next operation.
        """
        with self._lock:
            self.deadline = self.last_call = self.started
            pool, self._pool = self._pool, None
            if pool is not None and self._at_work:
                pool.shutdown(wait=False, cancel_futures=True)
            elif pool is not None:
                _IDLE.append(pool)


_CURRENT: ContextVar[Operation | None] = ContextVar("operation", default=None)
_CLOSING: ContextVar[bool] = ContextVar("closing", default=False)
_UNTIL: ContextVar[float] = ContextVar("until", default=math.inf)


@contextmanager
def closing() -> Iterator[None]:
    """Let this thread's AWS calls start until the operation's `last_call`, to end in good order."""
    token = _CLOSING.set(True)
    try:
        yield
    finally:
        _CLOSING.reset(token)


@contextmanager
def until(moment: float) -> Iterator[None]:
    """Let this thread's AWS calls, and those of what it starts, start no later than a moment.

    Args:
        moment: in seconds since the epoch.
    """
    token = _UNTIL.set(moment)
    try:
        yield
    finally:
        _UNTIL.reset(token)


def is_closing() -> bool:
    """Tell whether this thread is ending its operation in good order."""
    return _CLOSING.get()


@contextmanager
def under_way(operation: Operation) -> Iterator[Operation]:
    """Make this the operation that the current thread, and what it starts, works for."""
    token = _CURRENT.set(operation)
    try:
        yield operation
    finally:
        operation.end()
        _CURRENT.reset(token)


def current() -> Operation | None:
    """Return the operation that this thread works for, if any."""
    return _CURRENT.get()
