"""The app over an AWS in memory: moto in this process, with AWS's own managed policies."""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit import account, packaged, product
from tests.kit.clock import Clock, standing
from tests.kit.http import Api
from tests.kit.shared import made_once
from tests.kit.wire import Wire
from tests.kit.world import World, fresh


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that `make soak` runs the contract's tests and the recording with."""
    parser.addoption(
        "--hostile",
        action="store_true",
        help="have an AWS that shows, knows and forgets as late as the real one may",
    )


@pytest.fixture(scope="session", autouse=True)
def _sdk_environment() -> Iterator[None]:
    """Give the SDK credentials that are none, and keep the developer's own out."""
    kept = dict(os.environ)
    for name in list(os.environ):
        if name.startswith(("AWS_", "TRIVET_")) and name != "AWS_CA_BUNDLE":
            del os.environ[name]
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    yield
    os.environ.clear()
    os.environ |= kept


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A copy of the checkout with its packages, made once for all workers: do not change it."""
    return made_once(tmp_path_factory, worker_id, "packaged", packaged.make_packages)


@pytest.fixture
def cloud() -> Iterator[Wire]:
    """An empty AWS account in memory."""
    with account.in_memory() as wire:
        yield wire


@pytest.fixture
def api(cloud: Wire) -> Api:
    """The API over an empty account."""
    return Api(cloud)


@pytest.fixture
def world() -> Iterator[World]:
    """An empty account behind a wire without faults, a clock that stands still, and the API."""
    with fresh() as made:
        yield made


@pytest.fixture
def iam() -> Any:
    """IAM behind Trivet's back."""
    return account.client("iam")


@pytest.fixture
def states() -> Any:
    """Step Functions behind Trivet's back."""
    return account.client("stepfunctions")


@pytest.fixture
def dynamodb() -> Any:
    """DynamoDB behind Trivet's back."""
    return account.client("dynamodb")


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Trivet's clock, which stands still until someone sleeps."""
    with standing() as made:
        yield made


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What Trivet logs, as text."""
    written = io.StringIO()
    monkeypatch.setattr(*product.log_to(written))
    return written
