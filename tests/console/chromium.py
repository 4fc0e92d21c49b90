"""Headless Chromium, a served console, and an attacker's site, for the browser tests."""

import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

from playwright.sync_api import Browser, Page, Playwright
from waitress import wasyncore
from waitress.server import create_server

from tests.console.stub import StubApi
from trivet.console.app import create_app
from trivet.console.guard import Guard

EXECUTABLE = shutil.which("chromium") or shutil.which("chromium-browser")
EVIL = "evil.example"
"""A host name that the browser is told to find at 127.0.0.1, as after DNS rebinding."""

_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    f"--host-resolver-rules=MAP {EVIL} 127.0.0.1",
]
_AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
_OVERFLOWING = """() => [...document.querySelectorAll("body *")]
    .filter(each => !each.closest(".picture, .hidden, .skip"))
    .filter(each => each.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
    .map(each => each.outerHTML.slice(0, 120))"""
_SERIOUS = """async rules => (await axe.run({
        resultTypes: ["violations"],
        ...(rules.length ? {runOnly: {type: "rule", values: rules}} : {}),
    })).violations
    .filter(each => ["serious", "critical"].includes(each.impact))
    .map(each => each.id + ": " + each.nodes.map(node => node.html).join(" | "))"""


@dataclass
class Console:
    """A console that is served, over a stub of the API."""

    api: StubApi
    guard: Guard
    url: str


@contextmanager
def served(api: StubApi) -> Iterator[Console]:
    """Serve a console on a free port."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    guard = Guard(port)
    server: Any = create_server(create_app(api, guard), sockets=[listening])
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield Console(api, guard, f"http://127.0.0.1:{port}")
    finally:
        # In the server's own thread, which would trip over sockets closed behind its back.
        server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map))
        thread.join(5)
        server.task_dispatcher.shutdown()
        assert not thread.is_alive()


def launched(playwright: Playwright) -> Browser:
    """Start Chromium."""
    return playwright.chromium.launch(executable_path=EXECUTABLE, args=_ARGS)


def overflowing(page: Page) -> list[str]:
    """Return the elements that reach beyond the page's right edge."""
    found: list[str] = page.evaluate(_OVERFLOWING)
    width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return [*found, *([f"the page scrolls sideways by {width} px"] if width > 0 else [])]


def serious(page: Page, *rules: str) -> list[str]:
    """Return what axe-core finds serious or critical, by all of its rules or by these."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_AXE)
    found: list[str] = page.evaluate(_SERIOUS, rules)
    return found


@contextmanager
def attacker(content: str) -> Iterator[int]:
    """Serve a page of an attacker's, on any path, and return its port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(content.encode())

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join(5)
