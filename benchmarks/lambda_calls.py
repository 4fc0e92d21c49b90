"""The app invoked as Lambda does it: events in, answers out, no server between."""

import json
from typing import Any

from app import app, drift_run, fleet_step

_SECONDS = {"request": 30, "schedule": 900}


class _Context:
    """What Chalice and Trivet ask of Lambda's context."""

    aws_request_id = "benchmark"
    function_name = "benchmark"
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:benchmark"
    memory_limit_in_mb = "512"

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return self._seconds * 1000


def request(
    method: str, path: str, body: dict[str, Any] | None = None, **parameters: str
) -> dict[str, Any]:
    """Send a request, which must come out well, and return the answer's document.

    Args:
        path: as routed, such as `/environments/{name}`.
        parameters: of the path.
    """
    event = {
        "resource": path,
        "path": path.format(**parameters),
        "httpMethod": method,
        "headers": {"Content-Type": "application/json"},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "multiValueQueryStringParameters": None,
        "pathParameters": parameters or None,
        "stageVariables": None,
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
        "requestContext": {
            "resourcePath": path,
            "httpMethod": method,
            "path": path.format(**parameters),
            "requestId": "benchmark",
            "identity": {"userArn": "arn:aws:iam::123456789012:user/benchmark"},
        },
    }
    answer = app(event, _Context(_SECONDS["request"]))
    assert answer["statusCode"] in (200, 201, 202), answer
    document: dict[str, Any] = json.loads(answer["body"])
    return document


def scheduled_drift_run() -> None:
    """Do a drift run as the schedule does."""
    event = {
        "id": "benchmark",
        "source": "aws.events",
        "detail-type": "Scheduled Event",
        "account": "123456789012",
        "region": "us-east-1",
        "time": "2026-01-01T00:00:00Z",
        "version": "0",
        "resources": [],
        "detail": {},
    }
    drift_run(event, _Context(_SECONDS["schedule"]))


def step_of_fleet_run(step: str, run: str, **account: str) -> dict[str, Any]:
    """Do a step of a run over many accounts, as the fleet's state machine has it done."""
    done: dict[str, Any] = fleet_step(
        {"step": step, "run": run, **account}, _Context(_SECONDS["schedule"])
    )
    return done
