"""The commands about drift runs and accounts."""

from typing import Any

import pytest

from tests.cli import documents
from tests.cli.conftest import Trivet
from tests.cli.documents import ACCOUNT, MEMBER, NAME
from tests.cli.stub import Stub

RUNS = "/drift-runs"


@pytest.mark.parametrize(
    ("args", "body"),
    [
        (("drift",), {"apply": False}),
        (("drift", "--account", MEMBER), {"apply": False, "accounts": [MEMBER]}),
        (("run", "--preview"), {"apply": False}),
        (("run",), {"apply": True}),
        (("run", "--confirm", "run-0"), {"apply": True, "confirm": "run-0"}),
    ],
)
def test_what_a_run_is_asked_for(
    stub: Stub, trivet: Trivet, args: tuple[str, ...], body: Any
) -> None:
    stub.on(f"POST {RUNS}", documents.report(applied=body["apply"]))

    assert trivet(*args).code == 0
    assert [(each.target, each.body) for each in stub.asked] == [(f"POST {RUNS}", body)]


def _drifted(**fields: Any) -> documents.Document:
    rows = [documents.row("drifted", documents.widened())]
    return documents.report(drifted=1, in_sync=2, environments=rows, **fields)


UNREACHABLE = [{"account_id": MEMBER, "error": "cannot assume TrivetMember"}]


@pytest.mark.parametrize(
    ("args", "report", "code"),
    [
        (("drift",), _drifted(applied=False), 2),
        (("run", "--preview"), _drifted(applied=False), 2),
        (("run",), _drifted(), 0),
        (("run",), documents.report(drifted=1, repaired=1), 0),
        (("run",), documents.report(failed=1), 1),
        (("drift",), _drifted(applied=False, failed=1), 1),
        (("run",), documents.report(not_reached=[NAME]), 1),
        (("run",), documents.report(accounts=UNREACHABLE), 1),
        (("run",), _drifted(applied=False, stopped="2 of 3 would change."), 1),
    ],
)
def test_the_exit_code_of_a_run(
    stub: Stub, trivet: Trivet, args: tuple[str, ...], report: Any, code: int
) -> None:
    stub.on(f"POST {RUNS}", report)

    assert trivet(*args).code == code


def test_a_run_shows_what_differed_and_why_it_stopped(stub: Stub, trivet: Trivet) -> None:
    told = {"accounts": UNREACHABLE, "stopped": "2 of 3 would change.", "not_reached": ["z-last"]}
    stub.on(f"POST {RUNS}", _drifted(**told))

    out = trivet("run").out

    assert f"{ACCOUNT} {NAME}: drifted" in out
    assert "iam:CreateUser" in out
    assert f"account {MEMBER}: cannot assume TrivetMember" in out
    assert "not reached (the next run starts there): z-last" in out
    assert "stopped: 2 of 3 would change." in out
    assert "run-1  3 checked  2 in sync  1 drifted  0 repaired  0 failed" in out


def test_a_run_elsewhere_is_waited_for(stub: Stub, trivet: Trivet, pauses: list[float]) -> None:
    begun = documents.report(status="running", finished_at=None)
    stub.on(f"POST {RUNS}", begun, 202, {"Location": f"{RUNS}/run-1"})
    stub.on(f"GET {RUNS}/run-1", begun)
    stub.on(f"GET {RUNS}/run-1", documents.problem(403, "Throttled", "Slow down."), 429)
    stub.on(f"GET {RUNS}/run-1", _drifted(repaired=1))

    ran = trivet("run", "-o", "json")

    assert ran.code == 0
    assert ran.document == _drifted(repaired=1)
    assert pauses == [2.0, 2.0]


def test_a_run_whose_looks_are_refused_ends_at_once(stub: Stub, trivet: Trivet) -> None:
    stub.on(f"POST {RUNS}", documents.report(status="running"), 202)
    stub.on(f"GET {RUNS}/run-1", {"Message": "not authorized"}, 403)

    ran = trivet("run")

    assert ran.code == 1
    assert len(stub.asked) == 2


def test_a_run_whose_looks_fail_on_and_on_is_given_up(stub: Stub, trivet: Trivet) -> None:
    stub.on(f"POST {RUNS}", documents.report(status="running"), 202)
    stub.on(f"GET {RUNS}/run-1", documents.problem(503, "Busy", "DynamoDB throttles."), 503)

    ran = trivet("run")

    assert ran.code == 1
    assert "DynamoDB throttles." in ran.err
    assert len(stub.asked) == 1 + 5


def test_a_run_without_end_is_left_to_itself(stub: Stub, trivet: Trivet) -> None:
    stub.on(f"POST {RUNS}", documents.report(status="running"), 202)
    stub.on(f"GET {RUNS}/run-1", documents.report(status="running"))

    ran = trivet("run", "-o", "json")

    assert ran.code == 1
    assert ran.err == "It is still running: trivet runs show run-1 tells more.\n"


def test_a_long_report_is_put_together_from_its_pages(stub: Stub, trivet: Trivet) -> None:
    first, second = documents.row("repaired", name="a-1"), documents.row("failed", name="b-2")
    stub.on(f"GET {RUNS}/latest", documents.report(environments=[first], next_cursor="more"))
    stub.on(f"GET {RUNS}/latest", documents.report(environments=[second]))

    ran = trivet("runs", "show", "latest", "-o", "json")

    assert ran.document == documents.report(environments=[first, second])
    assert stub.asked[1].query == {"limit": "1000", "cursor": "more"}


def test_runs_are_listed(stub: Stub, trivet: Trivet) -> None:
    fields = ("environments", "next_cursor")
    repaired = {k: v for k, v in documents.report(repaired=4).items() if k not in fields}
    previewed = {**repaired, "id": "run-2", "applied": False}
    listing = {"drift_runs": [repaired, previewed], "next_cursor": None}
    stub.on(f"GET {RUNS}", listing)

    lines = [line.split() for line in trivet("runs").out.splitlines()]

    assert lines[1] == ["run-1", "2026-11-24", "12:00", "request", "repair", "finished", *"3040"]
    assert lines[2][4] == "preview"
    assert trivet("runs", "-o", "json").document == listing


def test_accounts_are_listed(stub: Stub, trivet: Trivet) -> None:
    home = documents.account(ACCOUNT, home=True, alias=None)
    lost = documents.account(status="unreachable", detail="AccessDenied on sts:AssumeRole")
    stub.on("GET /accounts", {"accounts": [home, lost], "next_cursor": None})

    lines = trivet("account", "list").out.splitlines()

    assert lines[1].split()[:4] == [ACCOUNT, "(home)", "-", "connected"]
    assert "unreachable" in lines[2]
    assert "AccessDenied on sts:AssumeRole" in lines[2]


def test_an_account_is_registered_shown_and_forgotten(stub: Stub, trivet: Trivet) -> None:
    path = f"/accounts/{MEMBER}"
    stub.on(f"PUT {path}", documents.account(), 201)
    stub.on(f"GET {path}", documents.account())
    stub.on(f"DELETE {path}", documents.account())

    assert "ml-dev" in trivet("account", "add", MEMBER, "--alias", "ml-dev").out
    assert trivet("account", "show", MEMBER, "-o", "json").document == documents.account()
    assert trivet("account", "remove", MEMBER).code == 3
    assert trivet("account", "remove", MEMBER, "--yes").code == 0
    assert [each.body for each in stub.asked] == [{"alias": "ml-dev"}, None, None]
