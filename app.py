"""Trivet's Lambda functions: the HTTP API, the scheduled drift run, and IAM's change events.

Only routing is here. The flow of one environment is in `chalicelib/provisioner.py`, that of
the whole fleet in `chalicelib/fleet.py`.
"""

import os
import sys

if "chalice.cli" in sys.modules:
    # `chalice package` imports the app, and would pack the bytecode that this leaves behind. All
    # others start a fifth faster with the bytecode of the last start.
    sys.dont_write_bytecode = True

from chalice.app import Chalice, CloudWatchEvent

from chalicelib import events, handlers
from chalicelib.api import about, drift_runs, environments
from chalicelib.api.endpoints import middleware

app = Chalice(app_name="trivet")
app.register_middleware(middleware, "http")
for routes in (environments, drift_runs, about):
    app.register_blueprint(routes.blueprint)


@app.schedule(os.environ.get("TRIVET_DRIFT_SCHEDULE", "rate(1 hour)"))
def drift_run(event: CloudWatchEvent) -> None:
    """Check and repair the fleet, on a schedule."""
    handlers.drift_run(event)


@app.on_cw_event(events.IAM_CHANGES)
def iam_change(event: CloudWatchEvent) -> None:
    """Put an environment back at once when IAM reports a change to it."""
    handlers.iam_change(event)
