"""The wire between this process and AWS: a latency on every call, and a record of each.

It sits where botocore hands a request to HTTP, below every hook and retry, so that what it sees
is what is sent, whoever sends it: Trivet, or a script that Trivet is compared with.
"""

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from botocore.awsrequest import AWSPreparedRequest
from botocore.client import BaseClient
from botocore.httpsession import URLLib3Session

_SERVICE = re.compile(r"Credential=[^,]*/(\w+)/aws4_request")
_ACTION = re.compile(r"(?:^|&)Action=(\w+)")


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request to AWS; times are seconds of one monotonic clock."""

    name: str
    start: float
    end: float


@dataclass(slots=True)
class Wire:
    """What went over the wire.

    Attributes:
        calls: in the order in which they ended.
        cpu_in_calls: CPU seconds that threads spent inside the SDK's calls.
    """

    calls: list[Call] = field(default_factory=list)
    cpu_in_calls: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def counts(self) -> Counter[str]:
        """Return the number of calls by name, such as `iam:GetRole`."""
        return Counter(call.name for call in self.calls)

    def add(self, call: Call) -> None:
        with self._lock:
            self.calls.append(call)

    def add_cpu(self, seconds: float) -> None:
        with self._lock:
            self.cpu_in_calls += seconds


@contextmanager
def wire(latency: float) -> Iterator[Wire]:
    """Record every AWS call of this process, and make each take this many seconds more."""
    recorded = Wire()
    send = URLLib3Session.send
    make_api_call: Any = vars(BaseClient)["_make_api_call"]

    def slow_send(session: URLLib3Session, request: AWSPreparedRequest) -> Any:
        start = time.monotonic()
        if latency:
            time.sleep(latency)
        try:
            return send(session, request)
        finally:
            recorded.add(Call(_name(request), start, time.monotonic()))

    def timed_api_call(client: BaseClient, *arguments: Any) -> Any:
        start = time.thread_time()
        try:
            return make_api_call(client, *arguments)
        finally:
            recorded.add_cpu(time.thread_time() - start)

    with (
        patch.object(URLLib3Session, "send", slow_send),
        patch.object(BaseClient, "_make_api_call", timed_api_call),
    ):
        yield recorded


def longest_chain(calls: Sequence[Call]) -> int:
    """Return the most calls that followed one another, each begun after the last had ended.

    Calls that need each other's answers do so, and are no more than these. There can be fewer,
    where calls that do not need each other happen to follow.
    """
    length, free = 0, float("-inf")
    for call in sorted(calls, key=lambda call: call.end):
        if call.start >= free:
            length, free = length + 1, call.end
    return length


def _name(request: AWSPreparedRequest) -> str:
    headers = {name.lower(): _text(value) for name, value in request.headers.items()}
    signed = _SERVICE.search(headers.get("authorization", ""))
    target = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
    if not target:
        body: Any = request.body or b""
        action = _ACTION.search(_text(body))
        target = action.group(1) if action else request.method
    return f"{signed.group(1) if signed else '?'}:{target}"


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
