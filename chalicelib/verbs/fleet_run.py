"""A drift run where it runs best: by the fleet's state machine over many accounts, else here."""

import json

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws import answers
from chalicelib.installation import Installation
from chalicelib.model.report import ReportPage
from chalicelib.verbs import drift_run
from chalicelib.verbs.drift_run import PAGE, Request, accounts_of, new_report

_POLL = 1.0
"""Seconds between two looks at a run."""


def run(installation: Installation, request: Request, wait: float) -> ReportPage:
    """Do a drift run, or start it and wait for it.

    Args:
        wait: seconds to wait, where the fleet's state machine does it.

    Returns:
        The report so far; its `status` tells whether it is finished.

    Raises:
        Invalid: it names an account that is not registered, or confirms no report.
        Busy: another run is going on.
        TrivetError: the fleet could not be read; nothing was changed.
    """
    if request.apply:
        installation.table.ensure()
    accounts = accounts_of(installation, request)
    if len(accounts) == 1 or installation.settings.stage == "local":
        return drift_run.run(installation, request)
    drift_run.confirmed(installation, request.confirm)
    run_id = _started(installation, request)
    if run_id is None:
        return drift_run.run(installation, request)
    clock, until = installation.operation.clock, installation.operation.clock.now() + wait
    while True:
        page = drift_run.report_page(installation, run_id, PAGE, None)
        if page.status == "finished" or clock.now() + _POLL > until:
            return page
        clock.sleep(_POLL)


def _started(installation: Installation, request: Request) -> str | None:
    """Start the fleet's state machine; return the run's id, or `None` where there is none."""
    report = new_report(installation, request)
    name = f"trivet-{installation.settings.stage}-fleet"
    arn = f"{installation.home.place.states}:stateMachine:{name}"
    order = {
        "run": report.id,
        "trigger": request.trigger,
        "apply": request.apply,
        "confirm": request.confirm,
        "environments": request.environments,
        "accounts": request.accounts,
    }
    installation.reports.begin(report, preview=not request.apply)
    try:
        installation.home.states.start_execution(
            stateMachineArn=arn, name=report.id, input=json.dumps(order)
        )
    except (ClientError, BotoCoreError) as error:
        if answers.code_of(error) == "ExecutionAlreadyExists":
            return report.id
        installation.reports.forget(report, preview=not request.apply)
        if answers.code_of(error) == "StateMachineDoesNotExist":
            return None
        raise answers.translated(error, f"starting the fleet's state machine {name}") from error
    return report.id
