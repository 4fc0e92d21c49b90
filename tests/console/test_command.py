"""`trivet console`: where it listens, what it prints, what it says when it cannot."""

import socket
from typing import Any

import pytest
import waitress
from click.testing import CliRunner

from tests.console.stub import URL
from trivet.console.command import console


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the command gave the server, in place of serving."""
    given: dict[str, Any] = {}

    def serve(app: Any, sockets: list[socket.socket], **_: Any) -> None:
        given.update(app=app, address=sockets[0].getsockname())

    monkeypatch.setattr(waitress, "serve", serve)
    return given


def test_it_listens_on_loopback_and_prints_the_url_with_its_token(served: dict[str, Any]) -> None:
    result = CliRunner().invoke(console, ["--url", URL, "--port", "0"])
    assert result.exit_code == 0, result.output
    host, port = served["address"]
    assert host == "127.0.0.1"
    [url] = [word for word in result.output.split() if word.startswith("http://")]
    assert url.startswith(f"http://127.0.0.1:{port}/?token=")
    headers = {"Host": f"127.0.0.1:{port}"}
    answer = served["app"].test_client().get(url.partition(str(port))[2], headers=headers)
    assert answer.status_code == 303
    assert f"The console of {URL}, until Ctrl-C:" in result.output


def test_a_port_in_use_is_told_with_what_to_do(served: dict[str, Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(console, ["--url", URL, "--port", port])
    assert result.exit_code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in result.output
    assert "choose another port with --port" in result.output
    assert not served


def test_without_an_api_it_says_how_to_name_one(
    served: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRIVET_URL", raising=False)
    result = CliRunner().invoke(console, [])
    assert result.exit_code == 2
    assert "TRIVET_URL" in result.output
    assert not served
