"""An HTTP API that answers what a test tells it to, and remembers what it was asked."""

import json
import threading
from collections import defaultdict, deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request; `target` is method and path, as in "GET /environments"."""

    target: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str]


@dataclass
class Given:
    """An answer: JSON, or bytes as they are. After `release` is set, where there is one."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    release: threading.Event | None = None


class Stub:
    """The API of a test. What no test said is answered as API Gateway answers: 403."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._given: dict[str, deque[Given]] = defaultdict(deque)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def on(
        self,
        target: str,
        body: Any,
        status: int = 200,
        headers: dict[str, str] | None = None,
        release: threading.Event | None = None,
    ) -> None:
        """Answer a request so; several answers are given in turn, the last again and again."""
        self._given[target].append(Given(status, body, headers or {}, release))

    def targets(self) -> list[str]:
        return [each.target for each in self.asked]

    def answer(self, asked: Asked) -> Given:
        self.asked.append(asked)
        given = self._given.get(asked.target)
        if not given:
            return Given(403, {"message": "Missing Authentication Token"})
        return given.popleft() if len(given) > 1 else given[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do(self) -> None:
                parts = urlsplit(self.path)
                content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                asked = Asked(
                    f"{self.command} {parts.path}",
                    dict(parse_qsl(parts.query)),
                    json.loads(content) if content else None,
                    {name.lower(): value for name, value in self.headers.items()},
                )
                self.send(stub.answer(asked))

            do_GET = do_POST = do_PUT = do_DELETE = do  # noqa: N815

            def send(self, given: Given) -> None:
                if given.release is not None:
                    given.release.wait(10)
                body = given.body if isinstance(given.body, bytes) else json.dumps(given.body)
                content = body if isinstance(body, bytes) else body.encode()
                self.send_response(given.status)
                for name, value in given.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
