"""Drift reports: a head, a row for each account, and the findings in parts, read by pages.

A run that goes over many accounts is written by many processes side by side: each writes its own
account, findings first, and the row that counts them last. Until the run is concluded, what it came
to so far is the sum of those rows. The 100 newest reports are kept, previews counted apart.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from heapq import merge
from itertools import islice

import msgspec
from msgspec.structs import asdict, replace

from chalicelib.errors import Unreadable
from chalicelib.model.environment import timestamp
from chalicelib.model.report import AccountRow, Finding, FleetRun, Report, ReportPage
from chalicelib.table.rows import (
    LAST,
    MOST_BYTES,
    cursor_of,
    key,
    packed,
    read_cursor,
    unpacked,
    unreadable,
)
from chalicelib.table.sending import Item
from chalicelib.table.table import Table

KEPT = 100
"""Reports of each kind."""

_RUN, _PREVIEW = "drift-run", "drift-preview"
_FLEET_RUN = "fleet"
_PART_BYTES = 350_000
_PART_FINDINGS = 50
_COUNTS = ("checked", "in_sync", "drifted", "repaired", "failed")


class AccountPart(msgspec.Struct, frozen=True):
    """What a run came to in one account, and the AWS calls that took."""

    row: AccountRow
    aws_calls: dict[str, int] = {}
    not_reached: list[str] = []
    """As the report names them."""
    would_change: int = 0
    """How many environments a repair would change: what the brake counts."""
    to_repair: bool = False
    """Whether a repair of the account has anything to do."""


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
        head = _head(_PREVIEW if preview else _RUN, report)
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
        account_id = part.row.account_id
        doing = f"recording drift run {run} of account {account_id}"
        pk, first = _rows_pk(run), f"finding#{account_id}#"
        parts = {
            f"{first}{number:05}": packed(some) for number, some in enumerate(_parts(findings))
        }
        there = self._table.query(
            doing,
            pk,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :first)",
            ExpressionAttributeValues={":first": {"S": first}},
            ProjectionExpression="pk, sk",
        )
        # A process that died may have left more of them than there are now.
        left = [{"Delete": {"Key": each}} for each in there if each["sk"]["S"] not in parts]
        puts = [{"Put": {"Item": {**key(pk, sk), "part": some}}} for sk, some in parts.items()]
        self._table.write_all(doing, [*left, *puts])
        item = {**key(pk, f"account#{account_id}"), "account": packed(part)}
        self._table.write(doing, {"Put": {"Item": item}})

    def put_fleet_run(self, run: str, fleet_run: FleetRun) -> None:
        """Record what the steps of a run have to know of each other."""
        item = {**key(_rows_pk(run), _FLEET_RUN), "fleet": packed(fleet_run)}
        self._table.write(f"recording drift run {run}", {"Put": {"Item": item}})

    def fleet_run(self, run: str) -> FleetRun | None:
        """Return what the steps of a run know of each other; `None` where it has no steps.

        Raises:
            Unreadable: its row does not say what it should.
        """
        row = self._table.get(f"reading drift run {run}", key(_rows_pk(run), _FLEET_RUN))
        return unpacked(row, "fleet", FleetRun) if row else None

    def parts(self, run: str) -> Sequence[AccountPart]:
        """Return what a run came to so far, account by account."""
        return tuple(self._accounts(run))

    def progress(self, run: str) -> Report | None:
        """Return what a run came to so far, or `None` where there is no such run.

        Raises:
            Unreadable: its head does not say what it should.
        """
        found = self._find(run)
        if found is None or found[1].status == "finished":
            return found and found[1]
        parts = self.parts(run)
        rows = [part.row for part in parts]
        calls: Counter[str] = Counter(found[1].aws_calls)
        for part in parts:
            calls.update(part.aws_calls)
        sums = {name: sum(getattr(row, name) for row in rows) for name in _COUNTS}
        return replace(
            found[1],
            **sums,
            not_reached=[name for part in parts for name in part.not_reached],
            accounts=rows,
            aws_calls=dict(calls),
        )

    def conclude(self, report: Report) -> None:
        """Record what a run came to in the end, and drop the oldest reports.

        What was concluded first stands.

        Args:
            report: finished; with the accounts' rows.

        Raises:
            Unreadable: its head does not say what it should.
        """
        found = self._find(report.id)
        kind = _RUN if found is None else found[0]
        self._table.write(
            f"concluding drift run {report.id}",
            {
                "Put": {
                    "Item": _head(kind, report),
                    "ConditionExpression": "attribute_not_exists(pk) OR finished = :no",
                    "ExpressionAttributeValues": {":no": {"BOOL": False}},
                }
            },
        )
        self._prune(kind)

    def forget(self, report: Report, preview: bool) -> None:
        """Forget a run that was recorded and not begun."""
        head = key(_PREVIEW if preview else _RUN, report.id)
        rows = [head, key(_rows_pk(report.id), _FLEET_RUN)]
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
        for part, at, finding in self._findings(run, sk, index):
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
        heads = (self._heads(kind, before, limit + 1) for kind in (_RUN, _PREVIEW))
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
        heads = self._heads(_RUN, LAST, 10)
        return next((each for each in heads if each.status == "finished" and each.applied), None)

    def _find(self, run: str) -> tuple[str, Report] | None:
        """Return the kind of a run, and its head."""
        doing = f"reading drift run {run}"
        rows = self._table.get_all(doing, [key(kind, run) for kind in (_RUN, _PREVIEW)])
        # A head of 1.0 has parts that only 1.0 reads.
        return next(((pk, _report(row)) for (pk, _), row in rows.items() if "head" in row), None)

    def _heads(self, kind: str, before: str, size: int) -> Iterator[Report]:
        rows = self._table.query(
            "reading drift reports",
            kind,
            KeyConditionExpression="pk = :pk AND sk < :from",
            ExpressionAttributeValues={":from": {"S": before}},
            ScanIndexForward=False,
            Limit=size,
        )
        for row in rows:
            if "head" not in row:
                continue
            try:
                yield _report(row)
            except Unreadable as error:
                self._table.unreadable.append(error)

    def _accounts(self, run: str) -> Iterator[AccountPart]:
        rows = self._table.query(
            f"reading drift run {run}",
            _rows_pk(run),
            KeyConditionExpression="pk = :pk AND begins_with(sk, :from)",
            ExpressionAttributeValues={":from": {"S": "account#"}},
        )
        for row in rows:
            try:
                yield unpacked(row, "account", AccountPart)
            except Unreadable as error:
                self._table.unreadable.append(error)

    def _findings(self, run: str, sk: str, index: int) -> Iterator[tuple[str, int, Finding]]:
        """Return the findings from a place on, each with the part and the place in it."""
        rows = self._table.query(
            f"reading drift run {run}",
            _rows_pk(run),
            KeyConditionExpression="pk = :pk AND sk BETWEEN :from AND :to",
            ExpressionAttributeValues={":from": {"S": sk}, ":to": {"S": f"finding#{LAST}"}},
        )
        for row in rows:
            part = row["sk"]["S"]
            start = index if part == sk else 0
            try:
                findings = unpacked(row, "part", list[Finding])
            except Unreadable as error:
                self._table.unreadable.append(error)
                continue
            for at, finding in enumerate(findings[start:], start):
                yield part, at, finding

    def _prune(self, kind: str) -> None:
        doing = "dropping old drift reports"
        heads = self._table.query(
            doing, kind, ScanIndexForward=False, ProjectionExpression="pk, sk, run"
        )
        for head in islice(heads, KEPT, None):
            # 1.0 kept the run's id beside the time, where now the id is both.
            run = (head.get("run") or head["sk"])["S"]
            rows = self._table.query(doing, _rows_pk(run), ProjectionExpression="pk, sk")
            self._table.write_all(doing, [{"Delete": {"Key": row}} for row in rows])
            self._table.write(doing, {"Delete": {"Key": key(kind, head["sk"]["S"])}})


def _rows_pk(run: str) -> str:
    return f"{_RUN}#{run}"


def _head(kind: str, report: Report) -> Item:
    finished = {"BOOL": report.status == "finished"}
    return {**key(kind, report.id), "head": packed(report), "finished": finished}


def _report(row: Item) -> Report:
    report = unpacked(row, "head", Report)
    if report.id != row["sk"]["S"]:
        raise unreadable(row, f"its document tells of run {report.id}")
    return report


def _parts(findings: Iterable[Finding]) -> Iterator[list[Finding]]:
    """Return findings in parts as large as one row may be."""
    part: list[Finding] = []
    size = 0
    for finding in findings:
        length = len(msgspec.json.encode(finding))
        if part and (len(part) == _PART_FINDINGS or size + length > _PART_BYTES):
            yield part
            part, size = [], 0
        part.append(finding)
        size += length
    if part:
        yield part
