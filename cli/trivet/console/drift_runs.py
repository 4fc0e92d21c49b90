"""Drift runs: the reports kept, one of them, and starting a run."""

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue

from trivet.api import path_of
from trivet.console.pages import asked, call, next_page, under_way

pages = Blueprint("drift_runs", __name__)

_WAIT = 1
"""Seconds: where the fleet's state machine does a run, its page shows the progress."""


@pages.get("/drift-runs")
def index() -> str:
    """List the reports, newest first."""
    found = call("GET", "/drift-runs", query=asked("cursor"))
    return render_template("drift_runs.html", runs=found["drift_runs"], next_page=next_page(found))


@pages.get("/drift-runs/<run_id>")
def show(run_id: str) -> ResponseReturnValue:
    """Show one report, or how far a run is."""
    report = call("GET", path_of("drift-runs", run_id), query=asked("cursor"))
    values = {"report": report, "next_page": next_page(report)}
    if report["status"] == "running":
        return under_way("drift_run.html", **values)
    return render_template("drift_run.html", refreshes=False, **values)


@pages.post("/drift-runs")
def start() -> ResponseReturnValue:
    """Start a preview, a run that repairs, or a repair that a stopped run has shown (`confirm`)."""
    body: dict[str, object] = {"apply": request.form.get("apply") == "true", "wait": _WAIT}
    if confirmed := request.form.get("confirm"):
        body["confirm"] = confirmed
    report = call("POST", "/drift-runs", body)
    return redirect(path_of("drift-runs", report["id"]), 303)
