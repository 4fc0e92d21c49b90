"""The longest chain of AWS calls that had to wait for one another, whatever the clock says.

A logical clock per piece of work: an AWS call moves it on by one, work started beside inherits
it, and whoever waits for the result of such work takes over its clock where that is further on.
The furthest that any clock got is the number of round trips in sequence. No time is measured, so
that a slow machine changes nothing.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch
from weakref import WeakKeyDictionary

from botocore.client import BaseClient


class CriticalPath:
    """The calls made, in the order in which they ended, and how long their longest chain is."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.length = 0
        self._here = threading.local()
        self._lock = threading.Lock()
        self._ends: WeakKeyDictionary[Future[Any], list[int]] = WeakKeyDictionary()

    @property
    def is_followed(self) -> bool:
        """Tell whether this thread works for what is followed; others may call AWS meanwhile."""
        return hasattr(self._here, "position")

    @property
    def position(self) -> int:
        """How many calls led to where this thread is now."""
        position: int = self._here.position
        return position

    @position.setter
    def position(self, position: int) -> None:
        self._here.position = position

    def step(self, call: str) -> None:
        """Note a call that this thread has made, if its work is followed."""
        if not self.is_followed:
            return
        self.position += 1
        with self._lock:
            self.calls.append(call)
            self.length = max(self.length, self.position)

    def branch(self, function: Callable[..., Any]) -> tuple[Callable[..., Any], list[int]]:
        """Return a function to be run on another thread from here, and where it will get to."""
        start, end = self.position, [0]

        def work(*arguments: Any, **keywords: Any) -> Any:
            self.position = start
            try:
                return function(*arguments, **keywords)
            finally:
                end[0] = self.position
                del self._here.position

        return work, end

    def branched(self, future: Future[Any], end: list[int]) -> None:
        """Note which future stands for a branch."""
        with self._lock:
            self._ends[future] = end

    def joined(self, future: Future[Any]) -> None:
        """Note that this thread needed what a branch came to."""
        with self._lock:
            end = self._ends.get(future)
        if end is not None and self.is_followed:
            self.position = max(self.position, end[0])


@contextmanager
def critical_path() -> Iterator[CriticalPath]:
    """Follow all AWS calls made while the context lasts, by this thread and what it starts."""
    path = CriticalPath()
    path.position = 0
    submit: Any = ThreadPoolExecutor.submit
    result: Any = Future.result
    make_api_call: Any = vars(BaseClient)["_make_api_call"]

    def followed_submit(
        pool: ThreadPoolExecutor, function: Callable[..., Any], *arguments: Any, **keywords: Any
    ) -> Future[Any]:
        future: Future[Any]
        if not path.is_followed:
            future = submit(pool, function, *arguments, **keywords)
            return future
        work, end = path.branch(function)
        future = submit(pool, work, *arguments, **keywords)
        path.branched(future, end)
        return future

    def followed_result(future: Future[Any], timeout: float | None = None) -> Any:
        try:
            return result(future, timeout)
        finally:
            path.joined(future)

    def followed_api_call(client: BaseClient, name: str, parameters: Any) -> Any:
        try:
            return make_api_call(client, name, parameters)
        finally:
            path.step(f"{client.meta.service_model.signing_name}:{name}")

    with (
        patch.object(ThreadPoolExecutor, "submit", followed_submit),
        patch.object(Future, "result", followed_result),
        patch.object(BaseClient, "_make_api_call", followed_api_call),
    ):
        yield path
