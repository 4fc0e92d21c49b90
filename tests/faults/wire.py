"""The place where the network would be, between the application's AWS clients and moto.

A fault is a function of a call and of what delivers it: it may fail before delivering (the call
never took effect), after (it did, and nobody hears of it), answer itself, or wait. moto handles one
call at a time, as if each took effect in one moment, so that conditional writes are conditional.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.endpoint import Endpoint
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.models import botocore_stubber

from chalicelib import operation
from chalicelib.aws import USER_AGENT

Deliver = Callable[[], AWSResponse]

_IDENTIFYING = (
    "RoleName",
    "PolicyName",
    "PolicyArn",
    "PolicySourceArn",
    "VersionId",
    "stateMachineArn",
)
_SERVICES = {
    "dynamodb": "DynamoDB",
    "events": "EventBridge",
    "iam": "IAM",
    "states": "SFN",
    "sts": "STS",
}
_READING = ("Get", "List", "Describe", "Simulate", "Query")


@dataclass(frozen=True)
class Call:
    """One request as it goes over the wire; a retry is another one."""

    service: str
    """botocore's id: `IAM`, `STS`, `DynamoDB`, `SFN`, `EventBridge`."""
    action: str
    parameters: Mapping[str, Any]
    url: str
    operation: str
    """The id of Trivet's operation that makes it."""
    occurrence: int = 1
    """The how manieth of its operation with this name; the rest of `key` tells it from others."""

    @property
    def name(self) -> str:
        """What is done to what."""
        words = [
            str(value)
            for key, value in self.parameters.items()
            if key in _IDENTIFYING or (".member." in key and not self.writes)
        ]
        return " ".join([self.action, *words])

    @property
    def key(self) -> tuple[str, int]:
        """What tells this call from the others of an operation, and finds it in a repetition."""
        return self.name, self.occurrence

    @property
    def writes(self) -> bool:
        """Tell whether this changes anything, if it works."""
        return not self.action.startswith(_READING)

    @property
    def resource(self) -> str | None:
        """The role or policy that this is about, as IAM's messages name it."""
        found = self.parameters.get("RoleName") or self.parameters.get("PolicyArn")
        return None if found is None else str(found)


Fault = Callable[[Call, Deliver], AWSResponse]


class Wire:
    """Passes the application's calls through faults, first to last, and on to moto."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.calls: list[Call] = []
        """Every request sent, in order."""
        self._seen: Counter[tuple[str, str]] = Counter()
        self._noting = Lock()
        self._moto = Lock()

    @contextmanager
    def with_faults(self, *faults: Fault) -> Iterator[None]:
        """Put faults before the others for a while."""
        before, self.faults = self.faults, [*faults, *self.faults]
        try:
            yield
        finally:
            self.faults = before

    def send(self, endpoint: Endpoint, request: AWSPreparedRequest) -> AWSResponse:
        """Send a request, in the place of botocore's own way to the network."""

        def moto() -> AWSResponse:
            with self._moto:
                answer = _moto(botocore_stubber, "", request)
            assert answer is not None
            return answer

        call = self._noted(_SERVICES[endpoint._endpoint_prefix], request)  # type: ignore[attr-defined]
        deliver = moto
        for fault in reversed(self.faults):
            deliver = _through(fault, call, deliver)
        return deliver()

    def _noted(self, service: str, request: AWSPreparedRequest) -> Call:
        current = operation.current()
        parameters = _parameters(request)
        target: Any = request.headers.get("X-Amz-Target") or b""
        call = Call(
            service=service,
            action=parameters.get("Action") or target.decode().rsplit(".", 1)[-1],
            parameters=parameters,
            url=str(request.url),
            operation=current.id if current else "",
        )
        with self._noting:
            self._seen[call.operation, call.name] += 1
            call = replace(call, occurrence=self._seen[call.operation, call.name])
            self.calls.append(call)
        return call


_moto: Callable[..., AWSResponse | None] = vars(BotocoreStubber)["__call__"]


def moto_for_others(
    stubber: BotocoreStubber, event_name: str, request: AWSPreparedRequest, **_: Any
) -> AWSResponse | None:
    """Answer for moto where it hooks into botocore: the application's requests go over the wire."""
    ours = USER_AGENT in str(request.headers["User-Agent"])
    return None if ours else _moto(stubber, event_name, request)


def _through(fault: Fault, call: Call, deliver: Deliver) -> Deliver:
    return lambda: fault(call, deliver)


def _parameters(request: AWSPreparedRequest) -> dict[str, Any]:
    body: Any = request.body
    text = body.decode() if isinstance(body, bytes) else str(body or "")
    return dict(json.loads(text)) if text.startswith("{") else dict(parse_qsl(text))
