"""IAM as it is: a read may show, for some seconds, what was there before the last change.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

from botocore.awsrequest import AWSResponse
from moto.iam.models import iam_backends

from .clock import Clock
from .wire import Call, Deliver

_KINDS = ("roles", "managed_policies")
"""moto's dictionaries of the things that are read late."""


class StaleReads:
    """IAM's reads show each role and policy as it was so many seconds ago; writes see it as it is.

    To be the last of the layers that wait or call: it is held while what is below it answers.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._one_at_a_time = RLock()
        self._past: dict[tuple[str, str], list[tuple[float, Any]]] = {}
        """What each was before each change, by its dictionary and key there; None: nothing."""
        self.shown = 0
        """How many reads there were while something was out of date."""

    def __call__(self, call: Call, deliver: Deliver) -> AWSResponse:
        if call.service != "IAM":
            return deliver()
        backend = iam_backends[call.account][call.partition]
        with self._one_at_a_time:
            if not call.writes:
                with self._as_it_was(backend):
                    return deliver()
            before = {kind: _copied(getattr(backend, kind), call) for kind in _KINDS}
            there = {kind: set(getattr(backend, kind)) for kind in _KINDS}
            answer = deliver()
            for kind in _KINDS:
                now = getattr(backend, kind)
                changed = before[kind].keys() | (now.keys() - there[kind])
                for key in changed:
                    entry = (self._clock.now(), before[kind].get(key))
                    self._past.setdefault((kind, key), []).append(entry)
            return answer

    @contextmanager
    def _as_it_was(self, backend: Any) -> Iterator[None]:
        real = {kind: getattr(backend, kind) for kind in _KINDS}
        shown = {kind: dict(real[kind]) for kind in _KINDS}
        since = self._clock.now() - self._seconds
        old = {
            place: next((was for at, was in entries if at > since), _NOTHING_NEW)
            for place, entries in self._past.items()
        }
        self.shown += any(was is not _NOTHING_NEW for was in old.values())
        for (kind, key), was in old.items():
            if was is None:
                shown[kind].pop(key, None)
            elif was is not _NOTHING_NEW:
                shown[kind][key] = was
        try:
            for kind in _KINDS:
                setattr(backend, kind, shown[kind])
            yield
        finally:
            for kind in _KINDS:
                setattr(backend, kind, real[kind])


_NOTHING_NEW = object()


def _copied(held: dict[str, Any], call: Call) -> dict[str, Any]:
    """Return copies of what a call may change, by key."""
    name = call.parameters.get("RoleName")
    arn = call.parameters.get("PolicyArn", "")
    return {
        key: _copy(each)
        for key, each in held.items()
        if (key == arn and ":aws:policy/" not in key) or (name and each.name == name)
    }


def _copy(found: Any) -> Any:
    """Return a role or policy of moto's that later changes leave alone."""
    copied = copy.copy(found)
    for name, value in vars(found).items():
        if isinstance(value, dict):
            setattr(copied, name, dict(value))
        elif isinstance(value, list):
            setattr(copied, name, [copy.copy(each) for each in value])
    return copied
