"""`make serve`: the API on this machine over the embedded AWS, until Ctrl-C."""

import argparse
import signal
import sys
from types import FrameType
from typing import NoReturn

from tools.child import ChildError
from tools.embedded_aws import embedded_aws
from tools.local_api import local_api
from tools.local_http import is_free

EXAMPLE = """\
  curl -s -X POST {url}/environments \\
    -H 'Content-Type: application/json' \\
    -d '{{"name": "datalake-consumer-dev", "tags": {{"team": "datalake"}}}}'"""


class _StopRequested(BaseException):
    """SIGINT or SIGTERM came; derives from BaseException so that nothing else catches it."""


def serve(port: int) -> int:
    """Serve until SIGINT or SIGTERM; return the exit status."""
    if not is_free(port):
        print(
            f"make serve: port {port} is in use; choose another with make serve PORT=<number>",
            file=sys.stderr,
        )
        return 1
    for stop_signal in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop_signal, _stop)
    try:
        with embedded_aws() as aws, local_api(aws.environment, port) as (url, process):
            print(f"\nTrivet listens on {url}, over an embedded AWS at {aws.endpoint}.")
            print("Everything is kept in memory and is gone when this ends (Ctrl-C). Try:\n")
            print(EXAMPLE.format(url=url), end="\n\n", flush=True)
            status = process.wait()
    except _StopRequested:
        print("\nStopped.")
        return 0
    except ChildError as error:
        print(f"make serve: {error}", file=sys.stderr)
        return 1
    print(f"make serve: chalice local ended with exit status {status}", file=sys.stderr)
    return 1


def _stop(_signal_number: int, _frame: FrameType | None) -> NoReturn:
    for stop_signal in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop_signal, signal.SIG_IGN)
    raise _StopRequested


def _port(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port number (1 to 65535)")
    return int(text)


def _main() -> int:
    parser = argparse.ArgumentParser(prog="make serve", description=__doc__)
    parser.add_argument("--port", type=_port, default=8000)
    return serve(parser.parse_args().port)


if __name__ == "__main__":
    sys.exit(_main())
