"""A drift run over the fleet: every account looked at, the brake asked, then what differs put back.

Looking comes before repairing, over all accounts, so that a run which would change too much repairs
nothing: a wrong template, or a wrong account, is not rolled out by a schedule. The steps are the
same in one process and as states of the fleet's state machine (`triggers.fleet_step`), where each
account is a child of its own.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import datetime

import msgspec
from msgspec.structs import replace

from chalicelib.errors import FieldError, Invalid, NotFound, TrivetError
from chalicelib.flow import account_run
from chalicelib.flow.account_run import AccountLook, AccountResult
from chalicelib.flow.tell import tell, tell_stopped
from chalicelib.installation import Installation
from chalicelib.model.environment import timestamp
from chalicelib.model.report import AccountRow, Finding, Report, ReportPage, RunRequest
from chalicelib.table.report_rows import AccountPart
from chalicelib.table.reports import new_id
from chalicelib.work import operation, telemetry

PAGE = 200
"""Findings in the answer to a run."""

_ACCOUNTS_AT_ONCE = 4
_REGISTRY_PAGE = 1_000
_BRAKE_FROM = 10
"""Environments from which on a fleet has a brake."""


class _Course(msgspec.Struct):
    """A run in one process, account by account."""

    report: Report
    looks: list[AccountLook] = []
    results: list[AccountResult] = []

    @property
    def findings(self) -> list[Finding]:
        return [each for result in self.results for each in result.findings]


def run(installation: Installation, request: RunRequest) -> ReportPage:
    """Check the fleet in this process, and repair it if asked to.

    Raises:
        Invalid: it names an account that is not registered, or confirms no report.
        Busy: another run is going on.
        TrivetError: the fleet could not be read; nothing was changed.
    """
    accounts = accounts_of(installation, request)
    started = installation.operation.clock.now()
    first = installation.fleet.hold() if request.apply else None
    next_start = first
    try:
        course = _Course(new_report(installation, request))
        _look(installation, request, course, accounts, first)
        _check_names(request, course)
        stopped = brake(installation, request, _counts(installation, course))
        repair = request.apply and stopped is None
        _check(installation, course, repair, record=request.apply)
        if request.apply:
            tell(installation.home, course.findings)
        if request.apply and stopped:
            tell_stopped(installation.home, course.report.id, stopped)
        course.report = _concluded(installation, request, course, stopped)
        not_reached = course.report.not_reached
        if request.environments is None and request.accounts is None:
            next_start = not_reached[0] if not_reached else None
    finally:
        if request.apply:
            release(installation, next_start)
    telemetry.count("RunDuration", installation.operation.clock.now() - started)
    return _kept(installation, request, course)


def seconds_of(moment: str) -> float:
    """Return an RFC 3339 time as seconds since the epoch."""
    return datetime.fromisoformat(moment).timestamp()


def new_report(installation: Installation, request: RunRequest) -> Report:
    """Return the report of a run that begins now; its id sorts by time."""
    now = installation.operation.clock.now()
    return Report(
        id=new_id(now, installation.operation.id),
        trigger=request.trigger,
        applied=request.apply,
        status="running",
        started_at=timestamp(now),
    )


def accounts_of(installation: Installation, request: RunRequest) -> list[str]:
    """Return the ids of the accounts that a run takes in, home first.

    Raises:
        Invalid: one is named that is not registered.
    """
    home = installation.home.place.account_id
    members = _members(installation)
    everyone = [home, *(each for each in members if each != home)]
    if request.accounts is None:
        return everyone
    unknown = sorted(set(request.accounts).difference(everyone))
    if unknown:
        raise Invalid([FieldError("accounts", f"not registered: {', '.join(unknown)}")])
    return [each for each in everyone if each in request.accounts]


def _members(installation: Installation) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page, cursor = installation.accounts.page(_REGISTRY_PAGE, cursor)
        found += [each.account_id for each in page]
        if cursor is None:
            return found


def brake(
    installation: Installation, request: RunRequest, counts: Sequence[tuple[int, int]]
) -> str | None:
    """Tell why a run may not repair what it found, if it may not.

    Args:
        counts: for each account, how many environments a repair would change, of how many.

    Raises:
        Invalid: it confirms a report that there is not, or that is still running.
    """
    changed, fleet = sum(each[0] for each in counts), sum(each[1] for each in counts)
    basis = confirmed(installation, request.confirm)
    limit = installation.settings.max_drift
    if not request.apply or fleet < _BRAKE_FROM or changed <= limit * fleet:
        return None
    if basis is not None and changed <= basis.drifted:
        return None
    more = (
        f" That is more than the {basis.drifted} of report {basis.id}." if basis is not None else ""
    )
    return (
        f"{changed} of {fleet} environments would change, more than the share of {limit:g} that "
        f"TRIVET_MAX_DRIFT allows: nothing was repaired.{more} If the report shows what is "
        'wanted, POST /drift-runs {"confirm": "<its id>"} repairs it.'
    )


def confirmed(installation: Installation, confirm: str | None) -> Report | None:
    """Return the report that a run confirms, if it confirms one.

    Raises:
        Invalid: there is no such report, or it is still running.
    """
    if confirm is None:
        return None
    report = installation.reports.page(confirm, 1, None)
    if report is None or report.status != "finished":
        raise Invalid([FieldError("confirm", "not the id of a finished drift report")])
    return report


def _look(
    installation: Installation,
    request: RunRequest,
    course: _Course,
    accounts: Sequence[str],
    first: str | None,
) -> None:
    """Look at all accounts; one that cannot be reached costs the others nothing.

    Raises:
        TrivetError: home, alone, could not be read.
    """
    with ThreadPoolExecutor(_ACCOUNTS_AT_ONCE, thread_name_prefix="account") as pool:
        looks = [
            pool.submit(copy_context().run, look_at, installation, account, request, first)
            for account in accounts
        ]
    for account, each in zip(accounts, looks, strict=True):
        try:
            course.looks.append(each.result())
        except TrivetError as error:
            if len(accounts) == 1:
                raise
            course.results.append(AccountResult(unreachable(account, error)))


def _check_names(request: RunRequest, course: _Course) -> None:
    """Refuse a run over environments of which one is nowhere.

    Raises:
        Invalid: names it.
    """
    found = {case.name for each in course.looks for case in each.cases}
    found |= {each.name for seen in course.looks for each in seen.unreadable}
    unknown = sorted(set(request.environments or ()).difference(found))
    if unknown and not course.results:
        raise Invalid([FieldError("environments", f"there is none named {', '.join(unknown)}")])


def look_at(
    installation: Installation, account_id: str, request: RunRequest, first: str | None = None
) -> AccountLook:
    """Look at one account.

    Args:
        first: `account/name` of the environment to start with.
    """
    target = installation.target(account_id)
    start_account, _, start_name = (first or "").partition("/")
    start = start_name if start_account == account_id else None
    return account_run.look_at(installation, target, request.environments, start)


def unreachable(account_id: str, error: TrivetError) -> AccountRow:
    """Return the row of an account that could not be read."""
    reason = {"account_id": account_id, "reason": str(error)}
    telemetry.LOGGER.error("account not reached", extra=reason)
    telemetry.count("UnreachableAccounts")
    return AccountRow(account_id=account_id, error=str(error))


def _counts(installation: Installation, course: _Course) -> list[tuple[int, int]]:
    return [
        (account_run.would_change(installation, each), len(each.cases)) for each in course.looks
    ]


def _check(installation: Installation, course: _Course, repair: bool, record: bool) -> None:
    for each in course.looks:
        result = account_run.check(installation, each, repair, record)
        course.results.append(result)


def _concluded(
    installation: Installation, request: RunRequest, course: _Course, stopped: str | None
) -> Report:
    return summed(
        replace(
            course.report,
            status="finished",
            applied=request.apply and stopped is None,
            stopped=stopped,
            finished_at=timestamp(installation.operation.clock.now()),
            not_reached=[
                name for result in course.results for name in as_reported(installation, result)
            ],
            aws_calls=dict(sorted(installation.operation.calls.items())),
        ),
        [result.row for result in course.results],
    )


def as_reported(installation: Installation, result: AccountResult) -> list[str]:
    """Return the environments not reached in one account, as the report names them."""
    account_id = result.row.account_id
    if account_id == installation.home.place.account_id:
        return result.not_reached
    return [f"{account_id}/{name}" for name in result.not_reached]


def summed(report: Report, rows: Sequence[AccountRow]) -> Report:
    """Return a report with these accounts, and their sums."""
    return replace(
        report,
        accounts=list(rows),
        checked=sum(row.checked for row in rows),
        in_sync=sum(row.in_sync for row in rows),
        drifted=sum(row.drifted for row in rows),
        repaired=sum(row.repaired for row in rows),
        failed=sum(row.failed for row in rows),
    )


def release(installation: Installation, next_start: str | None, run: str | None = None) -> None:
    """Let go of the fleet. A failure is logged, since what was found still has to be reported.

    Args:
        next_start: where the next run starts, as the report names it.
        run: the run that the fleet is held for, if not for this operation.
    """
    home = installation.home.place.account_id
    if next_start is not None and "/" not in next_start:
        next_start = f"{home}/{next_start}"
    try:
        installation.fleet.release(next_start, run)
    except TrivetError as error:
        # The lease runs out by itself.
        telemetry.LOGGER.error("fleet not released", extra={"reason": str(error)})


def _kept(installation: Installation, request: RunRequest, course: _Course) -> ReportPage:
    """Keep the report, and return its first page.

    Raises:
        TrivetError: the report of a scheduled run could not be kept: nobody else has it.
    """
    report, reports = course.report, installation.reports
    whole = ReportPage(**msgspec.structs.asdict(report), environments=course.findings)
    try:
        with operation.closing():
            # Only what is kept whole counts as finished.
            begun = replace(report, status="running", finished_at=None)
            reports.begin(begun, preview=not request.apply)
            for result in course.results:
                reports.add_account(report.id, AccountPart(result.row), result.findings)
            reports.conclude(report)
            page = reports.page(report.id, PAGE, None)
        if page is not None:
            return page
    except TrivetError as error:
        # It is the one account of what was undone: the log and whoever asked get it all the same.
        reason = {"reason": str(error), "report": msgspec.json.encode(whole).decode()}
        telemetry.LOGGER.error("drift report not kept", extra=reason)
        if request.trigger == "schedule":
            raise
    return whole


def report_page(
    installation: Installation, run_id: str, limit: int, cursor: str | None
) -> ReportPage:
    """Return a page of a report.

    Raises:
        NotFound: there is none of this id.
    """
    page = installation.reports.page(run_id, limit, cursor)
    if page is None:
        raise NotFound(f"There is no drift report {run_id[:100]!r}.")
    return page
