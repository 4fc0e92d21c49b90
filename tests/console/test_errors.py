"""An API that is slow, throttled, forbids, is busy or gone: the page says what to do next."""

import pytest

from tests.console.conftest import Browser
from tests.console.documents import NAME
from tests.console.html import hidden, text_of
from tests.console.stub import StubApi
from trivet.errors import Problem, Unreachable

HERE = f"/environments/{NAME}"


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (
            Problem(404, "Not Found", "There is no environment nobody."),
            404,
            "no environment nobody",
        ),
        (Problem(403, "Forbidden", "Forbidden"), 403, "execute-api:Invoke"),
        (Problem(429, "Too Many Requests", "Too Many Requests"), 429, "a few seconds"),
        (Problem(503, "AWS is throttling", "Incomplete.", retry_after=7), 503, "again in 7 s"),
        (Problem(500, "Unreadable record", "environment#x"), 500, "environment#x"),
        (Unreachable("https://api gave no answer within 35 s. Try again."), 502, "within 35 s"),
    ],
)
def test_an_error_says_what_to_do(
    browser: Browser, api: StubApi, error: Exception, status: int, said: str
) -> None:
    api.answers["GET", HERE] = error
    page = browser.get(HERE, status)
    assert said in text_of(page)
    assert f'href="{HERE}">Try again' in page
    assert "Traceback" not in page


def test_a_busy_environment_can_be_tried_again_as_it_was_sent(
    browser: Browser, api: StubApi
) -> None:
    detail = "alice holds it since 2026-11-24T22:00:00Z."
    api.answers["POST", f"{HERE}/pause"] = Problem(409, "Busy", detail, retry_after=5)
    answer = browser.post(f"{HERE}/pause", hours="4", reason="a <b>")
    assert answer.status_code == 409
    said = text_of(answer.text)
    assert detail in said
    assert "again in 5 s" in said
    assert hidden(answer.text, "reason") == "a <b>"
    assert hidden(answer.text, "hours") == "4"
    assert f'action="{HERE}/pause"' in answer.text
    assert answer.text.count('name="form_token"') == 1


def test_invalid_fields_are_told_beside_them_and_nothing_typed_is_lost(
    browser: Browser, api: StubApi
) -> None:
    errors = [
        {"field": "name", "message": "At most 33 characters."},
        {"field": "parameters.buckets", "message": "Each fits [a-z0-9*.-]{3,63}."},
        {"field": "tags", "message": "The key owner may not be set."},
    ]
    api.answers["PUT", "/environments/new-one"] = Problem(422, "Invalid", "3 fields", errors)
    fields = {
        "name": "new-one",
        "profile": "scoped",
        "parameter.scoped.buckets": "NO",
        "tag_key": "owner",
        "tag_value": "me",
    }
    answer = browser.post("/declare/plan", **fields)
    assert answer.status_code == 422
    page = answer.text
    assert page.count("At most 33 characters.") == 2
    assert page.count("The key owner may not be set.") == 2
    assert "<li>Each fits [a-z0-9*.-]{3,63}.</li></ul>" in page
    assert ">NO</textarea>" in page
    assert 'name="tag_value" value="me"' in page


def test_a_conflict_while_planning_says_what_is_in_the_way(browser: Browser, api: StubApi) -> None:
    detail = (
        "The role new-one-SageMaker exists without Trivet's tags; POST .../adopt takes it over."
    )
    api.answers["PUT", "/environments/new-one"] = Problem(409, "Foreign resources", detail)
    answer = browser.post("/declare/plan", name="new-one", profile="standard")
    assert answer.status_code == 409
    assert detail in text_of(answer.text)


@pytest.mark.parametrize(("path", "status"), [("/none", 404), ("/environments/a/b/c/d", 404)])
def test_a_page_that_is_not_there_is_told(browser: Browser, path: str, status: int) -> None:
    assert "told by the console itself" in browser.get(path, status)


def test_a_form_longer_than_any_declaration_is_refused(browser: Browser, api: StubApi) -> None:
    assert browser.post("/declare/plan", name="x" * 200_000).status_code == 413
    assert not api.calls


def test_a_defect_of_the_console_tells_no_traceback(browser: Browser, api: StubApi) -> None:
    api.answers["GET", HERE] = RuntimeError("a secret of the inside")
    browser.app.config["PROPAGATE_EXCEPTIONS"] = False
    page = browser.get(HERE, 500)
    assert "The console has a defect" in page
    assert "secret of the inside" not in page
