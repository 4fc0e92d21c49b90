"""What happens without a request: the scheduled drift run, and IAM's change events."""

import msgspec
from chalice.app import CloudWatchEvent

from chalicelib import events, fleet, operation, telemetry, templates
from chalicelib.api.endpoints import provisioner, seconds_left
from chalicelib.aws import LAST_CALL_TIMEOUT
from chalicelib.errors import Busy, TrivetError
from chalicelib.fleet import Finding
from chalicelib.operation import CLOCK, Operation
from chalicelib.provisioner import Provisioner

_RESERVE = 20
"""Seconds kept at the end of a run, to finish what is under way and keep the report."""


def drift_run(event: CloudWatchEvent) -> None:
    """Do the scheduled drift run; skip it where another is going on.

    Raises:
        TrivetError: the fleet could not be read; Lambda counts the invocation as failed.
    """
    try:
        work = provisioner(_operation(event))
        fleet.keep(work, fleet.run(work, "schedule", repair=True))
    except Busy as error:
        telemetry.LOGGER.warning("drift run skipped", extra={"reason": str(error)})
    finally:
        telemetry.flush()


def iam_change(event: CloudWatchEvent) -> None:
    """Put the one environment back that an IAM call changed, unless the call was Trivet's.

    Of a storm of events on one environment, those older than its last check are dropped: since
    CloudTrail takes minutes to tell, there is one check in as many minutes at most.

    Raises:
        TrivetError: it could not be put back; Lambda tries again, and then the schedule does.
    """
    name = events.environment_concerned(templates.load(), event.detail)
    if name is None:
        return
    work = provisioner(_operation(event))
    try:
        result = work.recheck(name, str(event.detail.get("eventTime", "")))
    except Busy as error:
        # Whoever holds it may have read IAM before this change: Lambda comes again.
        telemetry.LOGGER.warning("iam change put off", extra={"reason": str(error)})
        raise
    except TrivetError as error:
        _tell(work, Finding(name, "failed", error=str(error)))
        raise
    else:
        if result is not None and result.changes:
            # No report holds this repair, so that the log has to hold the documents it removed.
            telemetry.LOGGER.warning(
                "put back at once",
                extra={
                    "environment": name,
                    "event": event.detail.get("eventID"),
                    "changes": msgspec.to_builtins(result.changes),
                },
            )
            _tell(work, Finding(name, "repaired", result.changes))
    finally:
        telemetry.flush()


def _tell(work: Provisioner, finding: Finding) -> None:
    with operation.closing():
        fleet.tell(work.account, [finding])


def _operation(event: CloudWatchEvent) -> Operation:
    now = CLOCK.now()
    limit = seconds_left(event.context)
    return operation.begin(
        Operation(
            started=now,
            deadline=now + limit - _RESERVE,
            last_call=now + limit - LAST_CALL_TIMEOUT - 1,
            request_id=event.event_id,
        )
    )
