"""What AWS holds once a test's first environments are there, kept, and put back in the next test.

Most tests begin with one and the same environment. To put back what came of provisioning it takes a
hundredth of the time that provisioning takes.
"""

import copy
import json
import pickle
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from moto.backends import get_backend

from . import product
from .account import unsendable
from .clock import Clock
from .emulated import Executions
from .names import IN_MEMBER
from .wire import Wire

_SERVICES: Any = ("dynamodb", "iam", "stepfunctions", "sts")


@dataclass(frozen=True)
class _Outcome:
    document: Any
    """What provisioning the environment answered."""
    held: bytes
    """What moto has in memory."""
    ends: dict[str, float]
    """When each execution ends."""
    now: float
    """Seconds since the epoch, on the test's clock."""


_KNOWN: dict[Hashable, _Outcome] = {}


class Beginning:
    """A test's time until it does anything else than provision environments."""

    def __init__(self, wire: Wire, clock: Clock, executions: Executions) -> None:
        self._wire = wire
        self._clock = clock
        self._executions = executions
        self._layers = list(wire.layers)
        self._steps: tuple[Hashable, ...] = ()
        self._left = self._state()

    def provision(self, fields: dict[str, Any], provision: Callable[[], Any]) -> Any:
        """Provision an environment, or put back what came of it when all began in the same way.

        Neither leaves calls behind in `wire.calls`: a test that counts them records them.

        Args:
            fields: the request.
            provision: does it, and returns the environment's document.
        """
        # Home's credentials, where home is another account, are each test's own.
        if IN_MEMBER or self._state() != self._left:
            return provision()
        self._steps += (product.configuration(), json.dumps(fields, sort_keys=True))
        known = _KNOWN.get(self._steps)
        if known is None:
            known = _KNOWN[self._steps] = self._kept(provision())
            assert list(unsendable(self._wire.calls)) == []
        else:
            self._put_back(known)
        self._wire.calls.clear()
        self._left = self._state()
        return copy.deepcopy(known.document)

    def _state(self) -> Any:
        """Return what changes when anything else is done."""
        wire = self._wire
        return wire.answered, self._clock.now(), wire.layers == self._layers, wire.is_recording

    def _kept(self, document: Any) -> _Outcome:
        held = {
            service: {account: dict(regions) for account, regions in get_backend(service).items()}
            for service in _SERVICES
        }
        ends = self._executions.ends
        return _Outcome(document, pickle.dumps(held), dict(ends), self._clock.now())

    def _put_back(self, known: _Outcome) -> None:
        for service, accounts in pickle.loads(known.held).items():
            backend = get_backend(service)
            for account, regions in accounts.items():
                backend[account].clear()
                backend[account].update(regions)
        self._executions.ends.update(known.ends)
        self._clock.set(known.now)
        # Whoever provisions asks once which account this is.
        _ = product.home().place
