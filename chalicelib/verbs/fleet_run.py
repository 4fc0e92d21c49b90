"""A drift run where it runs best: by the fleet's state machine over many accounts, else here.

What such a run is to do stands in the table before its execution starts, and the fleet is held in
the run's own name: the operation that starts it ends long before it. Its last step concludes the
report and lets go. Where the execution ended without that step, or was never begun, whoever asks
for the report, or starts the next run, does the same in its place.
"""

import json

from botocore.exceptions import BotoCoreError, ClientError
from msgspec.structs import replace

from chalicelib.aws import answers
from chalicelib.installation import Installation
from chalicelib.model.environment import timestamp
from chalicelib.model.report import AccountRow, FleetRun, Report, ReportPage, RunRequest
from chalicelib.table.report_rows import AccountPart
from chalicelib.verbs import brake, drift_run, scope
from chalicelib.verbs.drift_run import PAGE, new_report
from chalicelib.work import telemetry

_POLL = 1.0
"""Seconds between two looks at a run."""
_LONGEST = 7 * 3600
"""Seconds for which a run may hold the fleet: an hour more than its execution may take."""
_UNBEGUN = 900
"""Seconds after which a run without an execution is one that died: no function lives longer."""
_RECENT = 10
"""Reports among which one of a run that died is looked for."""


def run(installation: Installation, request: RunRequest, wait: float) -> ReportPage:
    """Do a drift run, or start it and wait for it.

    Args:
        wait: seconds to wait, where the fleet's state machine does it.

    Returns:
        The report so far; its `status` tells whether it is finished.

    Raises:
        Invalid: it names an account or an environment that there is not, or confirms no report.
        Busy: another run is going on.
        TrivetError: the fleet could not be read; nothing was changed.
    """
    if request.apply:
        installation.table.ensure()
    if installation.settings.stage == "local":
        return drift_run.run(installation, request)
    _conclude_the_dead(installation)
    accounts = scope.accounts_of(installation, request)
    if len(accounts) == 1:
        return drift_run.run(installation, request)
    brake.confirmed(installation, request.confirm)
    run_id = _started(installation, request, accounts)
    if run_id is None:
        return drift_run.run(installation, request)
    clock, until = installation.operation.clock, installation.operation.clock.now() + wait
    while True:
        page = drift_run.report_page(installation, run_id, PAGE, None)
        if page.status == "finished" or clock.now() + _POLL > until:
            return page
        clock.sleep(_POLL)


def report_page(
    installation: Installation, run_id: str, limit: int, cursor: str | None
) -> ReportPage:
    """Return a page of a report, concluded first where its run died.

    Raises:
        NotFound: there is none of this id.
    """
    page = drift_run.report_page(installation, run_id, limit, cursor)
    if page.status == "running" and _is_dead(installation, page):
        conclude(installation, run_id)
        return drift_run.report_page(installation, run_id, limit, cursor)
    return page


def conclude(installation: Installation, run_id: str) -> None:
    """Finish the report of a run over many accounts, and let go of the fleet; safe to repeat.

    An account of which a step did not come to its end is in the report with that as its `error`.
    """
    report = installation.reports.progress(run_id)
    if report is None or report.status == "finished":
        return
    fleet_run = installation.reports.fleet_run(run_id)
    finished = _finished(installation, report, fleet_run)
    if report.applied:
        starts = [] if fleet_run is None else _next_starts(installation, run_id, fleet_run)
        # Before the report: were it the other way, a crash between the two would leave a lease
        # that no report running leads to.
        drift_run.release(installation, starts, run_id)
    installation.reports.conclude(finished)
    started = drift_run.seconds_of(report.started_at)
    telemetry.count("RunDuration", installation.operation.clock.now() - started)


def _next_starts(installation: Installation, run_id: str, fleet_run: FleetRun) -> list[str]:
    if not scope.is_whole(fleet_run.request):
        return fleet_run.starts
    parts = {part.row.account_id: part for part in installation.reports.parts(run_id)}
    unseen = [AccountRow(account_id=each) for each in fleet_run.accounts if each not in parts]
    return scope.next_starts([(each.row, each.not_reached) for each in parts.values()], unseen)


def _finished(installation: Installation, report: Report, fleet_run: FleetRun | None) -> Report:
    died = "The run ended before it was done, and repaired nothing more."
    stopped: str | None = died
    rows = list(report.accounts)
    if fleet_run is not None:
        parts = {part.row.account_id: part for part in installation.reports.parts(report.id)}
        rows = [_row(account, parts.get(account), fleet_run) for account in fleet_run.accounts]
        rows = scope.home_first(installation, rows)
        stopped = fleet_run.stopped if fleet_run.decided else died
    return drift_run.summed(
        replace(
            report,
            status="finished",
            applied=report.applied and stopped is None,
            stopped=stopped,
            finished_at=timestamp(installation.operation.clock.now()),
        ),
        rows,
    )


def _row(account_id: str, part: AccountPart | None, fleet_run: FleetRun) -> AccountRow:
    if part is None:
        return AccountRow(account_id=account_id, error=_unended("look"))
    repairs = fleet_run.request.apply and fleet_run.decided and fleet_run.stopped is None
    if part.to_repair and repairs:
        return replace(part.row, error=_unended("repair"))
    return part.row


def _unended(step: str) -> str:
    return (
        f"The step that was to {step} did not come to its end; the execution of the fleet's state "
        "machine tells why. The next run takes the account in again."
    )


def _arn(installation: Installation, kind: str) -> str:
    """Return the ARN of the fleet's state machine, or the beginning of its executions'."""
    place, stage = installation.home.place, installation.settings.stage
    return f"{place.states}:{kind}:trivet-{stage}-fleet"


def _started(installation: Installation, request: RunRequest, accounts: list[str]) -> str | None:
    """Start the fleet's state machine; return the run's id, or `None` where there is none."""
    report, reports = new_report(installation, request), installation.reports
    starts = installation.fleet.hold(report.id, _LONGEST) if request.apply else []
    machine = _arn(installation, "stateMachine")
    try:
        reports.begin(report, preview=not request.apply)
        in_turn = scope.in_turn(accounts, starts)
        reports.put_fleet_run(report.id, FleetRun(request, in_turn, starts))
        installation.home.states.start_execution(
            stateMachineArn=machine, name=report.id, input=json.dumps({"run": report.id})
        )
    except (ClientError, BotoCoreError) as error:
        if answers.code_of(error) == "ExecutionAlreadyExists":
            return report.id
        if answers.code_of(error) == "StateMachineDoesNotExist":
            _undo(installation, report, starts)
            return None
        # Lost answers among them: `_conclude_the_dead` finds out what became of it.
        doing = f"starting the fleet's state machine {machine}"
        raise answers.translated(error, doing) from error
    return report.id


def _undo(installation: Installation, report: Report, starts: list[str]) -> None:
    installation.reports.forget(report, preview=not report.applied)
    if report.applied:
        drift_run.release(installation, starts, report.id)


def _conclude_the_dead(installation: Installation) -> None:
    """Conclude the runs that died, so that none of them holds the fleet, or runs for ever."""
    for report in installation.reports.list(_RECENT)[0]:
        if report.status == "running" and _is_dead(installation, report):
            conclude(installation, report.id)


def _is_dead(installation: Installation, report: Report) -> bool:
    """Tell whether a run whose report is not finished can no longer finish it.

    Raises:
        TrivetError: Step Functions refuses or fails.
    """
    arn = f"{_arn(installation, 'execution')}:{report.id}"
    try:
        found = installation.home.states.describe_execution(executionArn=arn)
    except (ClientError, BotoCoreError) as error:
        if answers.code_of(error) not in answers.MISSING:
            raise answers.translated(error, f"looking at execution {arn}") from error
        # It is about to start, or the run was one of a single process.
        age = installation.operation.clock.now() - drift_run.seconds_of(report.started_at)
        return age > _UNBEGUN
    return found["status"] != "RUNNING"
