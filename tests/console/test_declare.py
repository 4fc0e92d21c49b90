"""Declaring: the form, the plan, applying it, and adopting."""

import pytest

from tests.console.conftest import Browser
from tests.console.documents import NAME
from tests.console.html import hidden, text_of
from tests.console.stub import StubApi

HERE = f"/environments/{NAME}"


def test_a_declaration_is_planned_then_applied(browser: Browser, api: StubApi) -> None:
    form = browser.get("/declare")
    assert 'value="standard" checked' in form
    fields: dict[str, str | list[str]] = {
        "name": "new-one",
        "account_id": "",
        "profile": "scoped",
        "parameter.scoped.buckets": "lake\r\nraw-*\r\n",
        "parameter.scoped.cost_center": "4711",
        "parameter.scoped.kms_keys": "",
        "tag_key": ["team", "", "a=b"],
        "tag_value": ["datalake", "left out", 'quote " and </script>'],
        "on_extras": "report",
        "deletion_protection": "on",
    }
    page = browser.post("/declare/plan", **fields).text
    declaration = {
        "on_extras": "report",
        "profile": "scoped",
        "parameters": {"buckets": ["lake", "raw-*"], "cost_center": "4711"},
        "tags": {"team": "datalake", "a=b": 'quote " and </script>'},
        "deletion_protection": True,
    }
    path = "/environments/new-one"
    assert api.changing == [("PUT", path, {**declaration, "dry_run": True, "wait": 0})]
    assert "create_role" in page
    sent = {name: hidden(page, name) for name in ("name", "account_id", "declaration")}
    applied = browser.post("/declare/apply", **sent).text
    assert api.changing[1:] == [("PUT", path, {**declaration, "dry_run": False, "wait": 0})]
    assert "Declared: 2 changes." in text_of(applied)


def test_a_new_environment_leaves_the_defaults_to_the_api(browser: Browser, api: StubApi) -> None:
    browser.post("/declare/plan", name="new-one", profile="standard", on_extras="remove")
    [(_, _, body)] = api.changing
    assert body == {"profile": "standard", "on_extras": "remove", "dry_run": True, "wait": 0}


def test_the_form_of_one_that_exists_says_what_it_declares(browser: Browser, api: StubApi) -> None:
    page = browser.get("/declare?name=analytics-test")
    assert 'value="scoped" checked' in page
    assert ">analytics-test-*\nlake</textarea>" in page
    assert 'value="4711"' in page
    assert 'name="tag_key" value="team"' in page
    browser.post("/declare/plan", name="analytics-test", exists="true", profile="scoped")
    [(_, _, body)] = api.changing
    assert body is not None
    assert (body["tags"], body["parameters"]) == ({}, {}), "what was emptied is emptied"


def test_protection_is_never_lowered_by_the_form(browser: Browser, api: StubApi) -> None:
    page = browser.get("/declare?name=mlops-prod")
    assert hidden(page, "is_protected") == "true"
    assert 'name="deletion_protection"' not in page
    browser.post("/declare/plan", name="mlops-prod", exists="true", is_protected="true")
    [(_, _, body)] = api.changing
    assert body is not None
    assert body["deletion_protection"] is True


def test_adopting_is_planned_first_and_keeps_the_declaration(
    browser: Browser, api: StubApi
) -> None:
    page = browser.post("/declare/adopt", name=NAME, account_id="").text
    assert "Adopt: 3 changes" in page
    sent = {name: hidden(page, name) for name in ("name", "account_id", "declaration", "adopt")}
    assert "Adopted: 3 changes." in text_of(browser.post("/declare/apply", **sent).text)
    path = f"{HERE}/adopt"
    assert api.changing == [
        ("POST", path, {"dry_run": True, "wait": 0}),
        ("POST", path, {"dry_run": False, "wait": 0}),
    ]


def test_a_declaration_needs_a_name(browser: Browser, api: StubApi) -> None:
    answer = browser.post("/declare/plan", name=" ", profile="standard")
    assert answer.status_code == 422
    assert "A name is needed." in answer.text
    assert not api.changing


@pytest.mark.parametrize("declaration", ["", "[]", "{"])
def test_a_damaged_declaration_is_not_applied(
    browser: Browser, api: StubApi, declaration: str
) -> None:
    fields = {"name": "new-one", "account_id": "", "declaration": declaration}
    assert browser.post("/declare/apply", **fields).status_code == 400
    assert not api.calls
