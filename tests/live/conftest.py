"""The stage that is tried, the throw-away environment, and what must not be left behind."""

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import botocore.session
import pytest

from trivet import aws
from trivet.api import Api, Problem

_POLLED_EVERY = 5.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave all of it out, unless somebody asked for it and agreed."""
    if os.environ.get("TRIVET_LIVE") != "yes":
        reason = "opt-in: make live"
        for item in items:
            if "tests/live/" in item.path.as_posix():
                item.add_marker(pytest.mark.skip(reason=reason))


@dataclass(frozen=True)
class Live:
    """A deployed stage, and AWS as the caller sees it."""

    api: Api
    session: Any
    stage: str | None
    name: str

    def client(self, service: str, region: str | None = None) -> Any:
        return self.session.create_client(service, region_name=region)

    @property
    def emulated(self) -> bool:
        """Whether AWS is an emulator: then the SDK was given an endpoint."""
        return "AWS_ENDPOINT_URL" in os.environ

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        return self.api.call(method, path, body).body

    def role(self, suffix: str = "SageMaker") -> str:
        return f"{self.name}-{suffix}"

    def until(self, holds: Callable[[], bool], seconds: float, what: str) -> float:
        """Wait for something outside of our hands, and return after how many seconds it was so."""
        began = time.monotonic()
        while not holds():
            waited = time.monotonic() - began
            assert waited < seconds, f"{what}: not within {seconds:g} s"
            time.sleep(_POLLED_EVERY)
        return time.monotonic() - began


@pytest.fixture(scope="session")
def live() -> Iterator[Live]:
    """The stage; whatever happens, the throw-away environment is removed at the end."""
    session: Any = botocore.session.Session()
    url, stage = os.environ.get("TRIVET_URL"), os.environ.get("STAGE")
    if url is None:
        assert stage is not None
        url = aws.find_url(stage)
    name = f"live-{uuid.uuid4().hex[:8]}"
    tried = Live(Api(url, session), session, stage, name)
    yield tried
    with suppress(Problem):
        tried.ask("DELETE", f"/environments/{name}/deletion-protection")
    with suppress(Problem):
        tried.ask("DELETE", f"/environments/{name}")
    left = [
        each["RoleName"]
        for page in tried.client("iam").get_paginator("list_roles").paginate()
        for each in page["Roles"]
        if each["RoleName"].startswith(name)
    ]
    assert left == [], f"left behind: {left}"
