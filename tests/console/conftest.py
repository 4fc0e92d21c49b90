"""The console over a stub of the API, as the operator's own browser sees it."""

from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.console.stub import StubApi
from trivet.console.app import create_app
from trivet.console.guard import Guard

PORT = 8765
HOST = f"127.0.0.1:{PORT}"


@dataclass
class Browser:
    """A browser that has opened the URL which the console printed."""

    app: Flask
    guard: Guard

    def __post_init__(self) -> None:
        self.client = self.app.test_client()

    def sign_in(self) -> TestResponse:
        return self.send("GET", f"/?token={self.guard.token}", site="none")

    def send(
        self, method: str, path: str, site: str = "same-origin", **kwargs: Any
    ) -> TestResponse:
        headers = {"Host": HOST, "Sec-Fetch-Site": site} | kwargs.pop("headers", {})
        return self.client.open(path, method=method, headers=headers, **kwargs)

    def get(self, path: str, status: int = 200) -> str:
        """Return a page's HTML."""
        answer = self.send("GET", path)
        assert answer.status_code == status, answer.text
        return answer.text

    def post(self, path: str, **fields: str | list[str]) -> TestResponse:
        """Send a form of the console's, as browsers do under its referrer policy."""
        data = {**fields, "form_token": self.guard.form_token}
        return self.send("POST", path, data=data, headers={"Origin": "null"})


@pytest.fixture
def api() -> StubApi:
    return StubApi()


@pytest.fixture
def stranger(api: StubApi) -> Browser:
    """A browser that has not opened the URL with the token."""
    guard = Guard(PORT)
    return Browser(create_app(api, guard), guard)


@pytest.fixture
def browser(stranger: Browser) -> Browser:
    stranger.sign_in()
    return stranger
