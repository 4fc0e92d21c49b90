"""The console in headless Chromium: its look, what axe-core finds, what an attacker gets.

Skipped where there is no Chromium (Debian: `apt-get install chromium`). With SCREENSHOTS set to a
folder, a picture of every page is left there.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.console import chromium, documents
from tests.console.chromium import EVIL, Console
from tests.console.documents import MEMBER, NAME, RUN_ID
from tests.console.stub import StubApi
from trivet.console import pages
from trivet.errors import Problem

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.EXECUTABLE is None, reason="there is no chromium on this machine"),
]

HERE = f"/environments/{NAME}"
PAGES = {
    "environments": "/environments",
    "environment": HERE,
    "drift": f"{HERE}/drift",
    "history": f"{HERE}/history",
    "declare-change": "/declare?name=analytics-test",
    "delete": f"{HERE}/delete",
    "drift-runs": "/drift-runs",
    "drift-run": f"/drift-runs/{RUN_ID}",
    "accounts": "/accounts",
    "account": f"/accounts/{MEMBER}",
    "error": "/environments/nobody",
}
IN_OTHER_STATES = {
    "environment-pending": "/environments/notebook-lab?refresh=off",
    "drift-none": "/environments/mlops-prod/drift",
    "declare": "/declare",
    "unprotect": "/environments/mlops-prod/unprotect",
    "drift-run-running": "/drift-runs/running-1?refresh=off",
    "drift-run-stopped": "/drift-runs/stopped-1",
}
LOOKS: dict[tuple[int, str], tuple[str, ...]] = {
    (360, "dark"): (),
    # What depends on width or colours; the rest was found in the other look.
    (1280, "light"): ("color-contrast", "scrollable-region-focusable"),
}
"""Width and scheme, with the rules that axe-core is to go by: all, where none is named."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = chromium.launched(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def served() -> Iterator[Console]:
    with chromium.served(StubApi()) as console:
        yield console


@pytest.fixture
def console(served: Console) -> Console:
    """The console, over a stub that is as new."""
    served.api.forget()
    return served


@dataclass
class Seen:
    """A browser's page that is signed in, and what it asked for elsewhere or complained of."""

    page: Page
    foreign: list[str] = field(default_factory=list)
    amiss: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def signed_in(browser: Browser, served: Console) -> Iterator[Seen]:
    context = browser.new_context()
    seen = Seen(context.new_page())
    context.on(
        "request",
        lambda each: None if each.url.startswith(served.url) else seen.foreign.append(each.url),
    )
    context.on(
        "console", lambda each: seen.amiss.append(each.text) if each.type == "error" else None
    )
    context.on("weberror", lambda each: seen.amiss.append(str(each.error)))
    seen.page.goto(f"{served.url}/?token={served.guard.token}")
    assert seen.page.url == f"{served.url}/environments"
    yield seen
    context.close()


@pytest.fixture
def page(signed_in: Seen, console: Console) -> Iterator[Page]:
    """A page that is signed in; all it asks for is the console's, and nothing is amiss."""
    show(signed_in.page, (1280, "light"))
    yield signed_in.page
    signed_in.page.goto("about:blank")
    foreign, amiss = signed_in.foreign[:], signed_in.amiss[:]
    signed_in.foreign.clear()
    signed_in.amiss.clear()
    assert not foreign
    assert not [each for each in amiss if "status of 4" not in each]


def show(page: Page, look: tuple[int, str]) -> None:
    width, scheme = look
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")


def keep_picture(page: Page, name: str, look: tuple[int, str]) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        path = Path(folder) / f"{name}-{look[0]}-{look[1]}.png"
        page.screenshot(path=path, full_page=True)


def check_looks(page: Page, name: str) -> None:
    for look, rules in LOOKS.items():
        show(page, look)
        keep_picture(page, name, look)
        assert chromium.overflowing(page) == [], look
        assert chromium.serious(page, *rules) == [], look


@pytest.mark.parametrize("name", PAGES)
def test_every_page_fits_and_can_be_read(console: Console, page: Page, name: str) -> None:
    page.goto(console.url + PAGES[name])
    check_looks(page, name)


@pytest.mark.soak
@pytest.mark.parametrize("name", IN_OTHER_STATES)
def test_every_state_fits_and_can_be_read(console: Console, page: Page, name: str) -> None:
    page.goto(console.url + IN_OTHER_STATES[name])
    check_looks(page, name)


def test_declaring_shows_the_plan_first(console: Console, page: Page) -> None:
    page.goto(f"{console.url}/declare")
    buckets = page.get_by_label("buckets")
    assert not buckets.is_visible()
    page.get_by_label("Name", exact=True).fill("new-one")
    page.get_by_label("scoped", exact=True).check()
    buckets.fill("lake\nraw-*")
    page.get_by_label("Key of tag 1").fill("team")
    page.get_by_label("Value of tag 1").fill("datalake")
    page.get_by_role("button", name="Show the plan").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Plan for new-one"
    check_looks(page, "plan")
    assert [each[0] for each in console.api.changing] == ["PUT"]
    page.get_by_role("button", name="Apply: 2 changes").click()
    assert "Declared: 2 changes." in page.get_by_role("status").inner_text()
    check_looks(page, "applied")
    bodies = [body for _, _, body in console.api.changing]
    assert [body and body["dry_run"] for body in bodies] == [True, False]
    assert bodies[1] is not None
    assert bodies[1]["parameters"] == {"buckets": ["lake", "raw-*"]}


def test_mistakes_are_told_beside_their_fields(console: Console, page: Page) -> None:
    long = "At most 33 characters, small letters, digits and hyphens."
    errors = [{"field": "name", "message": long}, {"field": "tags.owner", "message": "Not yours."}]
    console.api.answers["PUT", "/environments/UPPER"] = Problem(422, "Invalid", "", errors)
    page.goto(f"{console.url}/declare")
    name = page.get_by_label("Name", exact=True)
    name.fill("UPPER")
    page.get_by_role("button", name="Show the plan").click()
    assert "Not planned yet" in page.get_by_role("alert").inner_text()
    assert (name.input_value(), name.get_attribute("aria-invalid")) == ("UPPER", "true")
    assert page.locator("#name-mistakes").inner_text() == long
    assert "name-mistakes" in (name.get_attribute("aria-describedby") or "")
    check_looks(page, "declare-mistakes")


def test_drift_is_shown_and_put_back(console: Console, page: Page) -> None:
    page.goto(console.url + HERE)
    page.get_by_role("link", name="See what differs").click()
    assert "iam:CreateUser" in "".join(page.locator("del").all_inner_texts())
    page.get_by_role("button", name="Reapply").click()
    assert "Reapplied: 3 changes." in page.get_by_role("status").inner_text()
    assert console.api.changing == [("POST", f"{HERE}/reapply", {"wait": 0})]


def test_deleting_asks_for_the_name(console: Console, page: Page) -> None:
    page.goto(console.url + HERE)
    page.get_by_role("link", name="Delete …").click()
    page.get_by_label("Type the name").fill(NAME)
    page.get_by_role("button", name=f"Delete {NAME}").click()
    assert page.get_by_role("status").inner_text() == "Deleted. Its history is kept."
    check_looks(page, "deleted")


def test_a_run_under_way_is_followed_to_its_end(
    console: Console, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_REFRESH", 1)
    page.goto(f"{console.url}/drift-runs")
    page.get_by_role("button", name="Preview").click()
    page.get_by_text("120 environments checked so far").wait_for()
    finished = documents.report(id="running-1", applied=False)
    console.api.answers["GET", "/drift-runs/running-1"] = finished
    page.get_by_text("attaching AmazonS3FullAccess").wait_for(timeout=20_000)
    assert page.get_by_text("checked so far").count() == 0


def test_an_arn_is_copied(console: Console, page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(console.url + HERE)
    page.get_by_role("button", name="Copy the ARN of notebook").click()
    page.get_by_text("Copied").wait_for()
    arn = documents.environment()["roles"]["notebook"]["arn"]
    assert page.evaluate("navigator.clipboard.readText()") == arn


def test_the_keyboard_reaches_the_content_at_once(console: Console, page: Page) -> None:
    page.goto(f"{console.url}/environments")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Declare one"


@pytest.mark.parametrize("host", ["127.0.0.1", EVIL])
def test_an_attackers_page_gets_nothing(browser: Browser, console: Console, host: str) -> None:
    target = f"{console.url}{HERE}"
    content = f"""<iframe src="{target}"></iframe><img src="{target}">
        <script src="{target}"></script>
        <form method="post" action="{target}/reapply"><button>Win</button></form>"""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{console.url}/?token={console.guard.token}")
    console.api.forget()
    with chromium.attacker(content) as port:
        page.goto(f"http://{host}:{port}/")
        for mode in ("no-cors", "cors"):
            attack = (
                f"fetch('{target}/reapply', {{method: 'POST', credentials: 'include', "
                f"mode: '{mode}'}}).then(answer => answer.type, () => 'failed')"
            )
            assert page.evaluate(attack) in ("opaque", "failed")
        page.get_by_role("button", name="Win").click()
        assert page.url == f"{target}/reapply"
        assert page.locator("body").inner_text().strip() in (
            "The console answers to its own pages only.",
            "Open the URL that trivet console printed; it is good until the console ends.",
        )
    context.close()
    assert not console.api.calls


def test_a_rebound_host_name_gets_nothing(browser: Browser, console: Console) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{console.url}/?token={console.guard.token}")
    console.api.forget()
    rebound = console.url.replace("127.0.0.1", EVIL)
    for path in ("/environments", f"/?token={console.guard.token}"):
        answer = page.goto(rebound + path)
        assert answer is not None
        assert answer.status == 400
        assert page.locator("body").inner_text().startswith("The console answers to 127.0.0.1:")
    context.close()
    assert not console.api.calls
