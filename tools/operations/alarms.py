"""The alarms: what each watches, what it means, and where the runbook goes on.

An alarm is called `trivet-<stage>-<name>`, and its entry in the runbook is headed by `<name>`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tools.operations.names import (
    API,
    APP,
    ASYNCHRONOUS,
    FUNCTIONS,
    Resource,
    Resources,
    camel,
    function_name,
    rule_name,
    sub,
)
from tools.operations.queues import queue_name
from tools.operations.watcher import OUTSIDE, WATCHER

HOUR, QUARTER, FIVE_MINUTES = 3600, 900, 300


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, as whoever emits it names it."""

    namespace: str
    name: str
    dimensions: dict[str, Any]
    statistic: str = "Sum"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm; its metrics by their ids in the expressions, where there are any."""

    name: str
    metrics: dict[str, Metric]
    means: str
    threshold: float = 0
    expressions: dict[str, str] = field(default_factory=dict)
    """Metric math by its ids, in order; the last one is what is compared with the threshold."""
    comparison: str = "GreaterThanThreshold"
    period: int | dict[str, str] = FIVE_MINUTES
    periods: int = 1
    missing: str = "notBreaching"


def trivet(name: str, statistic: str = "Sum") -> Metric:
    """Return a metric of Trivet's own, with the dimension that its functions send it under."""
    return Metric("Trivet", name, {"service": APP}, statistic)


def of_function(function: str, name: str, statistic: str = "Sum") -> Metric:
    """Return a metric that Lambda sends of one function."""
    return Metric("AWS/Lambda", name, {"FunctionName": sub(function_name(function))}, statistic)


def of_api(name: str, statistic: str = "Sum") -> Metric:
    """Return a metric that API Gateway sends of the API's stage."""
    return Metric("AWS/ApiGateway", name, {"ApiName": APP, "Stage": {"Ref": "Stage"}}, statistic)


def of_table(name: str) -> Metric:
    """Return a metric that DynamoDB sends of Trivet's table."""
    return Metric("AWS/DynamoDB", name, {"TableName": {"Ref": "Table"}})


def of_fleet(name: str) -> Metric:
    """Return a metric that Step Functions sends of the fleet's state machine."""
    return Metric("AWS/States", name, {"StateMachineArn": {"Ref": "Fleet"}})


def of_rule(rule: str, name: str) -> Metric:
    """Return a metric that EventBridge sends of a rule on the default bus."""
    return Metric("AWS/Events", name, {"RuleName": sub(rule)})


def _of_trivet() -> Iterator[Alarm]:
    for name, metric, means in (
        (
            "failed-repairs",
            "FailedRepairs",
            "A drift stays: Trivet could not put an environment back.",
        ),
        (
            "drifted-environments",
            "DriftedEnvironments",
            "Someone or something changed a role or policy that Trivet declares.",
        ),
        ("smoke-tests-failed", "SmokeTestsFailed", "The wiring of an environment does not work."),
        ("unexpected-errors", "UnexpectedErrors", "A defect in Trivet: an answer was a 500."),
        (
            "events-not-delivered",
            "EventsNotDelivered",
            "Drift was found and not told to EventBridge; the report has it.",
        ),
        (
            "runs-stopped",
            "RunsStopped",
            "A drift run found more drift than TRIVET_MAX_DRIFT allows, and repaired nothing.",
        ),
        (
            "unreachable-accounts",
            "UnreachableAccounts",
            "A drift run could not look at a member account.",
        ),
    ):
        yield Alarm(name, {"value": trivet(metric)}, means, period=HOUR)


def _of_functions() -> Iterator[Alarm]:
    for function in FUNCTIONS:
        kebab = function.replace("_", "-")
        yield Alarm(
            f"{kebab}-errors",
            {"value": of_function(function, "Errors")},
            f"The function {function} ended in an error, or ran out of time or memory.",
        )
        yield Alarm(
            f"{kebab}-throttled",
            {"value": of_function(function, "Throttles")},
            f"Lambda turned invocations of {function} away: the account's concurrency is used up.",
        )
    yield Alarm(
        "schedule-stopped",
        {"value": of_function("drift_run", "Invocations")},
        "The scheduled drift run does not start: drift is not put back.",
        threshold=1,
        comparison="LessThanThreshold",
        period={"Ref": "SecondsBetweenDriftRuns"},
        missing="breaching",
    )
    yield Alarm(
        "drift-run-slow",
        {"value": of_function("drift_run", "Duration", "Maximum")},
        "A drift run took over 13 of 15 minutes: soon it will not reach every environment.",
        threshold=13 * 60 * 1000,
        period=HOUR,
    )


def _of_events() -> Iterator[Alarm]:
    for function in ASYNCHRONOUS:
        kebab = function.replace("_", "-")
        yield Alarm(
            f"{kebab}-dead-letters",
            {
                "value": Metric(
                    "AWS/SQS",
                    "ApproximateNumberOfMessagesVisible",
                    {"QueueName": sub(queue_name(function))},
                    "Maximum",
                )
            },
            f"Events that {function} failed on three times wait in its dead letter queue.",
        )
        yield Alarm(
            f"{kebab}-events-lost",
            {
                "rule": of_rule(rule_name(function), "FailedInvocations"),
                "dropped": of_function(function, "AsyncEventsDropped"),
                "undelivered": of_function(function, "DestinationDeliveryFailures"),
            },
            f"An event for {function} was lost: EventBridge could not hand it over, Lambda dropped "
            "it, or the dead letter queue did not take it.",
            expressions={"total": "FILL(rule, 0) + FILL(dropped, 0) + FILL(undelivered, 0)"},
        )


def _of_api() -> Iterator[Alarm]:
    yield Alarm(
        "api-failures",
        {"value": of_api("5XXError")},
        "The API answered with 500, 502, 503 or 504.",
        threshold=3,
        period=QUARTER,
    )
    yield Alarm(
        "api-slow",
        {"value": of_api("Latency", "p90")},
        "A tenth of the API's answers take over 27 s; API Gateway gives up at 29 s.",
        threshold=27_000,
        period=QUARTER,
        periods=2,
    )
    yield Alarm(
        "invoked-past-the-api",
        {
            "invoked": of_function(API, "Invocations"),
            # Sent for requests that were handed to the function, and not for refused ones.
            "relayed": of_api("IntegrationLatency", "SampleCount"),
        },
        "The API's function was invoked by something else than the API: whoever does that is "
        "every caller.",
        # The sum of a period and the one before, twice in a row: a request that is under way when
        # a period ends counts one too many in the former and one too few in the latter.
        expressions={
            "extra": "FILL(invoked, 0) - FILL(relayed, 0)",
            "rolling": "2 * extra - DIFF(extra)",
        },
        periods=2,
    )


def _of_the_rest() -> Iterator[Alarm]:
    yield Alarm(
        "table-throttled",
        {"read": of_table("ReadThrottleEvents"), "written": of_table("WriteThrottleEvents")},
        "DynamoDB throttled Trivet's table, which has capacity on demand.",
        expressions={"total": "FILL(read, 0) + FILL(written, 0)"},
    )
    yield Alarm(
        "fleet-failed",
        {
            "failed": of_fleet("ExecutionsFailed"),
            "timed": of_fleet("ExecutionsTimedOut"),
            "aborted": of_fleet("ExecutionsAborted"),
        },
        "A run over all accounts ended before it was done.",
        expressions={"total": "FILL(failed, 0) + FILL(timed, 0) + FILL(aborted, 0)"},
    )
    yield Alarm(
        "changed-by-others",
        {"value": of_rule(WATCHER, "MatchedEvents")},
        "Someone else than Trivet made or changed a role or policy with Trivet's names or tags.",
    )
    yield Alarm(
        "roles-used-outside",
        {"value": of_rule(OUTSIDE, "MatchedEvents")},
        "A role of Trivet's functions was used outside of them.",
    )


ALARMS = (*_of_trivet(), *_of_functions(), *_of_events(), *_of_api(), *_of_the_rest())


def logical_id(alarm: Alarm) -> str:
    """Return an alarm's logical id in the template."""
    return f"{camel(alarm.name)}Alarm"


def resources() -> Resources:
    """Return the alarms' resources, by their logical ids."""
    return {logical_id(alarm): _resource(alarm) for alarm in ALARMS}


def _resource(alarm: Alarm) -> Resource:
    told = {"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]}
    properties: Resource = {
        "AlarmName": sub(f"{APP}-${{Stage}}-{alarm.name}"),
        "AlarmDescription": f"{alarm.means} What to do: docs/runbook.md#{alarm.name}",
        "AlarmActions": told,
        "OKActions": told,
        "ComparisonOperator": alarm.comparison,
        "Threshold": alarm.threshold,
        "EvaluationPeriods": alarm.periods,
        "TreatMissingData": alarm.missing,
    }
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": properties | (_queries(alarm) if alarm.expressions else _single(alarm)),
    }


def _single(alarm: Alarm) -> Resource:
    [metric] = alarm.metrics.values()
    percentile = metric.statistic.startswith("p")
    return {
        "Namespace": metric.namespace,
        "MetricName": metric.name,
        "Dimensions": _dimensions(metric),
        "Period": alarm.period,
        "ExtendedStatistic" if percentile else "Statistic": metric.statistic,
    }


def _queries(alarm: Alarm) -> Resource:
    queries = [_query(key, metric, alarm.period) for key, metric in alarm.metrics.items()]
    compared = list(alarm.expressions)[-1]
    expressions = [
        {"Id": key, "Expression": text, "ReturnData": key == compared}
        for key, text in alarm.expressions.items()
    ]
    return {"Metrics": [*queries, *expressions]}


def _query(key: str, metric: Metric, period: Any) -> Resource:
    what = {
        "Namespace": metric.namespace,
        "MetricName": metric.name,
        "Dimensions": _dimensions(metric),
    }
    stat = {"Metric": what, "Period": period, "Stat": metric.statistic}
    return {"Id": key, "MetricStat": stat, "ReturnData": False}


def _dimensions(metric: Metric) -> list[Resource]:
    return [{"Name": name, "Value": value} for name, value in metric.dimensions.items()]
