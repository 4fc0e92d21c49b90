"""What happens without a request: the scheduled drift run, and IAM's change events."""

from chalice.app import CloudWatchEvent

from chalicelib import events, operation, telemetry, templates
from chalicelib.api import drift_runs
from chalicelib.api.endpoints import provisioner, seconds_left
from chalicelib.errors import Busy, TrivetError
from chalicelib.fleet import Finding
from chalicelib.operation import CLOCK, Operation

_RESERVE = 20
"""Seconds kept at the end of a run, to finish what is under way and keep the report."""


def drift_run(event: CloudWatchEvent) -> None:
    """Do the scheduled drift run; skip it where another is going on.

    Raises:
        TrivetError: the fleet could not be read; Lambda counts the invocation as failed.
    """
    try:
        drift_runs.run(_operation(event), "schedule", apply=True)
    except Busy as error:
        telemetry.LOGGER.warning("drift run skipped", extra={"reason": str(error)})
    finally:
        telemetry.flush()


def iam_change(event: CloudWatchEvent) -> None:
    """Put the one environment back that an IAM call changed, unless the call was Trivet's.

    Of a storm of events on one environment, those older than its last check are dropped.

    Raises:
        TrivetError: it could not be put back; Lambda tries again, and then the schedule does.
    """
    name = events.environment_concerned(templates.load(), event.detail)
    if name is None:
        return
    work = provisioner(_operation(event))
    try:
        result = work.recheck(name, str(event.detail.get("eventTime", "")))
    except TrivetError as error:
        events.publish(work.account, [Finding(name, "failed", error=str(error))])
        telemetry.count("FailedRepairs")
        raise
    else:
        if result is not None and result.changes:
            events.publish(work.account, [Finding(name, "repaired", result.changes)])
            telemetry.count("DriftedEnvironments")
            telemetry.count("RepairedEnvironments")
    finally:
        telemetry.flush()


def _operation(event: CloudWatchEvent) -> Operation:
    now = CLOCK.now()
    limit = seconds_left(event.context)
    return operation.begin(
        Operation(
            started=now,
            deadline=now + limit - _RESERVE,
            last_call=now + limit - 2,
            request_id=event.event_id,
        )
    )
