"""The console over the API itself, over AWS in memory: what an operator does in a day."""

from collections.abc import Iterator

import pytest

from tests.console.conftest import PORT, Browser
from tests.console.html import hidden, text_of
from tests.kit.drifts import named
from tests.kit.edge import edge
from tests.kit.names import ACCOUNT, NAME
from tests.kit.world import World
from trivet.api import Api
from trivet.console.app import create_app
from trivet.console.guard import Guard

HERE = f"/environments/{NAME}"


@pytest.fixture
def browser(world: World) -> Iterator[Browser]:
    guard = Guard(PORT)
    with edge(world) as url:
        found = Browser(create_app(Api(url), guard), guard)
        found.sign_in()
        yield found


def test_declared_drifted_repaired_and_looked_at(browser: Browser, world: World) -> None:
    assert 'value="standard" checked' in browser.get("/declare")
    page = browser.post("/declare/plan", name=NAME, profile="scoped", on_extras="remove").text
    assert f"Plan for {NAME}" in text_of(page)
    assert world.get(HERE).status == 404
    sent = {name: hidden(page, name) for name in ("name", "account_id", "declaration")}
    assert "Declared: " in text_of(browser.post("/declare/apply", **sent).text)
    world.finish()
    assert f"{NAME} ready in sync succeeded scoped" in text_of(browser.get("/environments"))
    page = browser.get(HERE)
    assert "notebook no AWS managed policies own policies: " in text_of(page)
    assert page.count("services of its own policies: ") == 3  # in the picture

    named("managed_policy_attached").on(NAME, "notebook")
    page = browser.get(f"{HERE}/drift")
    assert "AdministratorAccess" in page
    assert "widened" in page
    assert "Reapplied: 1 change." in text_of(browser.post(f"{HERE}/reapply").text)
    assert "AdministratorAccess" not in browser.get(f"{HERE}/drift")

    history = text_of(browser.get(f"{HERE}/history"))
    assert "create" in history
    assert "reapply" in history
    run = browser.post("/drift-runs", apply="true")
    assert run.status_code == 303
    assert "Checked 1 In sync 1 Drifted 0" in text_of(browser.get(run.headers["Location"]))
    assert run.headers["Location"] in browser.get("/drift-runs")
    assert ACCOUNT in text_of(browser.get("/accounts"))
    assert "connected" in text_of(browser.get(f"/accounts/{ACCOUNT}"))
