"""Child processes that never outlive their parent.

The parent keeps the write end of a pipe to the child's standard input; the child watches the
read end and exits at end of file. However the parent ends, SIGKILL included, the kernel closes
the pipe and the child follows. Children get a session of their own, so that Ctrl-C in a terminal
reaches the parent alone, and it decides in which order things end.
"""

import importlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

REPOSITORY = Path(__file__).resolve().parent.parent
SECONDS_TO_END = 5
LINES_OF_LOG_IN_ERRORS = 15


class ChildError(RuntimeError):
    """A child process did not start, or ended before it was asked to."""


@contextmanager
def child_process(
    entry_point: str,
    *arguments: str,
    environment: Mapping[str, str],
    stdout: int | IO[str] | None = None,
    stderr: int | IO[str] | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """Run a Python function as a process of its own for as long as the context lasts.

    Args:
        entry_point: `module:function`; the function takes no arguments.
        arguments: what the function finds in `sys.argv[1:]`.
        environment: the whole environment of the child.
        stdout: as for `subprocess.Popen`.
        stderr: as for `subprocess.Popen`.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.child", entry_point, *arguments],
        cwd=REPOSITORY,
        env=dict(environment) | {"PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        text=True,
    )
    try:
        yield process
    finally:
        _end(process)


def end_of_log(log: IO[str]) -> str:
    """Return the last lines that a child wrote to its log file, for an error message."""
    log.seek(0)
    return "".join(f"\n  {line.rstrip()}" for line in log.readlines()[-LINES_OF_LOG_IN_ERRORS:])


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _exit_at_end_of_input() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os._exit(0)


def _main() -> None:
    entry_point, *arguments = sys.argv[1:]
    threading.Thread(target=_exit_at_end_of_input, daemon=True).start()
    module_name, _, function_name = entry_point.partition(":")
    sys.argv = [entry_point, *arguments]
    sys.exit(getattr(importlib.import_module(module_name), function_name)())


if __name__ == "__main__":
    _main()
