"""Logs and metrics: structured lines, and CloudWatch metrics in embedded metric format.

No policy bodies at INFO: a line names the change, history carries the documents.
"""

import json
from functools import partial
from threading import Lock

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

from chalicelib.model.change import ChangeDocument
from chalicelib.work import operation

# In ASCII: whatever a caller sends, a line stays one line, and can be written.
LOGGER = Logger(service="trivet", json_serializer=partial(json.dumps, default=str))
_METRICS = Metrics(namespace="Trivet", service="trivet")
_METRICS_LOCK = Lock()

_COUNTS = frozenset(
    {
        "Provisions",
        "Deletions",
        "ChangesApplied",
        "DriftedEnvironments",
        "RepairedEnvironments",
        "FailedRepairs",
        "SmokeTestsSucceeded",
        "SmokeTestsFailed",
        "EventsNotDelivered",
        "UnexpectedErrors",
        "RunsStopped",
        "UnreachableAccounts",
    }
)


def log_change(environment: str, change: ChangeDocument) -> None:
    """Log one change that AWS accepted."""
    current = operation.current()
    LOGGER.info(
        "change applied",
        extra={
            "environment": environment,
            "kind": change.kind,
            "role": change.role,
            "resource": change.resource,
            "effect": change.effect,
            "found": change.summary,
            "caller": current and current.caller,
            "request_id": current and current.request_id,
        },
    )


def count(name: str, value: float = 1) -> None:
    """Add to a metric: one of the counts above, or a duration in seconds."""
    unit = MetricUnit.Count if name in _COUNTS else MetricUnit.Seconds
    with _METRICS_LOCK:
        _METRICS.add_metric(name=name, unit=unit, value=value)


def flush() -> None:
    """Write the metrics collected since the last flush, if any, to standard output."""
    with _METRICS_LOCK:
        if _METRICS.metric_set:
            _METRICS.flush_metrics()
