"""A drift run over the fleet: every account looked at, the brake asked, then what differs put back.

Looking comes before repairing, over all accounts, so that a run which would change too much repairs
nothing: a wrong template, or a wrong account, is not rolled out by a schedule. The steps are the
same in one process and as states of the fleet's state machine (`triggers.fleet_step`), where each
account is a child of its own.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import msgspec
from msgspec.structs import replace

from chalicelib.errors import NotFound, TrivetError
from chalicelib.flow import account_run
from chalicelib.flow.account_run import AccountLook, AccountResult
from chalicelib.flow.tell import tell, tell_stopped
from chalicelib.installation import Installation
from chalicelib.model.environment import timestamp
from chalicelib.model.report import AccountRow, Finding, Report, ReportPage, RunRequest
from chalicelib.table.report_rows import AccountPart
from chalicelib.table.reports import new_id
from chalicelib.verbs import brake, scope
from chalicelib.work import operation, telemetry, threads

PAGE = 200
"""Findings in the answer to a run."""

_ACCOUNTS_AT_ONCE = 4
_LOOKING = 0.5
"""The share of a run's time that looking at several accounts may take: the rest is for repairs."""
_TO_LOOK = 7
"""Seconds: with less left, no bulk listing is begun (`aws.clients`)."""
_NO_TIME = "There was no time to look at this account. The next run begins with it."


class _Course(msgspec.Struct):
    """A run in one process, account by account."""

    report: Report
    looks: list[AccountLook] = []
    results: list[AccountResult] = []
    unseen: list[AccountRow] = []
    """The accounts that there was no time to look at."""

    @property
    def rows(self) -> list[AccountRow]:
        return [*self.unseen, *(each.row for each in self.results)]

    @property
    def findings(self) -> list[Finding]:
        return [each for result in self.results for each in result.findings]


def run(installation: Installation, request: RunRequest) -> ReportPage:
    """Check the fleet in this process, and repair it if asked to.

    Raises:
        Invalid: it names an account or an environment that there is not, or confirms no report.
        Busy: another run is going on.
        TrivetError: the fleet could not be read; nothing was changed.
    """
    accounts = scope.accounts_of(installation, request)
    started = installation.operation.clock.now()
    starts = installation.fleet.hold() if request.apply else []
    next_starts = starts
    try:
        course = _Course(new_report(installation, request))
        _look(installation, request, course, scope.in_turn(accounts, starts), starts)
        stopped = brake.reason(installation, request, _counts(installation, course))
        repair = request.apply and stopped is None
        _check(installation, course, repair, record=request.apply)
        if request.apply:
            tell(installation.home, course.findings)
        if request.apply and stopped:
            tell_stopped(installation.home, course.report.id, stopped)
        course.report = _concluded(installation, request, course, stopped)
        if scope.is_whole(request):
            next_starts = scope.next_starts(
                [(each.row, each.not_reached) for each in course.results], course.unseen
            )
    finally:
        if request.apply:
            release(installation, next_starts)
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


def _look(
    installation: Installation,
    request: RunRequest,
    course: _Course,
    accounts: Sequence[str],
    starts: Sequence[str],
) -> None:
    """Look at all accounts; one that cannot be reached, or is slow, costs the others nothing.

    Raises:
        TrivetError: home, alone, could not be read.
    """
    if accounts == [installation.home.place.account_id]:
        course.looks.append(look_at(installation, accounts[0], request, starts))
        return
    current = installation.operation
    until = current.clock.now() + _LOOKING * current.time_left()
    with (
        operation.until(until),
        ThreadPoolExecutor(_ACCOUNTS_AT_ONCE, thread_name_prefix="account") as pool,
    ):
        looks = [
            threads.start_in(pool, _looked_at, installation, account, request, starts)
            for account in accounts
        ]
    for account, each in zip(accounts, looks, strict=True):
        try:
            look = each.result()
            if look is None:
                course.unseen.append(AccountRow(account_id=account, error=_NO_TIME))
            else:
                course.looks.append(look)
        except TrivetError as error:
            course.results.append(AccountResult(unreachable(account, error)))


def _looked_at(
    installation: Installation, account_id: str, request: RunRequest, starts: Sequence[str]
) -> AccountLook | None:
    """Look at one account, if there is time left to begin."""
    if installation.operation.time_left() < _TO_LOOK:
        return None
    return look_at(installation, account_id, request, starts)


def look_at(
    installation: Installation, account_id: str, request: RunRequest, starts: Sequence[str]
) -> AccountLook:
    """Look at one account.

    Args:
        starts: `account/name` of the environments to start with.
    """
    target = installation.target(account_id)
    start = scope.start_in(account_id, starts)
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
        scope.home_first(installation, course.rows),
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


def release(installation: Installation, starts: Sequence[str], run: str | None = None) -> None:
    """Let go of the fleet. A failure is logged, since what was found still has to be reported.

    Args:
        starts: where the next run starts, as `Fleet.release` takes it.
        run: the run that the fleet is held for, if not for this operation.
    """
    try:
        installation.fleet.release(starts, run)
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
            for row in course.unseen:
                reports.add_account(report.id, AccountPart(row), [])
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
