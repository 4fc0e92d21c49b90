"""The steps of `make live` over the embedded AWS, so that they do not rot."""

import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit.account import client
from tests.kit.edge import edge
from tests.kit.events import cloudtrail
from tests.kit.http import invoke
from tests.kit.wire import Wire
from tests.kit.world import World
from tests.live.stage import Live, NotHere
from tests.live.steps import STEPS, take
from tests.live.trail import refusals
from tools.live import main
from trivet.api import Api

SECONDS_TO_AN_EVENT = 4
NOT_TAKEN = [
    "a team's caller is refused what it was not given",
    "CloudTrail has no AccessDenied of Trivet's roles",
]


class Trail:
    """Hands what is done by hand to Trivet as CloudTrail's events, some time after."""

    def __init__(self, world: World) -> None:
        self._clock = world.clock
        self._due: list[tuple[float, dict[str, Any]]] = []

    def record(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        """Record a call, from botocore's event before it."""
        if model.name.startswith(("Get", "List")):
            return
        now = self._clock.now()
        told = {name[0].lower() + name[1:]: value for name, value in params.items()}
        event = cloudtrail(now, model.name, told)
        self._due.append((now + SECONDS_TO_AN_EVENT, event))

    def sleep(self, seconds: float) -> None:
        """Let time pass, and the events that are due come."""
        self._clock.sleep(seconds)
        due = [event for at, event in self._due if at <= self._clock.now()]
        self._due = [each for each in self._due if each[1] not in due]
        for event in due:
            invoke("iam_change", event)


@pytest.fixture
def live(world: World) -> Iterator[Live]:
    trail, iam = Trail(world), client("iam")
    iam.meta.events.register("before-parameter-build.iam", trail.record)

    def federated(_: dict[str, str]) -> Api:
        raise NotHere("the API in memory asks for no signature")

    def refused() -> list[str]:
        raise NotHere("moto keeps no events of CloudTrail's")

    with edge(world) as url:
        yield Live(Api(url), client, federated, refused, world.clock.now, trail.sleep)
    iam.meta.events.unregister("before-parameter-build.iam", trail.record)


@pytest.mark.slow
def test_every_step_passes(live: Live) -> None:
    told: list[str] = []

    taken = dict(take(live, told.append))

    assert [name for name, done in taken.items() if not done] == NOT_TAKEN
    assert list(taken) == list(STEPS)
    waited = [re.search(r"put back after (\d+) s", each) for each in told if "by hand" in each]
    assert all(each and int(each[1]) >= SECONDS_TO_AN_EVENT for each in waited)
    assert live.left() == []


def test_whatever_happens_the_environment_is_removed(live: Live) -> None:
    live.ask("PUT", live.path, {"deletion_protection": True, "wait": 0})
    assert len(live.left()) == 6

    live.clean()

    assert live.left() == []


def test_nothing_is_done_without_a_yes(
    cloud: Wire, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[list[str]] = []

    def run(arguments: list[str]) -> int:
        ran.append(arguments)
        return 0

    monkeypatch.setattr(pytest, "main", run)
    monkeypatch.setenv("STAGE", "dev")
    monkeypatch.setattr("sys.stdin", io.StringIO("yes"))

    assert (main(), ran) == (1, [])
    assert "live-... in account 123456789012, through stage dev" in capsys.readouterr().out
    monkeypatch.setenv("TRIVET_LIVE", "yes")
    assert main() == 0
    assert [each[-1] for each in ran] == ["tests/live/on_a_stage.py"]


def test_refusals_of_trivets_roles_alone_are_told() -> None:
    def record(role: str, **more: str) -> str:
        issuer = {"sessionContext": {"sessionIssuer": {"userName": role}}}
        return json.dumps({"userIdentity": issuer, "eventName": "CreateRole", **more})

    denied = {"errorCode": "AccessDenied", "errorMessage": "no"}
    records = [
        record("trivet-dev-api_handler", **denied),
        record("trivet-dev-api_handler"),
        record("trivet-prod-api_handler", **denied),
        record("somebody", **denied),
        json.dumps({"userIdentity": {"type": "Root"}, "eventName": "CreateRole", **denied}),
        record("TrivetMember", errorCode="AccessDeniedException"),
    ]
    assert refusals(records, "dev") == ["CreateRole: no", "CreateRole: None"]
