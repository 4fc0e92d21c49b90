"""An AWS account in memory with a faulty wire to it, a clock of its own, and the API over it."""

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import botocore.endpoint
import botocore.session
import botocore.waiter
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.endpoint import Endpoint
from botocore.loaders import create_loader
from chalice.config import Config
from chalice.local import LocalGateway
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.models import botocore_stubber
from moto.iam.models import AWSManagedPolicy, IAMBackend

from app import app
from chalicelib import aws, operation
from tests.conftest import NAME, Answer

from . import holdings
from .clock import FakeClock
from .emulated import Executions, simulator
from .wire import Wire, moto_for_others

JSON = {"Content-Type": "application/json"}
PROBLEM = "application/problem+json"
MANY = 40
"""Calls after which a scenario counts as one that does not come to an end."""

_WHAT_NEXT = re.compile(
    r"[Cc]all again|Call with|Grant it|Correct the template|Remove or rename|Ask AWS|Give them|"
    r"Declare it"
)


class World:
    """The account and what stands around it; `fresh` makes one."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.wire = Wire()
        self.wire.faults = [Executions(self.clock), simulator]

    def request(self, method: str, path: str, body: Any = None, seconds: float = 30) -> Answer:
        """Send one request, to a Lambda function that has so many seconds left, and check the form.

        Raises:
            Killed: if the process was.
        """
        gateway = LocalGateway(app, Config.create(lambda_timeout=seconds))
        raw = b"" if body is None else json.dumps(body).encode()
        given: Any = gateway.handle_request(method, path, dict(JSON), raw)
        headers = {name.lower(): str(value) for name, value in given["headers"].items()}
        answer = Answer(given["statusCode"], json.loads(given["body"]), headers)
        if answer.status >= 400:
            check_problem(answer)
        return answer

    def provision(self, **fields: Any) -> Answer:
        """POST the environment, without waiting for its smoke test unless told to."""
        return self.request("POST", "/environments", {"name": NAME, "wait": 0, **fields})

    def at_once(self, *requests: Callable[[], Answer]) -> list[Answer]:
        """Send requests at the same moment, each from a thread of its own."""
        ready = Barrier(len(requests))

        def sent(request: Callable[[], Answer]) -> Answer:
            ready.wait()
            return request()

        with ThreadPoolExecutor(len(requests)) as callers:
            return list(callers.map(sent, requests))

    def settle(
        self, request: Callable[[], Answer], done: Callable[[Answer], bool] | None = None
    ) -> list[Answer]:
        """Repeat a request as its answers say, until it is done, or else works.

        Returns:
            All answers, the last one last.
        """
        answers: list[Answer] = []
        while len(answers) < MANY:
            answers.append(request())
            if done(answers[-1]) if done else answers[-1].status < 300:
                return answers
            if answers[-1].status >= 300:
                assert answers[-1].status in (409, 503), answers[-1]
                self.clock.sleep(int(answers[-1].headers["retry-after"]))
        raise AssertionError(f"no end after {MANY} calls: {answers[-3:]}")

    def finish(self, name: str = NAME) -> Any:
        """Look at an environment until its smoke test has ended; return its document, if any."""
        for _ in range(MANY):
            self.clock.sleep(1)
            answer = self.settle(
                lambda: self.request("GET", f"/environments/{name}"),
                lambda each: each.status in (200, 404),
            )[-1]
            if answer.status == 404:
                return None
            if answer.body["smoke_test"]["status"] not in ("pending", "running"):
                return answer.body
        raise AssertionError(f"the smoke test does not end: {answer}")


def check_problem(answer: Answer) -> None:
    """Assert that an error is one of CONTRACT's, and tells the caller what to do."""
    problem = answer.body
    assert answer.headers["content-type"] == PROBLEM, answer
    assert problem["status"] == answer.status, answer
    assert problem["type"].startswith("urn:trivet:problem:"), answer
    assert problem["title"], answer
    assert answer.status in (400, 404, 409, 422, 502, 503), answer
    if answer.status in (409, 502, 503):
        assert _WHAT_NEXT.search(problem["detail"]), answer
    if answer.status == 503 or problem["type"].endswith(":busy"):
        assert int(answer.headers["retry-after"]) >= 1, answer


def check_claim(answer: Answer, undisturbed: dict[str, Any]) -> None:
    """Assert that an answer that says `ready` says so of an account that has all it should."""
    if answer.status < 300 and answer.body.get("status") == "ready":
        now = holdings.everything()
        for kind in ("roles", "policies", "state machines"):
            assert now[kind] == undisturbed[kind], answer


@contextmanager
def fresh() -> Iterator[World]:
    """An empty account, with AWS's managed policies, behind a wire without faults.

    There is one at a time: moto has but one memory.
    """
    assert not botocore_stubber.enabled, "one world at a time"
    world = World()
    waiting = SimpleNamespace(sleep=world.clock.sleep)

    def send(endpoint: Endpoint, request: AWSPreparedRequest) -> AWSResponse:
        return world.wire.send(endpoint, request)

    aws.own_account.cache_clear()
    with (
        patch.object(IAMBackend, "_init_aws_policies", _aws_policies),
        patch.object(BotocoreStubber, "__call__", moto_for_others),
        patch.object(Endpoint, "_send", send),
        patch.object(botocore.session, "get_session", _session),
        patch.object(operation.CLOCK, "now", world.clock.now, create=True),
        patch.object(operation.CLOCK, "sleep", world.clock.sleep, create=True),
        patch.object(botocore.endpoint, "time", waiting),
        patch.object(botocore.waiter, "time", waiting),
        mock_aws(
            config={
                "stepfunctions": {"execute_state_machine": False},
                "iam": {"load_aws_managed_policies": True},
            }
        ),
    ):
        yield world
    aws.own_account.cache_clear()


_LOADER = create_loader()


def _session() -> botocore.session.Session:
    """Return a session of its own, whose description of AWS's services was read once."""
    session = botocore.session.Session()
    session.register_component("data_loader", _LOADER)
    return session


_read_aws_policies = vars(IAMBackend)["_init_aws_policies"]
_policies: list[AWSManagedPolicy] = []


def _aws_policies(backend: IAMBackend) -> list[AWSManagedPolicy]:
    """Return AWS's managed policies, read once: they are most of what an empty account costs."""
    if not _policies:
        _policies.extend(_read_aws_policies(backend))
    for policy in _policies:
        policy.attachment_count = 0
    return list(_policies)
