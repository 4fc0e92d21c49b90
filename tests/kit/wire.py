"""The place where the network would be, between Trivet's AWS clients and moto.

All that happens to a call on its way is a layer: a function of the call and of what delivers it. A
layer may fail before delivering (the call never took effect), after (it did, and nobody hears of
it), answer itself, wait, or only look. moto handles one call at a time, as if each took effect in
one moment, so that conditional writes are conditional.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock, RLock
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.endpoint import Endpoint
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.models import botocore_stubber
from moto.iam.models import get_account_id_from
from moto.utilities.utils import get_partition

from . import answers, product

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
_READING = ("Get", "BatchGet", "List", "Describe", "Simulate", "Query", "Scan")
_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/")


@dataclass(frozen=True)
class Call:
    """One request as it goes over the wire; a retry is another one."""

    service: str
    """botocore's id: `IAM`, `STS`, `DynamoDB`, `SFN`, `EventBridge`."""
    action: str
    parameters: Mapping[str, Any]
    """As callers of botocore give them, save that IAM and STS have only strings."""
    url: str
    account: str
    """The account whose credentials signed it."""
    region: str
    """The region that it is signed for; IAM's is that of its partition."""
    operation: str
    """The id of Trivet's operation that makes it."""
    occurrence: int = 1
    """The how manieth of its operation with this name; the rest of `key` tells it from others."""

    @property
    def name(self) -> str:
        """What is done to what."""
        words = [
            word
            for key, value in self.parameters.items()
            if key in _IDENTIFYING or (isinstance(value, list) and not self.writes)
            for word in _words(value)
        ]
        return " ".join([self.action, *words])

    @property
    def key(self) -> tuple[str, int]:
        """What tells this call from the others of an operation, and finds it in a repetition."""
        return self.name, self.occurrence

    @property
    def partition(self) -> str:
        """The partition of its region."""
        return get_partition(self.region)

    @property
    def writes(self) -> bool:
        """Tell whether this changes anything, if it works."""
        return not self.action.startswith(_READING)

    @property
    def resource(self) -> str | None:
        """The role or policy that this is about, as IAM's messages name it."""
        found = self.parameters.get("RoleName") or self.parameters.get("PolicyArn")
        return None if found is None else str(found)

    def refused(self, code: str, message: str, status: int | None = None) -> AWSResponse:
        """Return the error that AWS answers this call with."""
        return answers.error(self.service, self.url, code, message, status)

    def answered(self, result: Mapping[str, Any]) -> AWSResponse:
        """Return what AWS answers when this call works, given in botocore's shape."""
        return answers.success(self.service, self.url, self.action, result)


Layer = Callable[[Call, Deliver], AWSResponse]


class Calls(list[Call]):
    """Calls in the order in which they were sent."""

    @property
    def names(self) -> list[str]:
        """The actions called."""
        return [call.action for call in self]

    @property
    def writes(self) -> list[str]:
        """The actions called that are no readings."""
        return [call.action for call in self if call.writes]


class Wire:
    """Passes Trivet's calls through layers, first to last, and on to moto."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.calls = Calls()
        """Every request sent, in order."""
        self.meanwhile: Callable[[], None] = lambda: None
        """What happens before a call meets the first layer: other threads have their turn."""
        self.answered = 0
        """How many requests moto has answered, those behind Trivet's back included."""
        self._recordings: list[Calls] = []
        self._seen: Counter[tuple[str, str]] = Counter()
        self._noting = Lock()

    @property
    def is_recording(self) -> bool:
        """Tell whether anybody wants to see the calls that are sent now."""
        return bool(self._recordings)

    @contextmanager
    def through(self, *layers: Layer) -> Iterator[None]:
        """Put layers before the others for a while."""
        before, self.layers = self.layers, [*layers, *self.layers]
        try:
            yield
        finally:
            self.layers = before

    @contextmanager
    def recording(self, *layers: Layer) -> Iterator[Calls]:
        """Give the calls sent within, each as it is sent; with layers as in `through`."""
        recorded = Calls()
        self._recordings.append(recorded)
        try:
            with self.through(*layers):
                yield recorded
        finally:
            self._recordings = [each for each in self._recordings if each is not recorded]

    def send(self, endpoint: Endpoint, request: AWSPreparedRequest) -> AWSResponse:
        """Send a request, in the place of botocore's own way to the network."""

        def moto() -> AWSResponse:
            answer = _moto(botocore_stubber, "", request)
            assert answer is not None
            return answer

        self.meanwhile()
        call = self._noted(_SERVICES[endpoint._endpoint_prefix], request)  # type: ignore[attr-defined]
        deliver = moto
        for layer in reversed(self.layers):
            deliver = _below(layer, call, deliver)
        return deliver()

    def _noted(self, service: str, request: AWSPreparedRequest) -> Call:
        parameters = _parameters(request)
        key, region = _signed_with(request)
        target = _text(request.headers.get("X-Amz-Target"))
        call = Call(
            service=service,
            action=str(parameters.get("Action") or target.rsplit(".", 1)[-1]),
            parameters={each: parameters[each] for each in parameters if each != "Action"},
            url=str(request.url),
            account=get_account_id_from(key),
            region=region,
            operation=product.current_operation(),
        )
        with self._noting:
            self._seen[call.operation, call.name] += 1
            call = replace(call, occurrence=self._seen[call.operation, call.name])
            for calls in (self.calls, *self._recordings):
                calls.append(call)
        return call


def refusing(
    fails: str | Callable[[Call], bool],
    code: str,
    message: str = "on purpose",
    status: int | None = None,
    times: int | None = None,
) -> Layer:
    """Return a layer that refuses calls.

    Args:
        fails: an action, or what tells of a call whether it is refused.
        message: in which `{action}` is filled in.
        times: how often, if not each time.
    """
    left = iter(range(times)) if times is not None else None

    def refuse(call: Call, deliver: Deliver) -> AWSResponse:
        chosen = call.action == fails if isinstance(fails, str) else fails(call)
        if not chosen or (left is not None and next(left, None) is None):
            return deliver()
        return call.refused(code, message.replace("{action}", call.action), status)

    return refuse


def answering(answer: Callable[[Call], Mapping[str, Any] | None]) -> Layer:
    """Return a layer that answers calls itself, where `answer` returns no `None`."""

    def answered(call: Call, deliver: Deliver) -> AWSResponse:
        result = answer(call)
        return deliver() if result is None else call.answered(result)

    return answered


@contextmanager
def installed() -> Iterator[Wire]:
    """Have what Trivet sends go over a wire, and what others send go straight to moto.

    There is one at a time: moto has but one memory.
    """
    wire, one_call_at_a_time = Wire(), RLock()
    process = BotocoreStubber.process_request

    def send(_: Endpoint, request: AWSPreparedRequest) -> AWSResponse:
        return wire.send(_, request)

    def locked(stubber: BotocoreStubber, request: AWSPreparedRequest) -> Any:
        # moto's dictionaries are not made for threads.
        with one_call_at_a_time:
            wire.answered += 1
            return process(stubber, request)

    with (
        patch.object(BotocoreStubber, "__call__", _moto_for_others),
        patch.object(BotocoreStubber, "process_request", locked),
        patch.object(Endpoint, "_send", send),
    ):
        yield wire


_moto: Callable[..., AWSResponse | None] = vars(BotocoreStubber)["__call__"]


def _moto_for_others(
    stubber: BotocoreStubber, event_name: str, request: AWSPreparedRequest, **_: Any
) -> AWSResponse | None:
    """Answer for moto where it hooks into botocore."""
    ours = product.MARK in _text(request.headers["User-Agent"])
    return None if ours else _moto(stubber, event_name, request)


def _below(layer: Layer, call: Call, deliver: Deliver) -> Deliver:
    return lambda: layer(call, deliver)


def _words(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [word for each in value.values() for word in _words(each)]
    return [word for each in value for word in _words(each)] if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")


def _signed_with(request: AWSPreparedRequest) -> tuple[str, str]:
    """Return the access key that a request is signed with, and the region that it is signed for."""
    found = _CREDENTIAL.search(_text(request.headers.get("Authorization")))
    assert found, request
    return found[1], found[2]


def _parameters(request: AWSPreparedRequest) -> dict[str, Any]:
    text = _text(request.body)
    if text.startswith("{"):
        return dict(json.loads(text))
    nested: dict[str, Any] = {}
    for key, value in parse_qsl(text):
        *path, last = key.split(".")
        here = nested
        for part in path:
            here = here.setdefault(part, {})
        here[last] = value
    return {key: _lists(value) for key, value in nested.items() if key != "Version"}


def _lists(value: Any) -> Any:
    """Turn the query protocol's `member` with its numbers into a list."""
    if not isinstance(value, dict):
        return value
    if value.keys() == {"member"}:
        return [_lists(each) for each in value["member"].values()]
    return {key: _lists(each) for key, each in value.items()}
