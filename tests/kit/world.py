"""An account in memory, the wire to it, a clock of its own, and the API over them."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Barrier
from typing import Any

from . import account, checks
from .beginning import Beginning
from .checks import Answer
from .clock import Clock, standing
from .emulated import Executions, simulator
from .http import Api
from .names import NAME
from .wire import Wire

MANY = 40
"""Calls after which a scenario counts as one that does not come to an end."""


class World(Api):
    """The API over an account in which nothing happens by itself; `fresh` makes one."""

    def __init__(self, wire: Wire, clock: Clock) -> None:
        executions = Executions(clock)
        wire.layers = [executions, simulator]
        wire.meanwhile = partial(clock.sleep, 0)
        super().__init__(wire, checks.of_use)
        self.clock = clock
        self._beginning = Beginning(wire, clock, executions)

    def provision(self, name: str = NAME, **fields: Any) -> Any:
        """Provision an environment that must come out well, and return its document."""
        request = {"name": name, **fields}
        return self._beginning.provision(request, lambda: super(World, self).provision(**request))

    def ask_for(self, name: str = NAME, **fields: Any) -> Answer:
        """POST an environment, without waiting for its smoke test unless told to."""
        return self.post("/environments", {"name": name, "wait": 0, **fields})

    def at_once(self, *requests: Callable[[], Answer]) -> list[Answer]:
        """Send requests at the same moment, each from a thread of its own."""
        ready = Barrier(len(requests))

        def sent(request: Callable[[], Answer]) -> Answer:
            ready.wait()
            return request()

        with ThreadPoolExecutor(len(requests)) as callers:
            return list(callers.map(sent, requests))

    def settle(
        self, request: Callable[[], Answer], done: Callable[[Answer], bool] | None = None
    ) -> list[Answer]:
        """Repeat a request as its answers say, until it is done, or else works.

        Returns:
            All answers, the last one last.
        """
        given: list[Answer] = []
        while len(given) < MANY:
            given.append(request())
            if done(given[-1]) if done else given[-1].status < 300:
                return given
            if given[-1].status >= 300:
                assert given[-1].status in (409, 503), given[-1]
                self.clock.sleep(int(given[-1].headers["retry-after"]))
        raise AssertionError(f"no end after {MANY} calls: {given[-3:]}")

    def finish(self, name: str = NAME) -> Any:
        """Look at an environment until its smoke test has ended; return its document, if any."""
        for _ in range(MANY):
            self.clock.sleep(1)
            answer = self.settle(
                lambda: self.get(f"/environments/{name}"),
                lambda each: each.status in (200, 404),
            )[-1]
            if answer.status == 404:
                return None
            if answer.body["smoke_test"]["status"] not in ("pending", "running"):
                return answer.body
        raise AssertionError(f"the smoke test does not end: {answer}")


@contextmanager
def fresh(region: str = "us-east-1") -> Iterator[World]:
    """Have an empty account, with AWS's managed policies, behind a wire without faults."""
    with standing() as clock, account.in_memory(region, executions=False) as wire:
        yield World(wire, clock)
