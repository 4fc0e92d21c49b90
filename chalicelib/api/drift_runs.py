"""The routes of drift runs."""

from chalice.app import Blueprint

from chalicelib import fleet
from chalicelib.api import schemas
from chalicelib.api.endpoints import Answer, Call, endpoint, provisioner
from chalicelib.errors import NotFound

blueprint = Blueprint(__name__)


@endpoint(
    blueprint,
    "POST",
    "/drift-runs",
    body=schemas.RunDrift,
    answers={200: fleet.DriftReport},
    problems=(409,),
)
def post_drift_run(call: Call) -> Answer:
    """Check the whole fleet, and repair it unless told not to."""
    work = provisioner(call.operation)
    return Answer(fleet.keep(work, fleet.run(work, "request", call.body.apply)))


@endpoint(
    blueprint,
    "GET",
    "/drift-runs/latest",
    answers={200: fleet.DriftReport},
    problems=(404,),
)
def get_latest_drift_run(call: Call) -> Answer:
    """Show the last drift report, scheduled or asked for."""
    report = provisioner(call.operation).store.latest_report()
    if report is None:
        raise NotFound("There was no drift run yet.")
    return Answer(report)
