"""The routes of drift runs."""

from typing import Literal

import msgspec
from chalice.app import Blueprint

from chalicelib import fleet, operation, telemetry
from chalicelib.api import schemas
from chalicelib.api.endpoints import Answer, Call, endpoint, provisioner
from chalicelib.api.environments import changes
from chalicelib.errors import NotFound, TrivetError
from chalicelib.operation import Operation

blueprint = Blueprint(__name__)


@endpoint(
    blueprint,
    "POST",
    "/drift-runs",
    body=schemas.RunDrift,
    answers={200: schemas.DriftReport},
    problems=(409,),
)
def post_drift_run(call: Call) -> Answer:
    """Check the whole fleet, and repair it unless told not to."""
    return Answer(run(call.operation, "request", call.body.apply))


@endpoint(
    blueprint,
    "GET",
    "/drift-runs/latest",
    answers={200: schemas.DriftReport},
    problems=(404,),
)
def get_latest_drift_run(call: Call) -> Answer:
    """Show the last drift report, scheduled or asked for."""
    report = provisioner(call.operation).store.latest_report()
    if report is None:
        raise NotFound("There was no drift run yet.")
    return Answer(report)


def run(current: Operation, trigger: Literal["schedule", "request"], apply: bool) -> bytes:
    """Do a drift run, keep its report, and return that as JSON."""
    work = provisioner(current)
    report = fleet.run(work, trigger, apply)
    shown = schemas.DriftReport(
        id=report.id,
        trigger=report.trigger,
        applied=report.applied,
        started_at=report.started_at,
        finished_at=report.finished_at,
        checked=report.checked,
        in_sync=report.in_sync,
        drifted=report.drifted,
        repaired=report.repaired,
        failed=report.failed,
        not_reached=list(report.not_reached),
        aws_calls=dict(report.aws_calls),
        environments=[
            schemas.DriftedEnvironment(each.name, each.outcome, changes(each.changes), each.error)
            for each in report.environments
        ],
    )
    encoded = msgspec.json.encode(shown)
    try:
        with operation.closing():
            work.store.add_report(report.id, report.finished_at, encoded)
    except TrivetError as error:
        # It is the one account of what was undone: the log and whoever asked get it all the same.
        reason = {"reason": str(error), "report": encoded.decode()}
        telemetry.LOGGER.error("drift report not kept", extra=reason)
        if trigger == "schedule":
            raise
    return encoded
