"""Drift reports: written account by account, read by pages, the newest kept."""

from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.errors import Invalid
from chalicelib.model.environment import timestamp
from chalicelib.model.report import AccountRow, Finding, Report
from chalicelib.table.report_rows import KEPT, AccountPart
from chalicelib.table.reports import Reports, new_id
from tests.table.conftest import HOME, MEMBER, START, Bench, change


def report(number: int = 0, applied: bool = True, **more: Any) -> Report:
    moment = START + number
    values = {"status": "running", "trigger": "request", "started_at": timestamp(moment)} | more
    return Report(id=new_id(moment, f"operation-{number}"), applied=applied, **values)


def finding(number: int, account_id: str = HOME, size: int = 0) -> Finding:
    return Finding(account_id, f"env{number:04}-dev", "repaired", [change("x" * size)])


def row(account_id: str = HOME, **counts: Any) -> AccountRow:
    return AccountRow(account_id=account_id, **counts)


def test_ids_sort_by_time() -> None:
    assert new_id(START + 0.123, "one")[:20] == "20261124T224000123Z-"
    ids = [new_id(START + seconds, "one") for seconds in (0, 0.001, 1, 60, 86_400)]
    assert ids == sorted(ids)
    assert new_id(START, "one") != new_id(START, "two")


def test_three_thousand_findings_by_pages(bench: Bench) -> None:
    reports, run = Reports(bench.table()), report()
    reports.begin(run, preview=False)
    findings = [finding(number) for number in range(3_000)]
    reports.add_account(run.id, AccountPart(row(checked=3_000, drifted=3_000)), findings)
    reports.conclude(report(status="finished"))
    seen: list[Finding] = []
    cursor, most = None, 0
    while True:
        bench.wire.calls.clear()
        page = reports.page(run.id, 200, cursor)
        assert page is not None
        assert bench.wire.calls["batch_get_item"] == 1
        most = max(most, bench.wire.calls.total())
        seen += page.environments
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == findings
    assert most <= 3
    assert len(bench.rows(f"drift-run#{run.id}")) == 3_000 / 50 + 1


def test_a_page_ends_before_it_grows_too_large_to_be_answered(bench: Bench) -> None:
    reports, run = Reports(bench.table()), report()
    reports.begin(run, preview=False)
    findings = [finding(number, size=300_000) for number in range(20)] + [
        finding(20, size=6_000_000),
        finding(21),
    ]
    reports.add_account(run.id, AccountPart(row()), findings)
    pages, cursor = [], None
    while True:
        page = reports.page(run.id, 1_000, cursor)
        assert page is not None
        pages.append(page.environments)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert [len(each) for each in pages] == [13, 7, 1, 1]
    assert [each for page in pages for each in page] == findings


def test_pages_may_end_anywhere(bench: Bench) -> None:
    reports, run = Reports(bench.table()), report()
    reports.begin(run, preview=True)
    findings = [finding(number) for number in range(120)]
    reports.add_account(run.id, AccountPart(row()), findings)
    reports.add_account(run.id, AccountPart(row(MEMBER)), [finding(1, MEMBER)])
    for limit in (1, 49, 50, 51, 121, 200):
        seen: list[Finding] = []
        cursor = None
        while True:
            page = reports.page(run.id, limit, cursor)
            assert page is not None
            assert len(page.environments) <= limit
            seen += page.environments
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen == [*findings, finding(1, MEMBER)]


def test_progress_is_the_sum_of_the_accounts_until_it_is_concluded(bench: Bench) -> None:
    reports, run = Reports(bench.table()), report()
    reports.begin(run, preview=False)
    assert reports.progress(run.id) == run
    reports.add_account(
        run.id,
        AccountPart(row(checked=3, in_sync=2, drifted=1, repaired=1), {"iam:GetRole": 2}),
        [finding(1)],
    )
    reports.add_account(
        run.id, AccountPart(row(MEMBER, checked=2, failed=2), {"iam:GetRole": 5}), []
    )
    so_far = reports.progress(run.id)
    assert so_far is not None
    assert (so_far.status, so_far.checked, so_far.in_sync, so_far.failed) == ("running", 5, 2, 2)
    assert [each.account_id for each in so_far.accounts] == [HOME, MEMBER]
    assert so_far.aws_calls == {"iam:GetRole": 7}
    final = report(status="finished", finished_at=timestamp(START + 9), checked=6, stopped="why")
    reports.conclude(final)
    assert Reports(bench.table()).progress(run.id) == final
    reports.conclude(report(status="finished", checked=99))
    assert reports.progress(run.id) == final


def test_an_account_tried_again_takes_its_own_place(bench: Bench) -> None:
    reports, run = Reports(bench.table()), report()
    reports.begin(run, preview=False)
    many = [finding(number) for number in range(120)]
    reports.add_account(run.id, AccountPart(row(checked=120, failed=120), {"iam:GetRole": 1}), many)
    bench.wire.lose_answer("batch_write_item")
    reports.add_account(
        run.id, AccountPart(row(checked=120, in_sync=119), {"iam:GetRole": 1}), many[:1]
    )
    page = reports.page(run.id, 1_000)
    assert page is not None
    assert page.environments == many[:1]
    assert (page.checked, page.failed, page.in_sync) == (120, 0, 119)


def test_lost_answers_are_nobodys_concern(bench: Bench) -> None:
    reports, run = Reports(bench.table()), report()
    for _ in range(3):
        bench.wire.lose_answer("put_item")
    reports.begin(run, preview=False)
    reports.add_account(run.id, AccountPart(row(checked=1)), [])
    final = report(status="finished", checked=1)
    reports.conclude(final)
    assert reports.list(10) == ([final], None)


def test_the_list_has_both_kinds_newest_first(bench: Bench) -> None:
    reports = Reports(bench.table())
    runs = [report(number, applied=number % 3 > 0) for number in range(10)]
    for number, run in enumerate(runs):
        reports.begin(run, preview=number % 3 == 0)
    seen: list[Report] = []
    cursor = None
    while True:
        page, cursor = reports.list(4, cursor)
        seen += page
        if cursor is None:
            break
    assert seen == runs[::-1]


def test_the_latest_is_finished_and_was_applied(bench: Bench) -> None:
    reports = Reports(bench.table())
    finished = [
        report(number, applied=number < 2, status="finished", stopped=None) for number in range(4)
    ]
    for each in finished:
        reports.begin(replace(each, status="running"), preview=False)
    for each in finished[:3]:
        reports.conclude(each)
    reports.begin(report(9), preview=False)
    assert reports.latest() == finished[1]


def test_the_newest_of_each_kind_are_kept(bench: Bench) -> None:
    reports = Reports(bench.table())
    previews = [report(1_000 + number, applied=False) for number in range(2)]
    for each in previews:
        reports.begin(each, preview=True)
    runs = [report(number) for number in range(KEPT + 3)]
    for each in runs:
        reports.begin(each, preview=False)
        if each is runs[0]:
            findings = [finding(number) for number in range(2_000)]
            reports.add_account(each.id, AccountPart(row()), findings)
    reports.conclude(report(KEPT + 2, status="finished"))
    kept = [each["sk"]["S"] for each in bench.rows("drift-run")]
    assert kept == [each.id for each in runs[3:]]
    assert bench.rows(f"drift-run#{runs[0].id}") == []
    assert len(bench.rows("drift-preview")) == 2


def test_reports_of_1_0_are_passed_over_and_dropped_in_time(bench: Bench) -> None:
    old = {"pk": {"S": "drift-run"}, "sk": {"S": "2026-11-01T00:00:00.000Z#abc"}}
    table = bench.table()
    table.write_all(
        "seeding",
        [
            {"Put": {"Item": {**old, "run": {"S": "abc"}, "parts": {"N": "1"}}}},
            {
                "Put": {
                    "Item": {
                        "pk": {"S": "drift-run#abc"},
                        "sk": {"S": "00000"},
                        "report": {"B": b"{}"},
                    }
                }
            },
        ],
    )
    reports = Reports(table)
    assert reports.list(10) == ([], None)
    assert reports.latest() is None
    for number in range(KEPT):
        reports.begin(report(number), preview=False)
    reports.conclude(report(KEPT - 1, status="finished"))
    assert len(bench.rows("drift-run")) == KEPT
    assert bench.rows("drift-run#abc") == []


def test_what_is_not_there_is_none(bench: Bench) -> None:
    reports = Reports(bench.table())
    assert reports.page("20261124T223000123Z-0123456789ab", 10) is None
    assert reports.progress("20261124T223000123Z-0123456789ab") is None


@pytest.mark.parametrize("cursor", ["bm8", "WzFd", "IngI"])
def test_a_cursor_that_is_none_is_invalid(bench: Bench, cursor: str) -> None:
    reports, run = Reports(bench.table()), report()
    reports.begin(run, preview=False)
    with pytest.raises(Invalid):
        reports.page(run.id, 10, cursor)
    with pytest.raises(Invalid):
        reports.list(10, cursor)
