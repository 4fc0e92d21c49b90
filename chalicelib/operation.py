"""One operation: a request or a scheduled run, with the time it has and the calls it made.

The current operation is known to every thread that works for it, so that the hooks on the AWS
clients, which are shared by all, count and time-limit each call for whom it is made.
"""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from functools import cache, partial
from threading import Lock
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")

WORKERS = 32
"""Threads, and connections per AWS service, that work side by side in one process."""


class Clock:
    """Time as Trivet sees it; tests put their own in its place."""

    def now(self) -> float:
        """Return the seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Let this many seconds pass."""
        time.sleep(seconds)


CLOCK = Clock()


@dataclass(slots=True)
class Operation:
    """What is known of the call being answered.

    Times are seconds since the epoch. `deadline` is when the last AWS call may start, if it takes
    no longer than calls may (`aws.CALL_TIMEOUT`); what has to be written to end in good order may
    still start until `last_call`.
    """

    started: float
    deadline: float
    last_call: float
    caller: str | None = None
    request_id: str | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    calls: Counter[str] = field(default_factory=Counter)
    fresh: set[str] = field(default_factory=set)
    """Names and ARNs just made, which IAM may not show everywhere yet."""
    clock: Clock = field(default_factory=lambda: CLOCK)
    _lock: Lock = field(default_factory=Lock)

    def count(self, call: str) -> None:
        """Count one AWS call as it is sent, e.g. `iam:GetRole`."""
        with self._lock:
            self.calls[call] += 1

    def time_left(self) -> float:
        """Return the seconds in which AWS calls may still start; never negative."""
        limit = self.last_call if _CLOSING.get() else self.deadline
        return max(0.0, limit - self.clock.now())


_CURRENT: ContextVar[Operation | None] = ContextVar("operation", default=None)


_CLOSING: ContextVar[bool] = ContextVar("closing", default=False)


@contextmanager
def closing() -> Iterator[None]:
    """Let this thread's AWS calls start until the operation's `last_call`, to end in good order."""
    token = _CLOSING.set(True)
    try:
        yield
    finally:
        _CLOSING.reset(token)


def is_closing() -> bool:
    """Tell whether this thread is ending its operation in good order."""
    return _CLOSING.get()


def begin(operation: Operation) -> Operation:
    """Make this the operation that the current thread, and what it starts, works for."""
    _CURRENT.set(operation)
    return operation


def current() -> Operation | None:
    """Return the operation that this thread works for, if any."""
    return _CURRENT.get()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="trivet")


def start(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
    """Start a function beside the current thread, working for the same operation.

    Work starts in the order of these calls. A function started here may wait for one that was
    started before it, never for a later one: so the pool cannot lock up.
    """
    return _pool().submit(copy_context().run, partial(function, *args, **kwargs))


def waited(futures: Sequence["Future[T]"]) -> list[T]:
    """Return the results in order, when all have ended; raise the first error in that order."""
    wait(futures)
    return [future.result() for future in futures]


def side_by_side(function: Callable[[T], U], items: Iterable[T]) -> list[U]:
    """Return `function` of every item, in order, worked on side by side (see `waited`)."""
    return waited([start(function, item) for item in items])
