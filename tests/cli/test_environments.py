"""The commands about environments: the route each takes, what it prints, its exit code."""

from typing import Any

import pytest

from tests.cli import documents
from tests.cli.conftest import Trivet
from tests.cli.documents import ACCOUNT, MEMBER, NAME
from tests.cli.stub import Stub

HERE = f"/environments/{NAME}"
FAILED_CHECK = "workflow may pass the notebook role to SageMaker"


def test_list_shows_all_pages_in_a_table(stub: Stub, trivet: Trivet) -> None:
    first, second = documents.environment("first-one"), documents.environment("second-one")
    drifted = {"status": "drifted", "drift": {"in_sync": False, "checked_at": None}}
    pages = [
        {"environments": [documents.listed(first)], "next_cursor": "abc"},
        {"environments": [documents.listed({**second, **drifted})], "next_cursor": None},
    ]
    for page in pages:
        stub.on("GET /environments", page)

    ran = trivet("list", "--status", "drifted", "--tag", "team=data:lake")

    assert ran.code == 0
    lines = [line.split() for line in ran.out.splitlines()]
    assert lines[0][:3] == ["NAME", "STATUS", "PROFILE"]
    assert lines[1][:6] == ["first-one", "ready", "standard", "in", "sync,", "2026-11-24"]
    assert lines[2][:5] == ["second-one", "drifted", "standard", "not", "yet"]
    asked = {"status": "drifted", "tag": "team:data:lake", "limit": "100"}
    assert [each.query for each in stub.asked] == [asked, {**asked, "cursor": "abc"}]


def test_list_as_json_is_one_document_of_the_api(stub: Stub, trivet: Trivet) -> None:
    page = {"environments": [documents.listed(documents.environment())], "next_cursor": None}
    stub.on(f"GET /accounts/{MEMBER}/environments", page)

    assert trivet("list", "--account", MEMBER, "-o", "json").document == page


def test_an_empty_list_says_how_to_go_on(stub: Stub, trivet: Trivet) -> None:
    stub.on("GET /environments", {"environments": [], "next_cursor": None})

    assert "trivet apply NAME" in trivet("list").out


def test_show_tells_arns_and_what_failed(stub: Stub, trivet: Trivet) -> None:
    stub.on(f"GET {HERE}", documents.with_smoke_test("failed", FAILED_CHECK))

    ran = trivet("show", NAME)

    assert ran.code == 0
    assert documents.role_arn("lambda_trigger") in ran.out
    assert "failed (13 passed, 1 failed, 0 skipped)" in ran.out
    assert FAILED_CHECK in ran.out
    assert "assumed-role/DataScientist/jo" in ran.out


def test_show_as_json_is_the_apis_own_document(stub: Stub, trivet: Trivet) -> None:
    stub.on(f"GET {HERE}", documents.environment())

    assert trivet("show", NAME, "-o", "json").document == documents.environment()


def test_history_tells_who_did_what_and_stops_at_its_limit(stub: Stub, trivet: Trivet) -> None:
    cause = {
        "event_id": "e",
        "event_name": "AttachRolePolicy",
        "event_time": "2026-11-24T09:59:00Z",
        "actor": f"arn:aws:iam::{ACCOUNT}:user/mallory",
    }
    pause = {"until": "2026-11-24T14:00:00Z", "reason": "incident 4711"}
    entries = [
        documents.history_entry(operation="event_repair", by=None, cause=cause),
        documents.history_entry(outcome="failed", error="IAM refused iam:TagRole."),
        documents.history_entry(operation="pause", changes=[], pause=pause),
    ]
    stub.on(f"GET {HERE}/history", {"entries": entries, "next_cursor": "more"})

    ran = trivet("history", NAME, "--limit", "3")

    assert ran.code == 0
    assert "2026-11-24 10:00  event_repair by -  done" in ran.out
    assert "after AttachRolePolicy by user/mallory" in ran.out
    assert "IAM refused iam:TagRole." in ran.out
    assert "until 2026-11-24 14:00: incident 4711" in ran.out
    assert f"~ update_policy policy/{NAME}-Policy  widened: allows iam:CreateUser" in ran.out
    assert [each.query for each in stub.asked] == [{"limit": "3"}]


@pytest.mark.parametrize(("changes", "code"), [([documents.widened()], 2), ([], 0)])
def test_plan_asks_for_a_dry_run(stub: Stub, trivet: Trivet, changes: list[Any], code: int) -> None:
    stub.on(f"PUT {HERE}", documents.environment(changes=changes, dry_run=True))

    ran = trivet("plan", NAME, "--tag", "team=datalake")

    assert ran.code == code
    assert stub.asked[0].body == {"tags": {"team": "datalake"}, "dry_run": True}
    assert len(stub.asked) == 1


def test_plan_shows_the_lines_that_differ(stub: Stub, trivet: Trivet) -> None:
    changes = [documents.widened(), documents.attached(), documents.created()]
    stub.on(f"PUT {HERE}", documents.environment(changes=changes, dry_run=True))

    ran = trivet("plan", NAME)

    lines = ran.out.splitlines()
    assert lines[0] == f"{NAME}: 3 changes"
    assert f"~ update_policy policy/{NAME}-Policy  widened" in lines
    differing = [line.strip() for line in lines if line.startswith(("      -", "      +"))]
    assert differing == [
        '-         "iam:CreateUser"',
        "+ arn:aws:iam::aws:policy/AmazonS3FullAccess",
    ]
    # What is made is told by its summary, not by pages of policy.
    assert "trust_policy" not in ran.out


def test_apply_sends_what_was_given_and_no_more(stub: Stub, trivet: Trivet) -> None:
    stub.on(f"PUT {HERE}", documents.environment(changes=[documents.created()]), status=201)

    ran = trivet(
        *("apply", NAME, "--profile", "scoped", "--parameter", 'buckets=["lake-*"]'),
        *("--parameter", "label=x=y", "--tag", "a=b", "--tag", "c=", "--on-extras", "report"),
        *("--permissions-boundary", "arn:aws:iam::1:policy/B", "--deletion-protection"),
    )

    assert ran.code == 0
    assert stub.asked[0].body == {
        "profile": "scoped",
        "parameters": {"buckets": ["lake-*"], "label": "x=y"},
        "tags": {"a": "b", "c": ""},
        "on_extras": "report",
        "permissions_boundary": "arn:aws:iam::1:policy/B",
        "deletion_protection": True,
    }
    assert f"+ create_role role/{NAME}-SageMaker" in ran.out
    assert documents.role_arn("notebook") in ran.out


def test_apply_without_options_changes_nothing_declared(stub: Stub, trivet: Trivet) -> None:
    stub.on(f"PUT {HERE}", documents.environment())

    assert trivet("apply", NAME).code == 0
    assert stub.asked[0].body == {}


def test_apply_waits_for_the_smoke_test(stub: Stub, trivet: Trivet, pauses: list[float]) -> None:
    changed = documents.with_smoke_test("pending", changes=[documents.created()])
    stub.on(f"PUT {HERE}", changed, status=201)
    stub.on(f"GET {HERE}", documents.with_smoke_test("running"))
    stub.on(
        f"GET {HERE}", documents.problem(503, "Busy", "IAM throttles."), 503, {"Retry-After": "9"}
    )
    stub.on(f"GET {HERE}", documents.environment())

    ran = trivet("apply", NAME, "-o", "json")

    assert ran.code == 0
    assert ran.document == documents.environment(changes=[documents.created()])
    assert stub.targets() == [f"PUT {HERE}", *3 * [f"GET {HERE}"]]
    assert pauses == [2.0, 9.0]


@pytest.mark.parametrize(
    "ended",
    [
        documents.with_smoke_test("failed", FAILED_CHECK),
        documents.environment(status="incomplete"),
    ],
)
def test_apply_fails_where_not_all_is_well(stub: Stub, trivet: Trivet, ended: Any) -> None:
    stub.on(f"PUT {HERE}", ended)

    assert trivet("apply", NAME).code == 1


def test_a_smoke_test_without_end_is_not_waited_for_without_end(
    stub: Stub, trivet: Trivet, pauses: list[float]
) -> None:
    stub.on(f"PUT {HERE}", documents.with_smoke_test("pending"))
    stub.on(f"GET {HERE}", documents.with_smoke_test("running"))

    ran = trivet("apply", NAME)

    assert ran.code == 1
    assert "smoke test" in ran.out
    assert 300 <= sum(pauses) <= 360


def test_apply_in_another_account(stub: Stub, trivet: Trivet) -> None:
    target = f"PUT /accounts/{MEMBER}{HERE}"
    stub.on(target, documents.environment(account=MEMBER))

    assert trivet("apply", NAME, "--account", MEMBER).code == 0
    assert stub.targets() == [target]


def test_adopt_takes_the_route_of_its_own(stub: Stub, trivet: Trivet) -> None:
    stub.on(f"POST {HERE}/adopt", documents.environment(), status=201)

    ran = trivet("adopt", NAME, "--on-extras", "report", "--yes")

    assert ran.code == 0
    assert [(each.target, each.body) for each in stub.asked] == [
        (f"POST {HERE}/adopt", {"on_extras": "report"})
    ]


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (documents.drift(), 0),
        (documents.drift(documents.widened()), 2),
        (documents.drift(foreign=({"resource": "arn:x", "reason": "no tags"},)), 2),
    ],
)
def test_drift_of_one_environment(stub: Stub, trivet: Trivet, found: Any, code: int) -> None:
    stub.on(f"GET {HERE}/drift", found)

    assert trivet("drift", NAME, "-o", "json").document == found
    shown = trivet("drift", NAME)
    assert shown.code == code
    assert ("in sync" in shown.out) == (code == 0)
    assert ("! foreign arn:x: no tags" in shown.out) == bool(found["foreign"])


@pytest.mark.parametrize(("status", "code"), [("succeeded", 0), ("failed", 1)])
def test_the_smoke_test_again(stub: Stub, trivet: Trivet, status: str, code: int) -> None:
    stub.on(f"POST {HERE}/smoke-test", documents.with_smoke_test("running"))
    ended = documents.with_smoke_test(status, FAILED_CHECK if code else None)
    stub.on(f"GET {HERE}", ended)

    ran = trivet("test", NAME)

    assert ran.code == code
    assert f"{NAME}: smoke test {status}" in ran.out
    assert "a workflow runs under the workflow_execution role" in ran.out


def test_reapply_tells_what_it_changed(stub: Stub, trivet: Trivet) -> None:
    stub.on(f"POST {HERE}/reapply", documents.environment(changes=[documents.attached()]))

    ran = trivet("reapply", NAME)

    assert ran.code == 0
    assert "+ attach_managed_policy" in ran.out


def test_pause_sends_the_time_in_utc(stub: Stub, trivet: Trivet) -> None:
    until = "2026-11-25T18:00:00Z"
    stub.on(f"POST {HERE}/pause", documents.environment(paused_until=until))

    ran = trivet("pause", NAME, "--until", "2026-11-25T19:00:00+01:00", "--reason", "a look")

    assert ran.code == 0
    assert stub.asked[0].body == {"until": until, "reason": "a look"}
    assert "paused until" in ran.out


@pytest.mark.parametrize(
    ("args", "target"),
    [
        (("resume",), "DELETE {}/pause"),
        (("unprotect", "--yes"), "DELETE {}/deletion-protection"),
    ],
)
def test_what_ends_a_pause_and_protection(
    stub: Stub, trivet: Trivet, args: tuple[str, ...], target: str
) -> None:
    stub.on(target.format(HERE), documents.environment())

    ran = trivet(*args, NAME)

    assert ran.code == 0
    assert stub.targets() == [target.format(HERE)]


def test_delete_tells_what_went_and_what_stays(stub: Stub, trivet: Trivet) -> None:
    answer = {
        "name": NAME,
        "deleted": [documents.role_arn("notebook")],
        "detached": [{"policy": "arn:aws:iam::1:policy/Theirs", "role": "their-role"}],
        "left": [{"resource": documents.role_arn("lambda_trigger"), "reason": "not ours"}],
    }
    stub.on(f"DELETE {HERE}", answer)

    ran = trivet("delete", NAME, "--yes")

    assert ran.code == 0
    assert f"- deleted {documents.role_arn('notebook')}" in ran.out
    assert "- detached arn:aws:iam::1:policy/Theirs from their-role" in ran.out
    assert f"left {documents.role_arn('lambda_trigger')}: not ours" in ran.out
    assert trivet("delete", NAME, "--yes", "-o", "json").document == answer


@pytest.mark.parametrize("command", ["delete", "unprotect", "adopt"])
def test_what_takes_away_is_refused_where_nobody_can_be_asked(
    stub: Stub, trivet: Trivet, command: str
) -> None:
    ran = trivet(command, NAME)

    assert ran.code == 3
    assert ran.err.count("\n") == 1
    assert "add --yes" in ran.err
    assert stub.asked == []


@pytest.mark.parametrize("form", ["text", "svg", "mermaid"])
def test_wiring_in_each_form(stub: Stub, trivet: Trivet, form: str) -> None:
    stub.on(f"GET {HERE}", documents.environment())
    stub.on("GET /profiles/standard", documents.profile())
    stub.on(f"GET {HERE}/history", {"entries": [], "next_cursor": None})

    ran = trivet("wiring", NAME, "--format", form)

    assert ran.code == 0
    assert "breadth unknown" in ran.out
    assert documents.role_name("workflow_execution") in ran.out


def test_wiring_of_a_profile_that_is_allowed_no_more(stub: Stub, trivet: Trivet) -> None:
    stub.on(f"GET {HERE}", documents.environment())
    stub.on("GET /profiles/standard", documents.problem(404, "Not found", "No such profile."), 404)

    assert trivet("wiring", NAME).code == 0
