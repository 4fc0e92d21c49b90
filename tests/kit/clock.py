"""Time that passes only when every thread waits: what a test finds does not depend on the machine.

Of the threads under test one runs at a time, until it sleeps or waits for another one; then the
next that can go on does, in the order in which they began to wait. Where none can, time jumps to
when the first of them wakes up. So work takes no time. A call to AWS takes what a layer of the wire
sleeps (`Latency`), a pause what it is long; both pass side by side for threads that wait so.
"""

import queue
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import thread as executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from math import inf
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import botocore.endpoint
import botocore.waiter

from . import product

_THREAD: Any = threading.Thread
_CONDITION: Any = threading.Condition
_start, _join, _wait = _THREAD.start, _THREAD.join, _CONDITION.wait

_LAST_SLEEPS = 100
"""Times that threads nobody waits for any more may go on sleeping when a test has ended."""


@dataclass(eq=False, slots=True)
class _Waiting:
    """A thread that waits for its turn: until a time, or until it is free to go on."""

    is_free: Callable[[], bool]
    until: float
    turn: Any = field(default_factory=threading.Lock)
    """A lock that is released to let the thread go on."""

    def __post_init__(self) -> None:
        self.turn.acquire()


class Clock:
    """A clock for Trivet, botocore and what happens on the wire; starts at the real time."""

    def __init__(self) -> None:
        self._now = time.time()
        self._waiting: list[_Waiting] = []
        """In the order in which they began to wait."""
        self._ended: set[threading.Thread] = set()
        self._is_over = False
        self._this_thread = threading.local()
        self._this_thread.takes_turns = True
        self.slept = 0.0
        """Seconds that all threads together have slept."""

    def now(self) -> float:
        """Return the seconds since the epoch."""
        return self._now

    def set(self, now: float) -> None:
        """Have it be this time, in seconds since the epoch."""
        self._now = now

    def sleep(self, seconds: float) -> None:
        """Let these seconds pass, beside what other threads wait for."""
        self.slept += seconds
        if self._takes_turns():
            self._until(_never, seconds)
        else:
            self._now += seconds

    def _takes_turns(self) -> bool:
        return not self._is_over and getattr(self._this_thread, "takes_turns", False)

    def _until(self, is_free: Callable[[], bool], seconds: float) -> None:
        """Have others run until this thread is free to go on, or so many seconds have passed."""
        me = _Waiting(is_free, self._now + seconds)
        self._waiting.append(me)
        self._pass_on()
        me.turn.acquire()
        # One that waits alone waits for a thread that takes no turns: pytest's, between two tests.
        if self._waiting and not self._is_over and self._now < me.until and not is_free():
            raise AssertionError("every thread waits for another one, and none for a time")

    def _pass_on(self) -> None:
        """Give the turn to the next thread; time passes if none can go on before."""
        waiting = self._waiting
        able = (each for each in waiting if each.until <= self._now or each.is_free())
        # Else who wakes up earliest; if nobody ever does, the first of all, who then fails.
        chosen = next(able, None) or min(waiting, key=lambda each: each.until)
        if chosen.until < inf and not chosen.is_free():
            self._now = max(self._now, chosen.until)
        waiting.remove(chosen)
        chosen.turn.release()

    def wait(self, condition: Any, timeout: float | None = None) -> bool:
        """Wait for a condition, in the place of `threading.Condition.wait`."""
        if not self._takes_turns() or (timeout is not None and timeout <= 0):
            return bool(_wait(condition, timeout))
        waiter = threading.Lock()
        waiter.acquire()
        condition._waiters.append(waiter)
        saved = condition._release_save()
        try:
            self._until(lambda: not waiter.locked(), inf if timeout is None else timeout)
            # Once the clock is gone, whoever still waits does so as ever; so does who is alone.
            is_alone = timeout is None and not self._waiting
            notified = waiter.acquire(blocking=self._is_over or is_alone)
        finally:
            condition._acquire_restore(saved)
        if not notified:
            condition._waiters.remove(waiter)
        return notified

    def start(self, thread: threading.Thread) -> None:
        """Start a thread that takes turns with the others, if this one does."""
        if not self._takes_turns():
            _start(thread)
            return
        waiting = _Waiting(_always, self._now)
        self._waiting.append(waiting)
        run = thread.run
        thread.run = lambda: self._run(thread, run, waiting)  # type: ignore[method-assign]
        # That it has begun is heard of at once: it does nothing before its turn.
        self._this_thread.takes_turns = False
        try:
            _start(thread)
        finally:
            self._this_thread.takes_turns = True

    def _run(self, thread: threading.Thread, run: Callable[[], None], me: _Waiting) -> None:
        me.turn.acquire()
        self._this_thread.takes_turns = True
        try:
            run()
        finally:
            self._this_thread.takes_turns = False
            self._ended.add(thread)
            if not self._is_over:
                self._pass_on()

    def join(self, thread: threading.Thread, timeout: float | None = None) -> None:
        """Wait for a thread to end, in the place of `threading.Thread.join`."""
        if self._takes_turns():
            self._until(lambda: thread in self._ended, inf if timeout is None else timeout)
            timeout = None if timeout is None or thread in self._ended else 0
        _join(thread, timeout)

    def monotonic(self) -> float:
        """Return what `threading` measures its waiting by."""
        return self._now if self._takes_turns() else time.monotonic()

    def end(self) -> None:
        """Let threads that sleep come to their end, and take no turns any more."""
        for _ in range(_LAST_SLEEPS):
            if not any(each.until < inf or each.is_free() for each in self._waiting):
                break
            wakings = [each.until for each in self._waiting if each.until < inf]
            self._until(_never, max([self._now, *wakings]) - self._now)
        self._is_over = True
        for each in self._waiting:
            each.turn.release()


def _never() -> bool:
    return False


def _always() -> bool:
    return True


@contextmanager
def standing() -> Iterator[Clock]:
    """Have time stand still for Trivet and botocore until all that this thread starts waits."""
    clock = Clock()
    waiting = SimpleNamespace(sleep=clock.sleep)
    # One that is written in Python, and so waits by conditions.
    queues = SimpleNamespace(SimpleQueue=queue.Queue, Empty=queue.Empty)
    with ExitStack() as patched:
        for where, name, what in (
            (product.CLOCK, "now", clock.now),
            (product.CLOCK, "sleep", clock.sleep),
            (botocore.endpoint, "time", waiting),
            (botocore.waiter, "time", waiting),
            (executor, "queue", queues),
            (threading, "_time", clock.monotonic),
            (_CONDITION, "wait", _method(clock.wait)),
            (_THREAD, "start", _method(clock.start)),
            (_THREAD, "join", _method(clock.join)),
        ):
            patched.enter_context(patch.object(where, name, what, create=where is product.CLOCK))
        patched.callback(random.setstate, random.getstate())
        patched.callback(clock.end)
        # Threads take turns by the clock under which they were started.
        product.dismiss_idle_threads()
        patched.callback(product.dismiss_idle_threads)
        random.seed(0)  # pauses have jitter
        yield clock


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that a class makes a method of, as it does not of a bound one."""

    def method(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return method
