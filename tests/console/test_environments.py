"""The list of environments, one of them, and what can be done to it."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest

from tests.console import documents
from tests.console.conftest import Browser
from tests.console.documents import ACCOUNT, ALICE, MEMBER, NAME
from tests.console.html import text_of
from tests.console.stub import Call, StubApi
from trivet.errors import Problem

HERE = f"/environments/{NAME}"
IN_MEMBER = f"/accounts/{MEMBER}/environments"


def test_environments_are_listed_with_their_states(browser: Browser) -> None:
    page = browser.get("/environments")
    rows = [text_of(row) for row in page.split("<tr>")[2:]]
    assert rows[0].startswith("analytics-test ready in sync succeeded scoped")
    assert rows[1].startswith(f"{NAME} drifted drifted failed standard")
    assert rows[2].startswith("mlops-prod protected ready")
    assert rows[3].startswith("notebook-lab paused incomplete unknown pending")
    assert f'href="{HERE}"' in page


def test_what_is_in_sync_and_fails_misleads_nobody(browser: Browser, api: StubApi) -> None:
    well = documents.environment()
    failing = documents.environment()
    failing["smoke_test"]["status"] = "failed"
    for document, tone in ((well, "good"), (failing, "quiet")):
        api.answers["GET", HERE] = document
        api.answers["GET", "/environments"] = {"environments": [document], "next_cursor": None}
        for page in (browser.get("/environments"), browser.get(HERE)):
            assert f'<span class="badge {tone}">ready</span>' in page
            assert f'<span class="badge {tone}">in sync</span>' in page
        told = "The smoke test failed: the roles do not work together." in text_of(page)
        assert told == (tone == "quiet")
        assert ("In sync is what Trivet found when it last looked." in text_of(page)) == told
    assert 'id="checks"' in page


def test_filters_and_pages_of_the_list_are_the_apis(browser: Browser, api: StubApi) -> None:
    page = browser.get("/environments?status=drifted&in_sync=&profile=+scoped&tag=team:a%26b&x=y")
    filters = {"status": "drifted", "profile": "scoped", "tag": "team:a&b"}
    assert api.calls == [Call("GET", "/environments", None, filters)]
    following = re.search(r'href="([^"]*)" rel="next"', page)
    assert following
    browser.get(unescape(following[1]))
    assert api.calls[1].query == filters | {"cursor": "bm90ZWJvb2s="}


def test_an_empty_list_says_why(browser: Browser, api: StubApi) -> None:
    api.answers["GET", "/environments"] = {"environments": [], "next_cursor": None}
    assert "There is no environment here yet." in text_of(browser.get("/environments"))
    assert "No environment fits." in text_of(browser.get("/environments?status=ready"))


def test_one_environment_shows_roles_checks_and_declaration(browser: Browser, api: StubApi) -> None:
    page = browser.get(HERE)
    said = text_of(page)
    for role in documents.environment()["roles"].values():
        assert f'data-copy="{role["arn"]}"' in page
    assert "Checks: 1 failed, 1 skipped, 3 passed" in said
    for check in documents.CHECKS:
        assert check["detail"] in said
    assert said.index("is implicitDeny") < said.index("this endpoint does not simulate")
    assert "<svg" in page
    assert f"by {ALICE}" in said
    assert "team=datalake" in said
    assert "notebook 1 AWS managed policy, 1 FullAccess: AmazonAthenaFullAccess" in said
    assert ("GET", f"{HERE}/history") in [(each.method, each.path) for each in api.calls]
    assert "2026-11-20 08:15:00 UTC" in said


def test_an_environment_of_a_profile_that_is_gone_is_shown(browser: Browser, api: StubApi) -> None:
    api.answers["GET", HERE] = documents.environment(profile="withdrawn")
    assert "withdrawn" in browser.get(HERE)


def test_while_the_smoke_test_is_under_way_the_page_loads_itself_anew(browser: Browser) -> None:
    answer = browser.send("GET", "/environments/notebook-lab")
    assert answer.headers["Refresh"] == "4"
    assert "The smoke test is pending." in text_of(answer.text)
    stopped = browser.send("GET", "/environments/notebook-lab?refresh=off")
    assert "Refresh" not in stopped.headers
    assert "Refresh" not in browser.send("GET", HERE).headers


def test_drift_is_a_diff_with_its_effect(browser: Browser) -> None:
    page = browser.get(f"{HERE}/drift")
    assert "3 differences" in page
    assert "<span>          &#34;events:PutTargets&#34;</span>" in page
    assert "<del>-&nbsp;        &#34;iam:CreateUser&#34;</del>" in page
    assert "<ins>+&nbsp;arn:aws:iam::aws:policy/AmazonAthenaFullAccess</ins>" in page
    said = text_of(page)
    assert "update_policy widened allows iam:CreateUser on * besides" in said
    assert "it exists without Trivet's tags" in said


def test_an_environment_in_sync_says_so(browser: Browser) -> None:
    page = browser.get("/environments/analytics-test/drift")
    assert "In sync" in page
    assert "Reapply" not in page


def test_history_tells_who_did_what_and_why(browser: Browser, api: StubApi) -> None:
    page = browser.get(f"{HERE}/history?cursor=abc")
    said = text_of(page)
    assert api.calls == [Call("GET", f"{HERE}/history", None, {"cursor": "abc"})]
    assert f"After CreatePolicyVersion by arn:aws:iam::{ACCOUNT}:user/mallory" in said
    assert "reapply failed 2026-11-24 21:59:58 UTC" in said
    assert "IAM throttled past all retries; call again." in said
    assert "Until 2026-11-24 23:00:00 UTC: incident 4711" in said
    assert "4 changes" in said
    assert "cursor=b2xkZXI%3D" in page


def test_reapply_shows_what_it_changed(browser: Browser, api: StubApi) -> None:
    answer = browser.post(f"{HERE}/reapply")
    assert api.changing == [("POST", f"{HERE}/reapply", {"wait": 0})]
    assert "Reapplied: 3 changes." in text_of(answer.text)


@pytest.mark.parametrize(
    ("page", "call"),
    [
        ("smoke-test", ("POST", f"{HERE}/smoke-test", {"wait": 0})),
        ("resume", ("DELETE", f"{HERE}/pause", None)),
        ("unprotect", ("DELETE", f"{HERE}/deletion-protection", None)),
    ],
)
def test_an_action_leads_back_to_the_environment(
    browser: Browser, api: StubApi, page: str, call: tuple[str, str, dict[str, int] | None]
) -> None:
    answer = browser.post(f"{HERE}/{page}")
    assert api.changing == [call]
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(HERE)


def test_a_pause_ends_after_the_hours_chosen(browser: Browser, api: StubApi) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    assert browser.post(f"{HERE}/pause", hours="4", reason=" an incident ").status_code == 303
    [(method, path, body)] = api.changing
    assert (method, path) == ("POST", f"{HERE}/pause")
    assert body is not None
    assert body["reason"] == "an incident"
    until = datetime.fromisoformat(body["until"])
    assert before <= until - timedelta(hours=4) <= datetime.now(UTC)


@pytest.mark.parametrize("hours", ["", "x", "9999"])
def test_a_pause_of_no_offered_length_is_refused(
    browser: Browser, api: StubApi, hours: str
) -> None:
    assert browser.post(f"{HERE}/pause", hours=hours).status_code == 400
    assert not api.calls


def test_a_deletion_needs_the_name_typed(browser: Browser, api: StubApi) -> None:
    page = browser.get(f"{HERE}/delete")
    assert f"role/{NAME}-SageMaker" in page
    answer = browser.post(f"{HERE}/delete", typed="datalake")
    assert answer.status_code == 422
    assert "Type the name exactly" in answer.text
    assert not api.changing
    said = text_of(browser.post(f"{HERE}/delete", typed=NAME).text)
    assert api.changing == [("DELETE", HERE, None)]
    assert f"policy/Audit from {NAME}-SageMaker" in said
    assert f"role/{NAME}-X : it is foreign" in said


def test_lifting_protection_is_asked_first(browser: Browser, api: StubApi) -> None:
    assert "/environments/mlops-prod/unprotect" in browser.get("/environments/mlops-prod")
    assert "Take the deletion protection off?" in browser.get("/environments/mlops-prod/unprotect")
    assert not api.changing


def test_every_environment_page_is_there_in_a_member_account(
    browser: Browser, api: StubApi
) -> None:
    listing = browser.get(IN_MEMBER)
    assert f'href="{IN_MEMBER}/member-lab"' in listing
    page = browser.get(f"{IN_MEMBER}/member-lab")
    assert f'href="{IN_MEMBER}/member-lab/drift"' in page
    assert f"/declare?name=member-lab&amp;account_id={MEMBER}" in page
    browser.post(f"{IN_MEMBER}/member-lab/reapply")
    assert api.changing == [("POST", f"{IN_MEMBER}/member-lab/reapply", {"wait": 0})]


def test_what_the_api_says_is_never_markup(browser: Browser, api: StubApi) -> None:
    hostile = '"><script src=x></script>'
    environment = documents.failed()
    environment |= {"tags": {hostile: hostile}, "created_by": hostile}
    environment["smoke_test"]["checks"][0] = {
        "name": hostile,
        "status": "failed",
        "detail": hostile,
    }
    api.answers["GET", HERE] = environment
    changed = {**documents.UPDATED_POLICY, "summary": hostile, "actual": {hostile: hostile}}
    api.answers["GET", f"{HERE}/drift"] = {
        "name": hostile,
        "in_sync": False,
        "changes": [changed],
        "foreign": [{"resource": hostile, "reason": hostile}],
    }
    for path in (HERE, f"{HERE}/drift", f"{HERE}/delete", f"/declare?name={NAME}"):
        assert "<script src=x" not in browser.get(path)


def test_a_history_that_is_not_shown_leaves_the_page_as_it_is(
    browser: Browser, api: StubApi
) -> None:
    api.answers["GET", f"{HERE}/history"] = Problem(403, "Forbidden", "jo may not read it")
    said = text_of(browser.get(HERE))
    assert "breadth unknown: the API does not show the history: jo may not read it" in said
    assert "team=datalake" in said
