"""Drift reports: a head, a row for each account, and the findings in parts, read by pages.

A run that goes over many accounts is written by many processes side by side: each writes its own
account, findings first, and the row that counts them last. Until the run is concluded, what it came
to so far is the sum of those rows. The 100 newest reports are kept, previews counted apart.
"""

from collections.abc import Sequence
from hashlib import sha256
from heapq import merge

import msgspec
from msgspec.structs import asdict

from chalicelib.model.environment import timestamp
from chalicelib.model.report import Finding, FleetRun, Report, ReportPage
from chalicelib.table import report_rows
from chalicelib.table.report_rows import PREVIEW, RUN, AccountPart
from chalicelib.table.rows import LAST, MOST_BYTES, cursor_of, key, packed, read_cursor, unpacked
from chalicelib.table.table import Table

_FLEET_RUN = "fleet"


def new_id(now: float, operation_id: str) -> str:
    """Return the id of a run that begins now; ids sort by time.

    Args:
        now: seconds since the epoch.
    """
    moment = "".join(each for each in timestamp(now) if each.isalnum())
    return f"{moment}-{sha256(operation_id.encode()).hexdigest()[:12]}"


class Reports:
    """The reports of all runs, for one operation."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def begin(self, report: Report, preview: bool) -> None:
        """Record that a run has begun.

        The head stands first, so that a run that dies leaves nothing that nobody finds.

        Args:
            report: with an id of `new_id`.
            preview: it only looks, and is counted apart.
        """
        head = report_rows.head_of(PREVIEW if preview else RUN, report)
        self._table.write(
            f"recording drift run {report.id}",
            # Where there is one already, this operation wrote it and did not hear the answer.
            {"Put": {"Item": head, "ConditionExpression": "attribute_not_exists(pk)"}},
        )

    def add_account(
        self,
        run: str,
        part: AccountPart,
        findings: Sequence[Finding],
    ) -> None:
        """Record what a run came to in one account; the same account again takes its place.

        Args:
            run: the report's id.
        """
        report_rows.put_account(self._table, run, part, findings)

    def put_fleet_run(self, run: str, fleet_run: FleetRun) -> None:
        """Record what the steps of a run have to know of each other."""
        item = {**key(report_rows.rows_pk(run), _FLEET_RUN), "fleet": packed(fleet_run)}
        self._table.write(f"recording drift run {run}", {"Put": {"Item": item}})

    def fleet_run(self, run: str) -> FleetRun | None:
        """Return what the steps of a run know of each other; `None` where it has no steps.

        Raises:
            Unreadable: its row does not say what it should.
        """
        row = self._table.get(f"reading drift run {run}", key(report_rows.rows_pk(run), _FLEET_RUN))
        return unpacked(row, "fleet", FleetRun) if row else None

    def parts(self, run: str) -> Sequence[AccountPart]:
        """Return what a run came to so far, account by account."""
        return tuple(report_rows.accounts(self._table, run))

    def progress(self, run: str) -> Report | None:
        """Return what a run came to so far, or `None` where there is no such run.

        Raises:
            Unreadable: its head does not say what it should.
        """
        found = report_rows.find(self._table, run)
        if found is None or found[1].status == "finished":
            return found and found[1]
        return report_rows.so_far(found[1], self.parts(run))

    def conclude(self, report: Report) -> None:
        """Record what a run came to in the end, and drop the oldest reports.

        What was concluded first stands.

        Args:
            report: finished; with the accounts' rows.

        Raises:
            Unreadable: its head does not say what it should.
        """
        found = report_rows.find(self._table, report.id)
        kind = RUN if found is None else found[0]
        self._table.write(
            f"concluding drift run {report.id}",
            {
                "Put": {
                    "Item": report_rows.head_of(kind, report),
                    "ConditionExpression": "attribute_not_exists(pk) OR finished = :no",
                    "ExpressionAttributeValues": {":no": {"BOOL": False}},
                }
            },
        )
        report_rows.prune(self._table, kind)

    def forget(self, report: Report, preview: bool) -> None:
        """Forget a run that was recorded and not begun."""
        head = key(PREVIEW if preview else RUN, report.id)
        rows = [head, key(report_rows.rows_pk(report.id), _FLEET_RUN)]
        self._table.write_all(
            f"forgetting drift run {report.id}", [{"Delete": {"Key": row}} for row in rows]
        )

    def page(self, run: str, limit: int, cursor: str | None = None) -> ReportPage | None:
        """Return a report with up to `limit` of its findings, or `None` where there is none.

        A page also ends before it would grow past 4 MB.

        Raises:
            Invalid: the cursor is none.
            Unreadable: its head does not say what it should.
        """
        sk, index = ("finding#", 0) if cursor is None else read_cursor(cursor, tuple[str, int])
        report = self.progress(run)
        if report is None:
            return None
        found: list[Finding] = []
        size, next_cursor = 0, None
        for part, at, finding in report_rows.findings(self._table, run, sk, index):
            size += len(msgspec.json.encode(finding))
            if len(found) == limit or (found and size > MOST_BYTES):
                next_cursor = cursor_of((part, at))
                break
            found.append(finding)
        return ReportPage(**asdict(report), environments=found, next_cursor=next_cursor)

    def list(self, limit: int, cursor: str | None = None) -> tuple[list[Report], str | None]:
        """Return up to `limit` reports of both kinds, newest first, without their findings.

        Of one that is running it says no more than that. A page also ends before it would grow
        past 4 MB.

        Returns:
            The reports, and the cursor of the next page, if any.

        Raises:
            Invalid: the cursor is none.
        """
        before = LAST if cursor is None else read_cursor(cursor, str)
        heads = (report_rows.heads(self._table, kind, before, limit + 1) for kind in (RUN, PREVIEW))
        found: list[Report] = []
        size = 0
        for report in merge(*heads, key=lambda each: each.id, reverse=True):
            size += len(msgspec.json.encode(report))
            if len(found) == limit or (found and size > MOST_BYTES):
                return found, cursor_of(found[-1].id)
            found.append(report)
        return found, None

    def latest(self) -> Report | None:
        """Return the last finished report of a run that repaired, or `None`."""
        heads = report_rows.heads(self._table, RUN, LAST, 10)
        return next((each for each in heads if each.status == "finished" and each.applied), None)
