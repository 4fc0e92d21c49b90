"""Drift runs and accounts."""

import re

import pytest

from tests.console.conftest import Browser
from tests.console.documents import ACCOUNT, MEMBER, NAME, RUN_ID
from tests.console.html import hidden, text_of
from tests.console.stub import Call, StubApi

IN_MEMBER = f"/accounts/{MEMBER}/environments"


def test_drift_runs_are_listed(browser: Browser) -> None:
    rows = [text_of(row) for row in browser.get("/drift-runs").split("<tr>")[2:]]
    assert [re.search(r"ago (\S+) (\S+)", row).groups() for row in rows] == [  # type: ignore[union-attr]
        ("run", "finished"),
        ("preview", "finished"),
        ("run", "running"),
        ("run", "stopped"),
    ]


def test_a_report_shows_what_was_found(browser: Browser, api: StubApi) -> None:
    page = browser.get(f"/drift-runs/{RUN_ID}?cursor=abc")
    said = text_of(page)
    assert api.calls == [Call("GET", f"/drift-runs/{RUN_ID}", None, {"cursor": "abc"})]
    assert "attaching AmazonS3FullAccess to mlops-prod-SageMaker: AccessDenied" in said
    assert "role/TrivetMember cannot be assumed" in said
    assert f'href="/accounts/{ACCOUNT}/environments/{NAME}"' in page
    assert "zoo-dev" in said
    assert "iam:AttachRolePolicy 3" in said


def test_a_run_under_way_shows_its_progress(browser: Browser) -> None:
    answer = browser.send("GET", "/drift-runs/running-1")
    assert answer.headers["Refresh"] == "4"
    assert "120 environments checked so far" in text_of(answer.text)


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({"apply": "false"}, {"apply": False}),
        ({"apply": "true"}, {"apply": True}),
        ({}, {"apply": False}),
        ({"apply": "true", "confirm": "stopped-1"}, {"apply": True, "confirm": "stopped-1"}),
    ],
)
def test_a_run_is_started_and_followed(
    browser: Browser, api: StubApi, fields: dict[str, str], body: dict[str, object]
) -> None:
    answer = browser.post("/drift-runs", **fields)
    assert api.changing == [("POST", "/drift-runs", {**body, "wait": 1})]
    assert (answer.status_code, answer.headers["Location"]) == (303, "/drift-runs/running-1")


def test_only_a_stopped_run_can_be_confirmed(browser: Browser) -> None:
    page = browser.get("/drift-runs/stopped-1")
    assert "it would change 180 of 300" in page
    assert hidden(page, "confirm") == "stopped-1"
    assert "confirm" not in browser.get(f"/drift-runs/{RUN_ID}")


def test_accounts_are_listed_shown_added_and_removed(browser: Browser, api: StubApi) -> None:
    assert f'href="{IN_MEMBER}"' in browser.get("/accounts")
    assert "deploy/member-account.json" in text_of(browser.get(f"/accounts/{MEMBER}"))
    assert "Remove" not in browser.get(f"/accounts/{ACCOUNT}")
    assert browser.post("/accounts", account_id=MEMBER, alias="ml-dev").status_code == 303
    assert browser.post("/accounts", account_id=MEMBER, alias="").status_code == 303
    assert browser.post(f"/accounts/{MEMBER}/remove").headers["Location"] == "/accounts"
    assert api.changing == [
        ("PUT", f"/accounts/{MEMBER}", {"alias": "ml-dev"}),
        ("PUT", f"/accounts/{MEMBER}", {}),
        ("DELETE", f"/accounts/{MEMBER}", None),
    ]
