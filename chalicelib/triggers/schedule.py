"""The scheduled drift run."""

from chalice.app import CloudWatchEvent

from chalicelib.errors import Busy
from chalicelib.model.report import RunRequest
from chalicelib.triggers.invocation import invocation
from chalicelib.verbs import fleet_run
from chalicelib.work import telemetry


def drift_run(event: CloudWatchEvent) -> None:
    """Do the scheduled drift run; skip it where another is going on.

    Raises:
        TrivetError: the fleet could not be read; Lambda counts the invocation as failed.
    """
    with invocation(event.context, event.event_id) as installation:
        try:
            fleet_run.run(installation, RunRequest("schedule"), wait=0)
        except Busy as error:
            telemetry.LOGGER.warning("drift run skipped", extra={"reason": str(error)})
