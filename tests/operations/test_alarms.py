"""Each alarm fires on what happens, told as the function or the AWS service really tells it."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from chalicelib.work import telemetry
from tests.operations.cloudwatch import CloudWatch, Datum
from tests.operations.sound import ACCOUNT, checked_in
from tools.child import REPOSITORY
from tools.operations.alarms import ALARMS

RESOURCES = checked_in("deploy/operations.json")["Resources"]
RUNBOOK = (REPOSITORY / "docs" / "runbook.md").read_text()
FLEET = f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:trivet-dev-fleet"
VALUES: dict[str, Any] = {
    "Stage": "dev",
    "Table": "trivet-dev",
    "Fleet": FLEET,
    "SecondsBetweenDriftRuns": 7200,
}


def of_stage() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the alarms of the template as they are in the stage `dev`, by their short names."""
    for each in RESOURCES.values():
        if each["Type"] == "AWS::CloudWatch::Alarm":
            properties = _filled_in(each["Properties"])
            yield properties["AlarmName"].removeprefix("trivet-dev-"), properties


def _filled_in(value: Any) -> Any:
    if isinstance(value, list):
        return [_filled_in(each) for each in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Ref"}:
        return VALUES.get(value["Ref"])
    if set(value) == {"Fn::Sub"}:
        return re.sub(r"\$\{(\w+)\}", lambda found: VALUES[found[1]], value["Fn::Sub"])
    return {key: _filled_in(each) for key, each in value.items()}


IN_STAGE = dict(of_stage())


@pytest.mark.parametrize("alarm", ALARMS, ids=[each.name for each in ALARMS])
def test_every_alarm_has_its_runbook_entry(alarm: Any) -> None:
    assert f"\n### {alarm.name}\n" in RUNBOOK
    description = IN_STAGE[alarm.name]["AlarmDescription"]
    assert description.endswith(f"docs/runbook.md#{alarm.name}")


# --- what is sent


def of_function(function: str, name: str, value: float, **more: float) -> list[Datum]:
    """https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html"""
    unit = "Milliseconds" if name == "Duration" else "Count"
    under: tuple[dict[str, str], ...] = (
        {},
        {"FunctionName": function},
        {"FunctionName": function, "Resource": function},
    )
    return [Datum("AWS/Lambda", name, each, unit, value, **more) for each in under]


def of_api(name: str, value: float, **more: float) -> list[Datum]:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html"""
    unit = "Milliseconds" if name.endswith("Latency") else "Count"
    under = ({"ApiName": "trivet"}, {"ApiName": "trivet", "Stage": "dev"})
    return [Datum("AWS/ApiGateway", name, each, unit, value, **more) for each in under]


def of_queue(queue: str, waiting: float) -> list[Datum]:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html"""
    name = "ApproximateNumberOfMessagesVisible"
    return [Datum("AWS/SQS", name, {"QueueName": queue}, "Count", waiting)]


def of_rule(rule: str, name: str) -> list[Datum]:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html"""
    return [Datum("AWS/Events", name, {"RuleName": rule}, "Count", 1)]


def of_fleet(name: str) -> list[Datum]:
    """https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html"""
    return [Datum("AWS/States", name, {"StateMachineArn": FLEET}, "Count", 1)]


def of_table(name: str) -> list[Datum]:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html"""
    return [Datum("AWS/DynamoDB", name, {"TableName": "trivet-dev"}, "Count", 1)]


def invoked(here: int, relayed: int, ago: float) -> list[Datum]:
    """Return what is told of invocations of the API's function, some relayed by API Gateway."""
    return [
        *of_function("trivet-dev", "Invocations", here, ago=ago),
        *(each for _ in range(relayed) for each in of_api("IntegrationLatency", 80, ago=ago)),
    ]


def invocations(*told: tuple[int, int]) -> list[Datum]:
    """Return what is told in periods of 5 minutes, the oldest first."""
    agos = range(300 * (len(told) - 1), -1, -300)
    pairs = zip(told, agos, strict=True)
    return [each for (here, relayed), ago in pairs for each in invoked(here, relayed, ago + 1)]


HAPPENS: list[tuple[str, list[Datum]]] = [
    *(
        (f"{short}-{alarm}", of_function(function, metric, 1))
        for short, function in {
            "api-handler": "trivet-dev",
            "drift-run": "trivet-dev-drift_run",
            "fleet-step": "trivet-dev-fleet_step",
            "iam-change": "trivet-dev-iam_change",
        }.items()
        for alarm, metric in {"errors": "Errors", "throttled": "Throttles"}.items()
    ),
    ("schedule-stopped", of_function("trivet-dev-drift_run", "Invocations", 1, ago=7300)),
    ("drift-run-slow", of_function("trivet-dev-drift_run", "Duration", 781_000)),
    *(
        (f"{key.replace('_', '-')}-{alarm}", data)
        for key in ("drift_run", "iam_change")
        for alarm, data in (
            ("dead-letters", of_queue(f"trivet-dev-{key}-failed", 1)),
            ("events-lost", of_rule(f"trivet-dev-{key}-event", "FailedInvocations")),
            ("events-lost", of_function(f"trivet-dev-{key}", "AsyncEventsDropped", 1)),
            ("events-lost", of_function(f"trivet-dev-{key}", "DestinationDeliveryFailures", 1)),
        )
    ),
    ("api-failures", of_api("5XXError", 1) * 4),
    ("api-slow", [*of_api("Latency", 28_000), *of_api("Latency", 28_500, ago=901)]),
    ("invoked-past-the-api", invocations((4, 4), (3, 2), (2, 2))),
    ("table-throttled", of_table("ReadThrottleEvents")),
    ("table-throttled", of_table("WriteThrottleEvents")),
    ("fleet-failed", of_fleet("ExecutionsFailed")),
    ("fleet-failed", of_fleet("ExecutionsTimedOut")),
    ("fleet-failed", of_fleet("ExecutionsAborted")),
    ("changed-by-others", of_rule("trivet-dev-changed-by-others", "MatchedEvents")),
    ("roles-used-outside", of_rule("trivet-dev-roles-used-outside", "MatchedEvents")),
]
HAPPENS_NOT = [
    of_function("trivet-dev-drift_run", "Duration", 780_000),
    of_queue("trivet-dev-drift_run-failed", 0),
    of_api("5XXError", 1) * 3,
    [*of_api("Latency", 28_000), *of_api("Latency", 200, ago=901)],
    # A request that is under way when a period ends.
    invocations((4, 4), (3, 2), (2, 3)),
]
SCHEDULED = of_function("trivet-dev-drift_run", "Invocations", 1)


def firing(data: list[Datum]) -> set[str]:
    return {name for name, alarm in IN_STAGE.items() if CloudWatch(data).state(alarm) == "ALARM"}


@pytest.mark.parametrize(
    ("name", "data"), HAPPENS, ids=[f"{name}-{data[-1].name}" for name, data in HAPPENS]
)
def test_alarm_fires_alone_on_what_aws_tells(name: str, data: list[Datum]) -> None:
    regular = [] if name == "schedule-stopped" else SCHEDULED
    assert firing([*regular, *data]) == {name}


@pytest.mark.parametrize("data", HAPPENS_NOT, ids=[each[-1].name for each in HAPPENS_NOT])
def test_nothing_fires_on_what_is_in_order(data: list[Datum]) -> None:
    assert firing([*SCHEDULED, *data]) == set()


def test_every_alarm_is_among_them() -> None:
    of_trivet = {key for key, alarm in IN_STAGE.items() if alarm.get("Namespace") == "Trivet"}
    assert {name for name, _ in HAPPENS} | of_trivet == set(IN_STAGE)


@pytest.mark.parametrize(
    "alarm",
    [each for each in IN_STAGE.values() if each.get("Namespace") == "Trivet"],
    ids=lambda each: str(each["MetricName"]),
)
def test_alarm_fires_on_what_trivet_sends(
    alarm: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry.count(alarm["MetricName"])
    telemetry.flush()
    line = json.loads(capsys.readouterr().out.splitlines()[-1])

    assert CloudWatch().state(alarm) == "OK"
    assert CloudWatch(list(of_line(line))).state(alarm) == "ALARM"


def of_line(line: Mapping[str, Any]) -> Iterator[Datum]:
    """Yield the metrics of a log line in embedded metric format, under each set of dimensions."""
    [directive] = line["_aws"]["CloudWatchMetrics"]
    for names in directive["Dimensions"]:
        for metric in directive["Metrics"]:
            [value] = line[metric["Name"]]
            dimensions = {name: line[name] for name in names}
            name, unit = metric["Name"], metric["Unit"]
            yield Datum(directive["Namespace"], name, dimensions, unit, value)
