"""The operation that an invocation of Lambda begins, with the time that it has."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chalicelib.aws.clients import LAST_CALL_TIMEOUT
from chalicelib.installation import Installation, installed
from chalicelib.work import telemetry
from chalicelib.work.operation import CLOCK, Operation, under_way

_RESERVE = 20
"""Seconds kept at the end of a run, to finish what is under way and keep the report."""


@contextmanager
def invocation(context: Any, event_id: str | None) -> Iterator[Installation]:
    """Begin an operation, and end it with its metrics written."""
    now = CLOCK.now()
    limit = seconds_left(context)
    current = Operation(
        started=now,
        deadline=now + limit - _RESERVE,
        last_call=now + limit - LAST_CALL_TIMEOUT - 1,
        request_id=event_id,
    )
    with under_way(current):
        try:
            yield installed(current, function_arn(context))
        finally:
            telemetry.flush()


def function_arn(lambda_context: Any) -> str:
    """Return the ARN of the function that Lambda invoked, "" outside of Lambda."""
    return str(lambda_context.invoked_function_arn)


def seconds_left(lambda_context: Any) -> float:
    """Return the seconds that Lambda leaves this invocation."""
    return float(lambda_context.get_remaining_time_in_millis()) / 1000
