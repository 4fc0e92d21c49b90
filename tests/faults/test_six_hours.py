"""Six hours of random weather and random callers, on the kit's clock: nothing gets lost."""

import random
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from tests.kit import inventory
from tests.kit.checks import Answer
from tests.kit.drifts import CATALOGUE
from tests.kit.events import cloudtrail, scheduled
from tests.kit.faults import Latency, Weather
from tests.kit.fleet import API_GATEWAY, BAD
from tests.kit.hostile import hostile
from tests.kit.http import invoke
from tests.kit.names import ROLES
from tests.kit.product import TrivetError
from tests.kit.wire import Call, Deliver
from tests.kit.world import World, fresh

HOURS = 6
CALLERS = 4
EACH_HAS = 2
"""Environments that one caller declares and deletes; looking and repairing is everyone's."""

PAUSE = 240
"""Seconds between two requests of a caller, on average."""

SPELL = 900
"""Seconds after which the weather changes."""

SKIES: tuple[tuple[Mapping[str, float], float], ...] = (
    ({}, 0.05),
    ({}, 0.5),
    (BAD, 0.05),
    ({"throttled": 0.5}, 0.1),
    ({"failing": 0.3, "lost": 0.1}, 0.1),
    ({"unheard": 0.3, "concurrent": 0.2}, 0.05),
    ({"failing": 0.1}, 3),
    ({"lost": 0.95}, 0.05),
)
"""What the weather may be, and the seconds that a call takes in it."""


class ChangingWeather:
    """Another weather every quarter of an hour; none once it has cleared up."""

    def __init__(self, world: World, seed: int) -> None:
        self._clock = world.clock
        self._began = world.clock.now()
        drawn = random.Random(seed)
        skies = drawn.choices(SKIES, k=HOURS * 3600 // SPELL)
        self._spells = [
            (Weather(number, shares), Latency(world.clock, seconds))
            for number, (shares, seconds) in enumerate(skies)
        ]

    def __call__(self, call: Call, deliver: Deliver) -> AWSResponse:
        at = int((self._clock.now() - self._began) // SPELL)
        if at >= len(self._spells):
            return deliver()
        weather, latency = self._spells[at]
        return latency(call, partial(weather, call, deliver))


@dataclass
class Caller:
    """Somebody who asks this and that, and remembers what was promised of their environments."""

    world: World
    seed: str
    names: list[str]
    everyones: list[str]
    promised: dict[str, dict[str, str] | None] = field(default_factory=dict)
    """The tags of each that is there, None where it is gone; an unknown outcome is left out."""
    answers: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self.promised = dict.fromkeys(self.names)

    def live(self, until: float) -> None:
        """Ask until then."""
        clock, acts = self.world.clock, self._acts()
        while clock.now() < until:
            clock.sleep(self._random.expovariate(1 / PAUSE))
            self._random.choice(acts)()

    def _acts(self) -> list[Callable[[], object]]:
        look_at = ("", "/drift", "/history")
        return [
            *[self._declare] * 4,
            self._delete,
            self._look,
            self._look,
            lambda: self._ask("GET", f"{self._any()}{self._random.choice(look_at)}"),
            lambda: self._ask("POST", f"{self._any()}/reapply"),
            lambda: self._ask("POST", f"{self._any()}/smoke-test", {"wait": 20}),
            lambda: self._ask("GET", "/environments"),
            lambda: self._ask("POST", "/drift-runs"),
            self._meddle,
        ]

    def _any(self) -> str:
        return f"/environments/{self._random.choice(self.everyones)}"

    def _ask(self, method: str, path: str, body: Any = None) -> Answer:
        clock = self.world.clock
        began = clock.now()
        answer = self.world.request(method, path, body)
        self.answers += 1
        assert clock.now() - began < API_GATEWAY, (method, path, answer)
        assert answer.status in (200, 201, 404, 409, 503), (method, path, answer)
        return answer

    def _declare(self) -> None:
        name, tags = self._random.choice(self.names), {"n": str(self._random.random())}
        body = {"tags": tags, "wait": self._random.choice([0, 20])}
        answer = self._ask("PUT", f"/environments/{name}", body)
        self._note(name, answer, tags if answer.status in (200, 201) else None)

    def _delete(self) -> None:
        name = self._random.choice(self.names)
        self._note(name, self._ask("DELETE", f"/environments/{name}"), None)

    def _note(self, name: str, answer: Answer, now: dict[str, str] | None) -> None:
        """Remember what an answer promises; a 409 changed nothing, a 503 who knows."""
        if answer.status == 503:
            self.promised.pop(name, None)
        elif answer.status != 409:
            self.promised[name] = now

    def _look(self) -> None:
        name = self._random.choice(self.names)
        answer = self._ask("GET", f"/environments/{name}")
        if name in self.promised and answer.status in (200, 404):
            held = answer.body["tags"] if answer.status == 200 else None
            assert held == self.promised[name], (name, answer)

    def _meddle(self) -> None:
        """Change something by hand, where all is well known; IAM tells of it a minute later."""
        there = [name for name in self.names if self.promised.get(name)]
        if not there:
            return
        name, drift = self._random.choice(there), self._random.choice(CATALOGUE)
        drift.on(name, self._random.choice(drift.roles))
        at = self.world.clock.now()
        self.world.clock.sleep(60)
        role = {"roleName": f"{name}-{ROLES['notebook']}"}
        _invoked("iam_change", cloudtrail(at, "AttachRolePolicy", role))


def _invoked(function: str, event: Any) -> None:
    """Invoke a function, which may fail: the schedule comes again."""
    with suppress(TrivetError):
        invoke(function, event)


def _schedule(world: World, until: float) -> None:
    while world.clock.now() < until:
        world.clock.sleep(3600)
        _invoked("drift_run", scheduled())


@pytest.mark.soak
@pytest.mark.parametrize(("seed", "is_hostile"), [(1, False), (2, False), (3, True)])
def test_nothing_is_lost(seed: int, is_hostile: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIVET_MAX_DRIFT", "1")
    _live_through(seed, hours=HOURS, is_hostile=is_hostile)


@pytest.mark.slow
def test_nothing_is_lost_in_twenty_minutes() -> None:
    _live_through(seed=4, hours=1 / 3, is_hostile=False)


def _live_through(seed: int, hours: float, is_hostile: bool) -> None:
    names = [f"lake-{number}" for number in range(CALLERS * EACH_HAS)]
    with fresh() as world:
        callers = [
            Caller(world, f"{seed} {first}", names[first : first + EACH_HAS], names)
            for first in range(0, len(names), EACH_HAS)
        ]
        until = world.clock.now() + hours * 3600
        as_it_is = hostile(world.clock) if is_hostile else ()
        with (
            world.wire.through(ChangingWeather(world, seed), *as_it_is),
            ThreadPoolExecutor(CALLERS + 1) as threads,
        ):
            living = [threads.submit(caller.live, until) for caller in callers]
            living.append(threads.submit(_schedule, world, until))
        for each in living:
            each.result()
        world.clock.sleep(1800)
        _in_order(world, {name: tags for each in callers for name, tags in each.promised.items()})
        assert sum(caller.answers for caller in callers) > 20 * hours


def _in_order(world: World, promised: Mapping[str, dict[str, str] | None]) -> None:
    """Assert that all that was promised is there, and nothing besides."""
    unknown = {f"lake-{number}" for number in range(CALLERS * EACH_HAS)} - promised.keys()
    # Their last answer was a 503, which asks to call again; what there is of them is taken over.
    there = sorted(unknown | {name for name, tags in promised.items() if tags is not None})
    for name in there:
        path = f"/environments/{name}/{'adopt' if name in unknown else 'reapply'}"
        ask = partial(world.post, path)
        document = world.settle(ask)[-1].body
        assert document["status"] == "ready", document
        assert name in unknown or document["tags"] == promised[name], document
        assert world.finish(name)["smoke_test"]["status"] == "succeeded"
        assert world.get(f"/environments/{name}/drift").body["in_sync"]
    held = inventory.everything()
    assert sorted(held["environments"]) == there
    assert len(held["roles"]) == len(ROLES) * len(there)
    assert len(held["state machines"]) == len(there)
    assert held["leases"] == []
    runs = world.get("/drift-runs?limit=100").body["drift_runs"]
    assert {each["status"] for each in runs} <= {"finished"}
