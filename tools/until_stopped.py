"""Servers that run in a terminal until Ctrl-C: their ports, their signals, their log files."""

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import IO, NoReturn

from tools.child import REPOSITORY, ChildError
from tools.local_http import NoAnswerError, is_free


class _StopRequested(BaseException):
    """SIGINT or SIGTERM came; derives from BaseException so that nothing else catches it."""


def run(target: str, port: int, serve: Callable[[IO[str]], int]) -> int:
    """Serve until SIGINT or SIGTERM; return the exit status.

    Args:
        target: the make target, as errors name it.
        port: where it is going to listen, at 127.0.0.1.
        serve: takes the log file, and returns the exit status of the server if that ends by itself.
    """
    if not is_free(port):
        print(
            f"make {target}: port {port} is in use; choose another with make {target} "
            "PORT=<number>",
            file=sys.stderr,
        )
        return 1
    for stop_signal in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop_signal, _stop)
    try:
        with _log_file(target, port) as log:
            status = serve(log)
    except _StopRequested:
        print("\nStopped.")
        return 0
    except (ChildError, NoAnswerError) as error:
        print(f"make {target}: {error}", file=sys.stderr)
        return 1
    print(f"make {target}: the server ended with exit status {status}", file=sys.stderr)
    return 1


def port_of_command_line(target: str, told: str | None, default: int) -> int:
    """Return the port that the command line names."""
    parser = argparse.ArgumentParser(prog=f"make {target}", description=told)
    parser.add_argument("--port", type=_port, default=default)
    port: int = parser.parse_args().port
    return port


@contextmanager
def _log_file(target: str, port: int) -> Iterator[IO[str]]:
    path = REPOSITORY / "build" / f"{target}-{port}.log"
    path.parent.mkdir(exist_ok=True)
    with path.open("w+") as log:
        yield log


def _stop(_signal_number: int, _frame: FrameType | None) -> NoReturn:
    for stop_signal in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop_signal, signal.SIG_IGN)
    raise _StopRequested


def _port(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port number (1 to 65535)")
    return int(text)
