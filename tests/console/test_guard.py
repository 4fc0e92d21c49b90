"""Who gets nothing: a page of another origin, a rebound host name, whoever lacks the token."""

import pytest

from tests.console.conftest import HOST, Browser
from tests.console.documents import NAME
from tests.console.stub import StubApi
from trivet.console.guard import Guard

PAGES = ["/", "/environments", f"/environments/{NAME}", "/declare", "/static/console.css", "/none"]
REAPPLY = f"/environments/{NAME}/reapply"


def test_the_token_becomes_a_cookie_and_leaves_the_address_bar(stranger: Browser) -> None:
    answer = stranger.sign_in()
    cookie = answer.headers["Set-Cookie"]
    assert (answer.status_code, answer.headers["Location"]) == (303, "/environments")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert stranger.guard.token not in cookie
    assert stranger.get("/environments")


@pytest.mark.parametrize("path", PAGES)
def test_without_the_token_nothing_is_told(stranger: Browser, api: StubApi, path: str) -> None:
    answer = stranger.send("GET", path, site="none")
    assert answer.status_code == 403
    assert "trivet console" in answer.text
    assert not api.calls


@pytest.mark.parametrize("token", ["", "wrong", "ü"])
def test_a_wrong_token_gives_no_cookie(stranger: Browser, token: str) -> None:
    answer = stranger.send("GET", f"/?token={token}", site="none")
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


def test_a_wrong_cookie_is_no_cookie(stranger: Browser) -> None:
    stranger.client.set_cookie(stranger.guard.cookie, stranger.guard.token, domain="127.0.0.1")
    assert stranger.send("GET", "/environments").status_code == 403


@pytest.mark.parametrize("path", [*PAGES, "/?token={token}"])
@pytest.mark.parametrize(
    "host", ["evil.example:8765", "evil.example", "127.0.0.1", "127.0.0.1:80", "localhost:8766", ""]
)
def test_a_rebound_host_name_gets_nothing(
    browser: Browser, api: StubApi, host: str, path: str
) -> None:
    cookie = browser.client.get_cookie(browser.guard.cookie, domain="127.0.0.1")
    assert cookie is not None
    headers = {"Host": host, "Cookie": f"{cookie.key}={cookie.value}"}
    path = path.format(token=browser.guard.token)
    answer = browser.send("GET", path, headers=headers)
    assert answer.status_code == 400
    assert "Set-Cookie" not in answer.headers
    assert not api.calls


def test_localhost_is_the_console_too(stranger: Browser) -> None:
    headers = {"Host": "localhost:8765"}
    path = f"/?token={stranger.guard.token}"
    assert stranger.send("GET", path, "none", headers=headers).status_code == 303


@pytest.mark.parametrize(
    ("site", "origin"),
    [
        ("cross-site", "https://evil.example"),
        ("cross-site", "null"),
        ("same-site", "http://127.0.0.1:3000"),
        ("same-site", None),
        ("none", None),
        (None, None),
        (None, "null"),
        (None, "http://localhost:8765"),
        ("same-origin", "https://evil.example"),
    ],
)
def test_a_page_of_another_origin_changes_nothing(
    browser: Browser, api: StubApi, site: str | None, origin: str | None
) -> None:
    given = {"Host": HOST, "Sec-Fetch-Site": site, "Origin": origin}
    headers = {name: value for name, value in given.items() if value is not None}
    data = {"form_token": browser.guard.form_token}
    answer = browser.client.post(REAPPLY, headers=headers, data=data)
    assert answer.status_code == 403
    assert not api.calls


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_of_another_origin_reads_nothing(browser: Browser, api: StubApi, site: str) -> None:
    assert browser.send("GET", "/environments", site).status_code == 403
    assert not api.calls


@pytest.mark.parametrize(
    ("site", "origin"),
    [("same-origin", "null"), ("same-origin", None), (None, f"http://{HOST}")],
)
def test_its_own_form_passes(
    browser: Browser, api: StubApi, site: str | None, origin: str | None
) -> None:
    given = {"Host": HOST, "Sec-Fetch-Site": site, "Origin": origin}
    headers = {name: value for name, value in given.items() if value is not None}
    data = {"form_token": browser.guard.form_token}
    assert browser.client.post(REAPPLY, headers=headers, data=data).status_code == 200
    assert [each.path for each in api.calls] == [REAPPLY]


@pytest.mark.parametrize("data", [{}, {"form_token": "wrong"}, {"form_token": "ü"}])
def test_a_form_without_its_token_changes_nothing(
    browser: Browser, api: StubApi, data: dict[str, str]
) -> None:
    assert browser.send("POST", REAPPLY, data=data).status_code == 403
    assert not api.calls


@pytest.mark.parametrize("path", ["/environments", "/none", f"/environments/{NAME}/drift"])
def test_every_answer_has_the_security_headers(browser: Browser, path: str) -> None:
    stranger = Browser(browser.app, browser.guard)
    for answer in (browser.send("GET", path), stranger.send("GET", path)):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_every_form_that_changes_something_has_the_form_token(browser: Browser) -> None:
    for path in (f"/environments/{NAME}", f"/environments/{NAME}/drift", "/declare", "/accounts"):
        forms = browser.get(path).split("<form")[1:]
        posts = [form for form in forms if 'method="post"' in form.split(">")[0]]
        assert posts
        assert all(browser.guard.form_token in form.split("</form>")[0] for form in posts)


def test_secrets_are_new_for_every_console() -> None:
    first, second = Guard(8765), Guard(8765)
    assert len({first.token, second.token, first.form_token, second.form_token}) == 4
    assert first.url == f"http://{HOST}/?token={first.token}"
