"""The app over an AWS in memory: moto in this process, with AWS's own managed policies."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from chalice.test import Client

from app import app
from tests.memory import account_in_memory, keep_few_managed_policies

ROOT = Path(__file__).parent.parent
NAME = "datalake-consumer-dev"
ACCOUNT = "123456789012"


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


@pytest.fixture(scope="session", autouse=True)
def _few_managed_policies() -> None:
    keep_few_managed_policies()


@dataclass(frozen=True)
class Answer:
    """What the API answered."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


class Api:
    """The API, as an internal tool calls it."""

    def __init__(self) -> None:
        self._client = Client(app, stage_name="dev", project_dir=str(ROOT))

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send a request; a body that is not bytes already is sent as JSON."""
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        answer = self._client.http.request(
            method, path, headers or {"Content-Type": "application/json"}, raw
        )
        names = {name.lower(): str(value) for name, value in answer.headers.items()}
        return Answer(answer.status_code, json.loads(answer.body), names)

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def post(self, path: str, body: Any = None) -> Answer:
        return self.request("POST", path, body)

    def put(self, path: str, body: Any = None) -> Answer:
        return self.request("PUT", path, body)

    def delete(self, path: str) -> Answer:
        return self.request("DELETE", path)

    def provision(self, name: str = NAME, **fields: Any) -> Any:
        """Provision an environment that must come out well, and return its document."""
        answer = self.post("/environments", {"name": name, **fields})
        assert answer.status in (200, 201), answer
        return answer.body

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """Invoke one of the other Lambda functions with an event."""
        return self._client.lambda_.invoke(function, event).payload


@pytest.fixture
def cloud() -> Iterator[None]:
    """An empty AWS account in memory."""
    with account_in_memory():
        yield


@pytest.fixture
def api(cloud: None) -> Api:
    """The API over an empty account."""
    return Api()
