"""Trivet's Lambda functions: the API, the schedule, IAM's change events, the fleet's steps.

Only routing is here. What can be asked is in `chalicelib/verbs/`, how it is done in
`chalicelib/flow/`; `docs/architecture.md` has the picture.
"""

import gc
import sys
from typing import Any

# What is imported stays: to look through it for garbage takes a twentieth of a cold start.
gc.disable()

if "chalice.cli" in sys.modules:
    # `chalice package` imports the app, and would pack the bytecode that this leaves behind. All
    # others start a fifth faster with the bytecode of the last start.
    sys.dont_write_bytecode = True

from chalice.app import Chalice, CloudWatchEvent

from chalicelib import settings
from chalicelib.api import about, accounts, drift_runs, environments
from chalicelib.api.endpoints import middleware
from chalicelib.triggers import fleet_step as fleet_steps
from chalicelib.triggers import iam_change as iam_changes
from chalicelib.triggers import schedule

app = Chalice(app_name="trivet")
app.register_middleware(middleware, "http")
for routes in (environments, accounts, drift_runs, about):
    app.register_blueprint(routes.blueprint)


@app.schedule(settings.drift_schedule())
def drift_run(event: CloudWatchEvent) -> None:
    """Check and repair the fleet, on a schedule."""
    schedule.drift_run(event)


@app.on_cw_event(iam_changes.IAM_CHANGES)
def iam_change(event: CloudWatchEvent) -> None:
    """Put an environment back at once when IAM reports a change to it."""
    iam_changes.iam_change(event)


@app.lambda_function()
def fleet_step(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Do one step of the fleet's drift run, for its state machine."""
    return fleet_steps.fleet_step(event, context)


gc.freeze()
gc.enable()
