"""What the drift tests share: runs started and asked for, and what is read off their calls."""

from collections.abc import Sequence
from typing import Any

from tests.kit import events
from tests.kit.http import QUARTER_OF_AN_HOUR, invoke
from tests.kit.wire import Call
from tests.kit.world import World


def provision(world: World, name: str, **fields: Any) -> Any:
    """Provision an environment, wait until its smoke test has ended, and return its document."""
    document = world.provision(name, wait=20, **fields)
    assert document["smoke_test"]["status"] == "succeeded", document
    return document


def scheduled_run(world: World, seconds: float = QUARTER_OF_AN_HOUR) -> Any:
    """Let the schedule start a drift run, and return its report."""
    world.clock.sleep(1)
    invoke("drift_run", events.scheduled(), seconds)
    return latest(world)


def requested_run(world: World, body: Any = None, seconds: float = 30) -> Any:
    """Ask for a drift run over HTTP, and return its report."""
    world.clock.sleep(1)
    answer = world.request("POST", "/drift-runs", body, seconds=seconds)
    assert answer.status == 200, answer
    return answer.body


def latest(world: World) -> Any:
    """Return the last report."""
    answer = world.get("/drift-runs/latest")
    assert answer.status == 200, answer
    return answer.body


def drift(world: World, name: str) -> Any:
    """Return what GET .../drift says."""
    answer = world.get(f"/environments/{name}/drift")
    assert answer.status == 200, answer
    return answer.body


def only(report: Any) -> Any:
    """Return the one environment of a report that was not in sync."""
    [environment] = report["environments"]
    return environment


def writes(made: Sequence[Call]) -> list[str]:
    """Return what was changed in IAM and Step Functions."""
    return [call.name for call in made if call.writes and call.service in ("IAM", "SFN")]


def reads(made: Sequence[Call]) -> list[str]:
    """Return what was read of IAM."""
    return [call.action for call in made if not call.writes and call.service == "IAM"]
