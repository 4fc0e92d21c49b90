"""JSON over HTTP to servers on this machine, and the ports they listen on."""

import json
import socket
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Answer:
    """What a server answered; `body` is the parsed JSON, or None when there was none."""

    status: int
    reason: str
    body: Any


class NoAnswerError(RuntimeError):
    """The server could not be reached, or broke off."""


def send(
    method: str, url: str, body: dict[str, Any] | None = None, timeout_seconds: float = 60
) -> Answer:
    """Send one JSON request and return the answer, whatever its status.

    Connects directly: proxy settings of the environment do not apply to this machine.

    Raises:
        NoAnswerError: when no answer came, or one that is not JSON.
    """
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    connection = HTTPConnection(parts.netloc, timeout=timeout_seconds)
    try:
        connection.request(
            method,
            target or "/",
            body=None if body is None else json.dumps(body),
            headers={"Content-Type": "application/json"} if body is not None else {},
        )
        response = connection.getresponse()
        content = response.read()
        return Answer(response.status, response.reason, json.loads(content) if content else None)
    except (OSError, HTTPException, ValueError) as error:
        raise NoAnswerError(f"no answer to {method} {url}: {error}") from error
    finally:
        connection.close()


def free_port() -> int:
    """Return a port of this machine that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Return whether a server could listen on this port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
