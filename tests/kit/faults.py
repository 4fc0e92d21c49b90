"""What goes wrong on the way to AWS: layers of the wire that kill, lose, delay or stop a call."""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from threading import Event, Lock

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from . import answers
from .answers import FAILURES, THROTTLES
from .clock import Clock
from .hostile import concurrent_modification
from .product import CALL_TIMEOUT, LAST_CALL_TIMEOUT
from .wire import Call, Deliver


class Killed(BaseException):
    """The process is dead; not an `Exception`, as its code gets no chance to handle it."""


class KillAt:
    """Kills the process at one call, before or after the call took effect.

    From then on no thread of that operation makes any call, and nothing is cleaned up.
    """

    def __init__(self, key: tuple[str, int], after: bool) -> None:
        self._key = key
        self._after = after
        self.dead: str | None = None
        """The operation that died."""

    def __call__(self, call: Call, deliver: Deliver) -> AWSResponse:
        if call.operation == self.dead:
            raise Killed
        if self.dead is None and call.key == self._key:
            self.dead = call.operation
            if self._after:
                deliver()
            raise Killed
        return deliver()


class Weather:
    """Random faults, the same for the same seed: each call has its own, whoever else calls when."""

    def __init__(self, seed: int, shares: Mapping[str, float]) -> None:
        """Set how much of each kind there is, as shares of all calls: see `_WEATHER`."""
        self._seed = seed
        self._shares = shares
        self._lock = Lock()
        self._seen: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        """How often it did what."""

    def __call__(self, call: Call, deliver: Deliver) -> AWSResponse:
        with self._lock:
            self._seen[call.name] += 1
            drawing = random.Random(f"{self._seed} {call.name} {self._seen[call.name]}")
        drawn, choice = drawing.random(), drawing.random()
        for kind, share in self._shares.items():
            if drawn < share:
                with self._lock:
                    self.done[kind] += 1
                return _WEATHER[kind](call, deliver, choice)
            drawn -= share
        return deliver()


def _throttled(call: Call, deliver: Deliver, choice: float) -> AWSResponse:
    """Ask to slow down."""
    codes = THROTTLES[call.service]
    return call.refused(codes[int(choice * len(codes))], "Rate exceeded for this account")


def _failing(call: Call, deliver: Deliver, choice: float) -> AWSResponse:
    """Answer with HTTP 500 or 503, from AWS or from a proxy; half of the calls took effect."""
    if choice < 0.5:
        deliver()
    if choice % 0.25 < 0.125:
        return answers.proxy_error(call.url, 503)
    return call.refused(FAILURES[call.service], "We failed, sorry.")


def _lost(call: Call, deliver: Deliver, choice: float) -> AWSResponse:
    """Lose the request before it gets anywhere."""
    raise ConnectionClosedError(endpoint_url=call.url)


def _unheard(call: Call, deliver: Deliver, choice: float) -> AWSResponse:
    """Lose the answer of a call that took effect."""
    deliver()
    raise ReadTimeoutError(endpoint_url=call.url)


def _concurrent(call: Call, deliver: Deliver, choice: float) -> AWSResponse:
    """Refuse a change of IAM, as somebody else is changing the same."""
    if call.service != "IAM" or not call.writes:
        return deliver()
    return concurrent_modification(call)


_WEATHER: Mapping[str, Callable[[Call, Deliver, float], AWSResponse]] = {
    "throttled": _throttled,
    "failing": _failing,
    "lost": _lost,
    "unheard": _unheard,
    "concurrent": _concurrent,
}


class Latency:
    """Every call takes so many seconds; who waits less long never hears the answer."""

    def __init__(self, clock: Clock, seconds: float, of_dynamodb: float | None = None) -> None:
        """Set how long calls take, and those to DynamoDB if that is something else."""
        self._clock = clock
        self._seconds = seconds
        self._of_dynamodb = seconds if of_dynamodb is None else of_dynamodb

    def __call__(self, call: Call, deliver: Deliver) -> AWSResponse:
        last = call.service in ("DynamoDB", "EventBridge")
        seconds = self._of_dynamodb if call.service == "DynamoDB" else self._seconds
        patience = LAST_CALL_TIMEOUT if last else CALL_TIMEOUT
        # From when it was sent: that moto works on one at a time does not make it slower.
        until = self._clock.now() + min(seconds, patience)
        answer = deliver()
        self._clock.sleep(max(0, until - self._clock.now()))
        if seconds > patience:
            raise ReadTimeoutError(endpoint_url=call.url)
        return answer


class Meddler:
    """Somebody else who acts once, at the moment before one of Trivet's calls."""

    def __init__(self, before: Callable[[Call], bool], act: Callable[[], object]) -> None:
        self._before = before
        self._act = act
        self.acted = False

    def __call__(self, call: Call, deliver: Deliver) -> AWSResponse:
        if not self.acted and self._before(call):
            self.acted = True
            self._act()
        return deliver()


class Gate:
    """Stops the first of some calls until it is opened."""

    def __init__(self, at: Callable[[Call], bool]) -> None:
        self._at = at
        self._stopped = Event()
        self._open = Event()

    def __call__(self, call: Call, deliver: Deliver) -> AWSResponse:
        if self._at(call) and not self._stopped.is_set():
            self._stopped.set()
            assert self._open.wait(_PATIENCE)
        return deliver()

    def wait(self) -> None:
        """Wait until somebody stands at the gate."""
        assert self._stopped.wait(_PATIENCE)

    def open(self) -> None:
        """Let them through."""
        self._open.set()


_PATIENCE = 30
"""Real seconds after which a test that waits for another thread gives up."""
