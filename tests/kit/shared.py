"""Things that take seconds to make, made once for all worker processes of a test run."""

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(
    factory: pytest.TempPathFactory, worker_id: str, name: str, make: Callable[[Path], None]
) -> Path:
    """Return the path of this name in the run's folder, made by whichever worker comes first.

    Args:
        worker_id: pytest-xdist's fixture of that name.
        make: makes a file or folder at the path that it is given.
    """
    base = factory.getbasetemp()
    folder = base if worker_id == "master" else base.parent
    path = folder / name
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            unfinished = folder / f"{name}.unfinished"
            make(unfinished)
            unfinished.rename(path)
    return path
