"""The routes of drift runs."""

import msgspec
from chalice.app import Blueprint

from chalicelib.api import schemas
from chalicelib.api.endpoints import Answer, Call, endpoint
from chalicelib.errors import NotFound
from chalicelib.model.report import ReportPage, RunRequest
from chalicelib.verbs import fleet_run

blueprint = Blueprint(__name__)

_TAG = "drift runs"


@endpoint(
    blueprint,
    "POST",
    "/drift-runs",
    name="startDriftRun",
    tag=_TAG,
    body=schemas.RunDrift,
    answers={200: ReportPage, 202: ReportPage},
    problems=(409,),
)
def post_drift_run(call: Call) -> Answer:
    """Check the fleet, and repair it unless told not to."""
    body = call.body
    request = RunRequest(
        "request",
        apply=body.apply,
        confirm=body.confirm,
        environments=None if body.environments is None else tuple(body.environments),
        accounts=None if body.accounts is None else tuple(body.accounts),
    )
    report = fleet_run.run(call.installation, request, body.wait)
    if report.status == "finished":
        return Answer(report)
    return Answer(report, 202, f"/drift-runs/{report.id}")


@endpoint(
    blueprint,
    "GET",
    "/drift-runs",
    name="listDriftRuns",
    tag=_TAG,
    query=schemas.PageQuery,
    answers={200: schemas.DriftRunPage},
)
def list_drift_runs(call: Call) -> Answer:
    """List the reports kept, newest first, without their environments."""
    page = call.installation.reports.list(call.query.limit, call.query.cursor)
    return Answer(schemas.DriftRunPage(*page))


@endpoint(
    blueprint,
    "GET",
    "/drift-runs/latest",
    name="getLatestDriftRun",
    tag=_TAG,
    query=schemas.ReportQuery,
    answers={200: ReportPage},
    problems=(404,),
)
def get_latest_drift_run(call: Call) -> Answer:
    """Show the last finished report of a run that repaired."""
    latest = call.installation.reports.latest()
    if latest is None:
        raise NotFound("There was no drift run yet that repaired.")
    return Answer(_page(call, latest.id))


@endpoint(
    blueprint,
    "GET",
    "/drift-runs/{run_id}",
    name="getDriftRun",
    tag=_TAG,
    query=schemas.ReportQuery,
    answers={200: ReportPage},
    problems=(404,),
)
def get_drift_run(call: Call, run_id: str) -> Answer:
    """Show one report, its environments by pages."""
    return Answer(_page(call, run_id))


def _page(call: Call, run_id: str) -> msgspec.Struct:
    return fleet_run.report_page(call.installation, run_id, call.query.limit, call.query.cursor)
