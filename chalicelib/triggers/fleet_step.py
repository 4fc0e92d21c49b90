"""The steps of a drift run over many accounts, one invocation each, for the fleet's state machine.

    begin     returns {"accounts": [id, ...]}
    look      of one account: what differs, into the report
    decide    the brake; returns {"accounts": [id, ...]}, those in which something is to be repaired
    repair    of one account: put back, into the report
    conclude  the sums, and what is told

Ids alone travel between the steps: everything else is in the table.
"""

from typing import Any

from msgspec.structs import replace

from chalicelib.errors import NotFound, TrivetError, Unavailable
from chalicelib.flow import account_run
from chalicelib.flow.tell import tell, tell_stopped
from chalicelib.installation import Installation
from chalicelib.model.environment import timestamp
from chalicelib.model.report import Report
from chalicelib.triggers.invocation import invocation
from chalicelib.verbs import drift_run
from chalicelib.verbs.drift_run import Request
from chalicelib.work import telemetry


def fleet_step(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Do one step of a run.

    Args:
        event: `step` and `run`; of the steps of one account its `account_id`; and what the run was
            asked to do: `trigger`, `apply`, `confirm`, `environments`, `accounts`.

    Raises:
        Unavailable: AWS throttles or fails; the state machine tries the step again.
    """
    with invocation(context, str(event["run"])) as installation:
        return _STEPS[event["step"]](installation, _request(event), event)


def _request(event: dict[str, Any]) -> Request:
    names, accounts = event.get("environments"), event.get("accounts")
    return Request(
        event.get("trigger", "schedule"),
        apply=bool(event.get("apply", True)),
        confirm=event.get("confirm"),
        environments=None if names is None else tuple(names),
        accounts=None if accounts is None else tuple(accounts),
    )


def _begin(installation: Installation, request: Request, _: dict[str, Any]) -> dict[str, Any]:
    return {"accounts": drift_run.accounts_of(installation, request)}


def _look(installation: Installation, request: Request, event: dict[str, Any]) -> dict[str, Any]:
    return _account(installation, request, event, repair=False)


def _repair(installation: Installation, request: Request, event: dict[str, Any]) -> dict[str, Any]:
    return _account(installation, request, event, repair=True)


def _account(
    installation: Installation, request: Request, event: dict[str, Any], repair: bool
) -> dict[str, Any]:
    account_id, run = str(event["account_id"]), str(event["run"])
    try:
        seen = drift_run.look_at(installation, account_id, request)
        # What is in sync is recorded by the look already: most accounts are never repaired.
        result = account_run.check(installation, seen, repair, record=request.apply)
    except Unavailable:
        raise
    except TrivetError as error:
        result = account_run.AccountResult(drift_run.unreachable(account_id, error))
    calls = dict(installation.operation.calls)
    installation.reports.add_account(run, result.row, result.findings, calls)
    if repair:
        tell(installation.home, result.findings)
    return {"account_id": account_id}


def _decide(installation: Installation, request: Request, event: dict[str, Any]) -> dict[str, Any]:
    report = _report(installation, event)
    counts = [(row.drifted, row.checked) for row in report.accounts]
    stopped = drift_run.brake(installation, request, counts)
    if stopped is not None:
        tell_stopped(installation.home, report.id, stopped)
        return {"accounts": [], "stopped": stopped}
    to_repair = [row.account_id for row in report.accounts if row.drifted]
    return {"accounts": to_repair if request.apply else [], "stopped": None}


def _conclude(
    installation: Installation, request: Request, event: dict[str, Any]
) -> dict[str, Any]:
    report, stopped = _report(installation, event), event.get("stopped")
    now = installation.operation.clock.now()
    finished = replace(
        report,
        status="finished",
        applied=request.apply and stopped is None,
        stopped=stopped,
        finished_at=timestamp(now),
    )
    installation.reports.conclude(finished)
    telemetry.count("RunDuration", now - drift_run.seconds_of(report.started_at))
    return {"run": report.id}


def _report(installation: Installation, event: dict[str, Any]) -> Report:
    report = installation.reports.progress(str(event["run"]))
    if report is None:
        raise NotFound(f"There is no drift run {event['run']}.")
    return report


_STEPS = {
    "begin": _begin,
    "look": _look,
    "decide": _decide,
    "repair": _repair,
    "conclude": _conclude,
}
