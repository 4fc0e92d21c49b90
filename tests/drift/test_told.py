"""Told: an event to EventBridge for each environment not in sync, and metrics to alarm on."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from tests.kit.drifts import named
from tests.kit.inventory import resources
from tests.kit.names import ACCOUNT, NAME
from tests.kit.wire import Call, refusing
from tests.kit.world import World

from .support import only, provision, requested_run, scheduled_run


def told(made: Sequence[Call]) -> list[Any]:
    """Return what was sent to the event bus."""
    sent = [call.parameters["Entries"] for call in made if call.action == "PutEvents"]
    return [entry for entries in sent for entry in entries]


def metrics(output: str) -> Counter[str]:
    """Return the metrics in embedded metric format, as CloudWatch reads them from the output."""
    found: Counter[str] = Counter()
    for line in output.splitlines():
        if '"_aws"' not in line:
            continue
        record = json.loads(line)
        for directive in record["_aws"]["CloudWatchMetrics"]:
            assert directive["Namespace"] == "Trivet"
            for metric in directive["Metrics"]:
                assert (metric["Unit"] == "Count") == (not metric["Name"].endswith("Duration"))
                found[metric["Name"]] += sum(record[metric["Name"]])
    return found


def test_each_environment_not_in_sync_is_told_without_documents(world: World) -> None:
    for letter in "abc":
        world.provision(f"{NAME}-{letter}", wait=0)
    named("inline_policy_added").on(f"{NAME}-a", "notebook")
    named("trust_opened").on(f"{NAME}-b", "lambda_trigger")

    with world.wire.recording() as made:
        report = requested_run(world)

    entries = told(made)
    assert [(entry["Source"], entry["DetailType"]) for entry in entries] == [
        ("trivet", "Trivet Drift")
    ] * 2
    assert "EventBusName" not in entries[0]
    details = [json.loads(entry["Detail"]) for entry in entries]
    assert details == [
        {
            "account_id": ACCOUNT,
            "environment": each["name"],
            "outcome": "repaired",
            "changes": [
                {key: change[key] for key in ("kind", "role", "resource", "summary", "effect")}
                for change in each["changes"]
            ],
            "error": None,
            "actor": None,
        }
        for each in report["environments"]
    ]
    assert report["aws_calls"]["events:PutEvents"] == 1
    with world.wire.recording() as made:
        requested_run(world)
    assert not told(made)


def test_a_failed_repair_is_told_with_its_reason(world: World) -> None:
    provision(world, NAME)
    named("tag_added").on(NAME, "notebook")
    refused = refusing(lambda call: call.action == "UntagRole", "AccessDenied", "no")

    with world.wire.through(refused), world.wire.recording() as made:
        report = scheduled_run(world)

    [entry] = told(made)
    detail = json.loads(entry["Detail"])
    assert (detail["outcome"], detail["error"]) == ("failed", only(report)["error"])


def test_events_go_ten_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIVET_MAX_DRIFT", "1")
    for number in range(11):
        world.provision(f"{NAME}-{number}", wait=0)
        named("tag_added").on(f"{NAME}-{number}", "notebook")

    with world.wire.recording() as made:
        requested_run(world)

    sent = [call.parameters["Entries"] for call in made if call.action == "PutEvents"]
    assert sorted(len(entries) for entries in sent) == [1, 10]
    assert len({entry["Detail"] for entry in told(made)}) == 11


@pytest.mark.parametrize("code", ["AccessDeniedException", "InternalException"])
def test_an_event_that_is_not_delivered_stops_nothing(
    world: World,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    code: str,
) -> None:
    provision(world, NAME)
    declared = resources()
    named("tag_added").on(NAME, "notebook")
    capsys.readouterr()

    with world.wire.through(refusing(lambda call: call.action == "PutEvents", code, "no")):
        assert only(requested_run(world))["outcome"] == "repaired"

    assert resources() == declared
    assert any(record.message == "drift event not delivered" for record in caplog.records)
    assert metrics(capsys.readouterr().out)["EventsNotDelivered"] == 1


@pytest.mark.parametrize("start", [requested_run, scheduled_run])
def test_metrics_say_how_many_drifted_and_failed(
    world: World, capsys: pytest.CaptureFixture[str], start: Any
) -> None:
    for letter in "abc":
        world.provision(f"{NAME}-{letter}", wait=0)
    named("tag_added").on(f"{NAME}-a", "notebook")
    named("trust_opened").on(f"{NAME}-b", "notebook")
    capsys.readouterr()

    refused = refusing(lambda call: call.action == "UntagRole", "AccessDenied", "no")
    with world.wire.through(refused):
        start(world)
    found = metrics(capsys.readouterr().out)
    assert (found["DriftedEnvironments"], found["RepairedEnvironments"]) == (2, 1)
    assert found["FailedRepairs"] == 1

    start(world)
    start(world)
    # Zeros too, so that an alarm has data: the last run found nothing.
    assert metrics(capsys.readouterr().out)["FailedRepairs"] == 0
