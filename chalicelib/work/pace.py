"""How many calls one operation has under way at one service: fewer while AWS asks for fewer.

Some throttled calls are weather, which retries with their pauses carry. Where more than a third of
a second's calls are refused, calls are being wasted: then fewer are sent side by side, and more
again as soon as AWS lets them through (additive increase, multiplicative decrease). All of it ends
with the operation.
"""

from threading import Condition, get_ident

import msgspec

_FEWEST = 4
_DECREASE, _INCREASE = 0.7, 2
_WINDOW = 1.0
"""Seconds of which the refusals are counted together."""


class Pace(msgspec.Struct):
    """The calls under way to one service, `most` at first and at most."""

    most: int
    _limit: float = 0
    _under_way: set[int] = set()
    """The threads that have a call under way."""
    _free: Condition = msgspec.field(default_factory=Condition)
    _since: float = 0
    _ended: int = 0
    _throttled: int = 0

    def __post_init__(self) -> None:
        self._limit = self.most

    def begin(self, patience: float) -> bool:
        """Wait for a call's turn; tell whether it came.

        Args:
            patience: seconds to wait at most.
        """
        with self._free:
            came = self._free.wait_for(lambda: len(self._under_way) < int(self._limit), patience)
            if came:
                self._under_way.add(get_ident())
            return came

    def end(self, throttled: bool, now: float) -> None:
        """Note that this thread's call has been answered, or given up."""
        with self._free:
            if get_ident() not in self._under_way:
                return
            self._under_way.discard(get_ident())
            self._ended += 1
            self._throttled += throttled
            if now - self._since >= _WINDOW:
                self._adjust(now)
            self._free.notify_all()

    def _adjust(self, now: float) -> None:
        too_fast = 3 * self._throttled > self._ended
        fewer, more = self._limit * _DECREASE, self._limit + _INCREASE
        self._limit = max(_FEWEST, fewer) if too_fast else min(self.most, more)
        self._since, self._ended, self._throttled = now, 0, 0
