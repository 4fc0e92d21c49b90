"""One AWS account per module: tests in it keep apart by the names of their environments."""

import io
import itertools
import os
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from chalicelib import operation, telemetry
from tests.memory import account_in_memory

from .support import CheckedApi, FakeClock, client

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def region() -> str:
    """The region of the module's account."""
    return "us-east-1"


@pytest.fixture(scope="module")
def cloud(region: str) -> Iterator[None]:
    """An AWS account in memory."""
    before = os.environ["AWS_DEFAULT_REGION"]
    os.environ["AWS_DEFAULT_REGION"] = region
    boto3.DEFAULT_SESSION = None
    client.cache_clear()
    with account_in_memory():
        yield
    boto3.DEFAULT_SESSION = None
    os.environ["AWS_DEFAULT_REGION"] = before


@pytest.fixture(scope="module")
def api(cloud: None) -> CheckedApi:
    """The API over the module's account, its answers checked."""
    return CheckedApi()


@pytest.fixture(scope="module")
def iam(cloud: None) -> Any:
    """IAM behind Trivet's back."""
    return client("iam")


@pytest.fixture(scope="module")
def states(cloud: None) -> Any:
    """Step Functions behind Trivet's back."""
    return client("stepfunctions")


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"env-{next(_NUMBERS)}"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Trivet's clock, which stands still until someone sleeps."""
    fake = FakeClock(time.time())
    monkeypatch.setattr(operation.CLOCK, "now", fake.now)
    monkeypatch.setattr(operation.CLOCK, "sleep", fake.sleep)
    return fake


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What Trivet logs, as text."""
    written = io.StringIO()
    monkeypatch.setattr(telemetry.LOGGER.registered_handler, "stream", written)
    return written
