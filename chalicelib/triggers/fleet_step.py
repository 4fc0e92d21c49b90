"""The steps of a drift run over many accounts, one invocation each, for the fleet's state machine.

    begin     returns {"accounts": [id, ...]}
    look      of one account: what differs, into the report
    decide    the brake; returns {"accounts": [id, ...]}, those in which something is to be repaired
    repair    of one account: put back, into the report
    conclude  the sums; the fleet is let go

Ids alone travel between the steps: everything else is in the table, what the run was asked to do
included. Each step can be repeated: what it writes takes the place of what it wrote before.
"""

from typing import Any

from msgspec.structs import replace

from chalicelib.errors import NotFound, TrivetError, Unavailable
from chalicelib.flow import account_run
from chalicelib.flow.proving import needs_smoke_test
from chalicelib.flow.tell import tell, tell_stopped
from chalicelib.installation import Installation
from chalicelib.model.report import Finding, FleetRun
from chalicelib.table.report_rows import AccountPart
from chalicelib.triggers.invocation import invocation
from chalicelib.verbs import brake, drift_run, fleet_run
from chalicelib.work import operation

_TOLD_AT_ONCE = 1_000


def fleet_step(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Do one step of a run.

    Args:
        event: `step` and `run`; of the steps of one account its `account_id`.

    Raises:
        Unavailable: AWS throttles or fails; the state machine tries the step again.
        NotFound: there is no such run, or not by steps.
    """
    with invocation(context, str(event["run"])) as installation:
        return _STEPS[event["step"]](installation, event)


def _begin(installation: Installation, event: dict[str, Any]) -> dict[str, Any]:
    return {"accounts": _known(installation, event).accounts}


def _look(installation: Installation, event: dict[str, Any]) -> dict[str, Any]:
    return _account(installation, event, repair=False)


def _repair(installation: Installation, event: dict[str, Any]) -> dict[str, Any]:
    return _account(installation, event, repair=True)


def _account(installation: Installation, event: dict[str, Any], repair: bool) -> dict[str, Any]:
    """Look at one account, or repair it; record what that came to.

    Raises:
        Unavailable: AWS throttles or fails. It is recorded too, since no try may work.
    """
    account_id, run = str(event["account_id"]), str(event["run"])
    known = _known(installation, event)
    try:
        seen = drift_run.look_at(installation, account_id, known.request, known.starts)
        # What is in sync is recorded by the look already: most accounts are never repaired.
        result = account_run.check(installation, seen, repair, record=known.request.apply)
    except TrivetError as error:
        if repair and isinstance(error, Unavailable):
            # What the look found stands until a try works.
            raise
        row = drift_run.unreachable(account_id, error)
        _record(installation, run, AccountPart(row), [])
        if isinstance(error, Unavailable):
            raise
        return {"account_id": account_id}
    part = AccountPart(result.row, not_reached=drift_run.as_reported(installation, result))
    if not repair:
        would_change = account_run.would_change(installation, seen)
        unfinished = any(needs_smoke_test(case.entry.environment) for case in seen.cases)
        to_repair = bool(result.row.drifted or unfinished)
        part = replace(part, would_change=would_change, to_repair=to_repair)
    _record(installation, run, part, result.findings)
    if repair:
        tell(installation.home, result.findings)
    return {"account_id": account_id}


def _record(
    installation: Installation, run: str, part: AccountPart, findings: list[Finding]
) -> None:
    calls = dict(installation.operation.calls)
    with operation.closing():
        installation.reports.add_account(run, replace(part, aws_calls=calls), findings)


def _decide(installation: Installation, event: dict[str, Any]) -> dict[str, Any]:
    run, known = str(event["run"]), _known(installation, event)
    parts = installation.reports.parts(run)
    counts = [(part.would_change, part.row.checked) for part in parts]
    stopped = brake.reason(installation, known.request, counts)
    installation.reports.put_fleet_run(run, replace(known, decided=True, stopped=stopped))
    if stopped is not None:
        _tell_all(installation, run)
        tell_stopped(installation.home, run, stopped)
    if stopped is not None or not known.request.apply:
        return {"accounts": []}
    return {"accounts": [part.row.account_id for part in parts if part.to_repair]}


def _tell_all(installation: Installation, run: str) -> None:
    """Tell of what was found: no repair will, where the run is stopped."""
    cursor: str | None = None
    while True:
        page = drift_run.report_page(installation, run, _TOLD_AT_ONCE, cursor)
        tell(installation.home, page.environments)
        cursor = page.next_cursor
        if cursor is None:
            return


def _conclude(installation: Installation, event: dict[str, Any]) -> dict[str, Any]:
    fleet_run.conclude(installation, str(event["run"]))
    return {"run": event["run"]}


def _known(installation: Installation, event: dict[str, Any]) -> FleetRun:
    found = installation.reports.fleet_run(str(event["run"]))
    if found is None:
        raise NotFound(f"There is no drift run {event['run']}.")
    return found


_STEPS = {
    "begin": _begin,
    "look": _look,
    "decide": _decide,
    "repair": _repair,
    "conclude": _conclude,
}
