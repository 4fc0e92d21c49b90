"""The rows that drift reports are kept in: heads, one for each account, and parts with findings."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import msgspec
from msgspec.structs import replace

from chalicelib.model.report import AccountRow, Finding, Report
from chalicelib.table.rows import LAST, key, packed, unpacked, unreadable
from chalicelib.table.sending import Item
from chalicelib.table.table import Table

KEPT = 100
"""Reports of each kind."""

RUN, PREVIEW = "drift-run", "drift-preview"
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


def so_far(report: Report, parts: Sequence[AccountPart]) -> Report:
    """Return a report with the sums of what its accounts came to so far."""
    rows = [part.row for part in parts]
    calls: Counter[str] = Counter(report.aws_calls)
    for part in parts:
        calls.update(part.aws_calls)
    sums = {name: sum(getattr(row, name) for row in rows) for name in _COUNTS}
    return replace(
        report,
        **sums,
        not_reached=[name for part in parts for name in part.not_reached],
        accounts=rows,
        aws_calls=dict(calls),
    )


def put_account(table: Table, run: str, part: AccountPart, findings: Sequence[Finding]) -> None:
    """Write what a run came to in one account: the row that counts its findings comes last."""
    account_id = part.row.account_id
    doing = f"recording drift run {run} of account {account_id}"
    pk, first = rows_pk(run), f"finding#{account_id}#"
    parts = {f"{first}{number:05}": packed(some) for number, some in enumerate(parts_of(findings))}
    there = table.query(
        doing,
        pk,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :first)",
        ExpressionAttributeValues={":first": {"S": first}},
        ProjectionExpression="pk, sk",
    )
    # A process that died may have left more of them than there are now.
    left = [{"Delete": {"Key": each}} for each in there if each["sk"]["S"] not in parts]
    puts = [{"Put": {"Item": {**key(pk, sk), "part": some}}} for sk, some in parts.items()]
    table.write_all(doing, [*left, *puts])
    item = {**key(pk, f"account#{account_id}"), "account": packed(part)}
    table.write(doing, {"Put": {"Item": item}})


def find(table: Table, run: str) -> tuple[str, Report] | None:
    """Return the kind of a run, and its head."""
    doing = f"reading drift run {run}"
    rows = table.get_all(doing, [key(kind, run) for kind in (RUN, PREVIEW)])
    # A head of 1.0 has parts that only 1.0 reads.
    return next(((pk, report_of(row)) for (pk, _), row in rows.items() if "head" in row), None)


def heads(table: Table, kind: str, before: str, size: int) -> Iterator[Report]:
    """Return the heads of one kind that sort before an id, newest first, `size` at a time."""
    rows = table.query(
        "reading drift reports",
        kind,
        KeyConditionExpression="pk = :pk AND sk < :from",
        ExpressionAttributeValues={":from": {"S": before}},
        ScanIndexForward=False,
        Limit=size,
    )
    for row in rows:
        report = table.readable(report_of, row) if "head" in row else None
        if report is not None:
            yield report


def accounts(table: Table, run: str) -> Iterator[AccountPart]:
    """Return what a run came to so far, account by account."""
    rows = table.query(
        f"reading drift run {run}",
        rows_pk(run),
        KeyConditionExpression="pk = :pk AND begins_with(sk, :from)",
        ExpressionAttributeValues={":from": {"S": "account#"}},
    )
    for row in rows:
        part = table.readable(unpacked, row, "account", AccountPart)
        if part is not None:
            yield part


def findings(table: Table, run: str, sk: str, index: int) -> Iterator[tuple[str, int, Finding]]:
    """Return the findings from a place on, each with the part and the place in it."""
    rows = table.query(
        f"reading drift run {run}",
        rows_pk(run),
        KeyConditionExpression="pk = :pk AND sk BETWEEN :from AND :to",
        ExpressionAttributeValues={":from": {"S": sk}, ":to": {"S": f"finding#{LAST}"}},
    )
    for row in rows:
        part = row["sk"]["S"]
        start = index if part == sk else 0
        found = table.readable(unpacked, row, "part", list[Finding]) or []
        for at, finding in enumerate(found[start:], start):
            yield part, at, finding


def prune(table: Table, kind: str) -> None:
    """Drop all but the newest reports of one kind."""
    doing = "dropping old drift reports"
    newest_first = table.query(
        doing, kind, ScanIndexForward=False, ProjectionExpression="pk, sk, run"
    )
    for row in islice(newest_first, KEPT, None):
        # 1.0 kept the run's id beside the time, where now the id is both.
        run = (row.get("run") or row["sk"])["S"]
        parts = table.query(doing, rows_pk(run), ProjectionExpression="pk, sk")
        table.write_all(doing, [{"Delete": {"Key": part}} for part in parts])
        table.write(doing, {"Delete": {"Key": key(kind, row["sk"]["S"])}})


def rows_pk(run: str) -> str:
    """Return the key under which the rows of a run stand."""
    return f"{RUN}#{run}"


def head_of(kind: str, report: Report) -> Item:
    """Return the row that is the head of a report."""
    finished = {"BOOL": report.status == "finished"}
    return {**key(kind, report.id), "head": packed(report), "finished": finished}


def report_of(row: Item) -> Report:
    """Return the report that a row is the head of.

    Raises:
        Unreadable: it does not say what it should.
    """
    report = unpacked(row, "head", Report)
    if report.id != row["sk"]["S"]:
        raise unreadable(row, f"its document tells of run {report.id}")
    return report


def parts_of(findings: Iterable[Finding]) -> Iterator[list[Finding]]:
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
