"""A stub of the API, and the command line against it."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner

from tests.cli.stub import Stub
from trivet import progress
from trivet.main import main


@dataclass(frozen=True)
class Ran:
    """What a command did: its exit code, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Trivet = Callable[..., Ran]


@pytest.fixture
def stub() -> Iterator[Stub]:
    found = Stub()
    yield found
    found.close()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that progress made, none of which took time."""
    found: list[float] = []
    monkeypatch.setattr(progress, "sleep", found.append)
    return found


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times are shown in the zone of the machine: this one is in UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def trivet(stub: Stub, utc: None, pauses: list[float]) -> Trivet:
    """Run a command against the stub, in this process."""
    runner = CliRunner()

    def run(*args: str, **env: str | None) -> Ran:
        result = runner.invoke(main, args, prog_name="trivet", env={"TRIVET_URL": stub.url, **env})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run
