"""The API as `chalice local` serves it, in a child process."""

import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from subprocess import Popen
from typing import IO

from tools.child import ChildError, child_process
from tools.local_http import HOST, Answer, NoAnswerError, free_port, is_free, send

SECONDS_TO_START = 30
SECONDS_BETWEEN_LOOKS = 0.1


@contextmanager
def local_api(
    environment: Mapping[str, str],
    port: int = 0,
    log: IO[str] | None = None,
    *,
    show_requests: bool = False,
) -> Iterator[tuple[str, Popen[str]]]:
    """Serve the API for as long as the context lasts; yield its URL and its process.

    Args:
        environment: the whole environment of the server, AWS settings included.
        port: the port to listen on at 127.0.0.1; 0 takes a free one.
        log: where the server's output goes; by default to this process's own.
        show_requests: whether the line per request goes to this process's own output nevertheless.

    Raises:
        ChildError: when `GET /health` is not answered with 200 within 30 seconds.
    """
    if port and not is_free(port):
        raise ChildError(f"port {port} is in use")
    port = port or free_port()
    url = f"http://{HOST}:{port}"
    with child_process(
        "tools.local_api:serve_chalice",
        *("local", "--no-autoreload", "--host", HOST, "--port", str(port)),
        environment=environment,
        stdout=None if show_requests else log,
        stderr=log,
    ) as process:
        _wait_until_healthy(url, process)
        yield url, process


def serve_chalice() -> None:
    """Run the `chalice` command with `sys.argv`; the entry point of the child."""
    from chalice.cli import main
    from chalice.local import ChaliceRequestHandler, ThreadedHTTPServer

    # Standard output keeps the line per request alone; logs and metrics go beside it.
    requests = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def tell(handler: ChaliceRequestHandler, code: object = "-", _size: object = "-") -> None:
        told = f"{time.strftime('%H:%M:%S')}  {handler.command} {handler.path}  {code}"
        print(told, file=requests)

    setattr(ChaliceRequestHandler, "log_request", tell)  # noqa: B010  # mypy allows no assignment

    # Python's five would have the kernel reset some of many connections that come at once.
    ThreadedHTTPServer.request_queue_size = 128
    logging.getLogger("botocore").setLevel(logging.WARNING)
    sys.exit(main())


def _wait_until_healthy(url: str, process: Popen[str]) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    seen = "no answer"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ChildError(f"chalice local ended with exit status {process.returncode}")
        answer = _health(url)
        if answer is not None and answer.status == 200:
            return
        if answer is not None:
            seen = f"{answer.status} {answer.body}"
        time.sleep(SECONDS_BETWEEN_LOOKS)
    raise ChildError(f"GET {url}/health: {seen} in {SECONDS_TO_START} s")


def _health(url: str) -> Answer | None:
    try:
        return send("GET", f"{url}/health", timeout_seconds=5)
    except NoAnswerError:
        return None
