"""A hold: one operation's sole right to an environment, and the record of what it came to.

    with environments.hold(entry, wanted, "reapply", planned) as hold:
        ...                       # changes AWS, appends to hold.changes, sets hold.environment

At the end the record, what was done and what the environment is found by are written as one. Where
the process dies inside, nothing is: the lease runs out, and whoever holds the environment next
records from `under_way` that this operation did not tell its end.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType

from msgspec import structs
from msgspec.structs import replace

from chalicelib.errors import (
    Busy,
    Conflict,
    Invalid,
    NotFound,
    QuotaReached,
    TrivetError,
    Unavailable,
)
from chalicelib.model.change import ChangeDocument
from chalicelib.model.environment import Environment, Look
from chalicelib.model.history import HistoryEntry
from chalicelib.table.entry import Entry
from chalicelib.table.lease import Lease
from chalicelib.table.records import Records
from chalicelib.table.sending import Item
from chalicelib.table.table import Condition
from chalicelib.work.operation import closing


class Hold:
    """An environment that this operation holds, and what it does to it."""

    def __init__(
        self, records: Records, entry: Entry, under_way: HistoryEntry, is_new: bool = False
    ) -> None:
        self._records = records
        self._under_way = under_way
        self.entry = entry
        """The record: as held, and after the end as released."""
        self.environment: Environment = entry.environment
        """What it comes to: what stands here at the end is recorded."""
        self.changes: list[ChangeDocument] = []
        """What was changed in AWS so far."""
        self.is_new = is_new
        """Whether this operation recorded it first."""
        self.look: Look | None = None
        """The comparison with AWS that this operation made last, if it made one."""
        self.wanted_history = False
        """Whether history is to tell of it even where nothing had to be changed in AWS."""
        self.operation_name = under_way.operation
        self.removed = False

    def remove(self) -> None:
        """Forget the environment, and record in its history that it was deleted.

        Raises:
            Busy: the lease ran out and another call took over.
        """
        self._remove([self._done(None)])

    def forget(self) -> None:
        """Forget the environment as if it had never been declared: nothing was made of it.

        Raises:
            Busy: the lease ran out and another call took over.
        """
        self._remove([])

    def __enter__(self) -> "Hold":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        ending = error is not None and not isinstance(error, Exception)
        if self.removed or ending:
            return
        if self.is_new and not self.changes and _refuses(error):
            self.forget()
        else:
            self._release(error)

    def _release(self, error: BaseException | None) -> None:
        released = replace(
            self.entry,
            environment=self.environment,
            version=self.entry.version + 1,
            lease=None,
            under_way=None,
            own_look=self.look or self.entry.own_look,
            released_by=self._records.table.operation.id,
        )
        history = [self._done(error)] if self._is_told(error) else []
        with self._ending():
            self.entry, found = self._records.put(
                f"recording environment {self.environment.name}",
                released,
                self._held(),
                history,
            )
        if found is not None and not self._is_ours(found):
            raise self._taken_over(found)

    def _remove(self, history: Sequence[HistoryEntry]) -> None:
        doing = f"removing the record of environment {self.environment.name}"
        with self._ending():
            found = self._records.remove(doing, self.entry, self._held(), history)
        # Where there is none any more, this operation removed it and did not hear the answer.
        if found:
            raise self._taken_over(found)
        self.removed = True

    def _held(self) -> Condition:
        """Return the condition that this operation still holds the record."""
        values = {
            ":lease": {"S": self._records.table.operation.id},
            ":version": {"N": str(self.entry.version)},
        }
        return {
            "ConditionExpression": "lease = :lease AND version = :version",
            "ExpressionAttributeValues": values,
        }

    def _is_ours(self, found: Item) -> bool:
        """Tell whether the row that stood against the release is what this one wrote itself."""
        return (found.get("released_by"), found.get("version")) == (
            {"S": self._records.table.operation.id},
            {"N": str(self.entry.version)},
        )

    @contextmanager
    def _ending(self) -> Iterator[None]:
        table = self._records.table
        try:
            with closing():
                yield
        except Unavailable as error:
            # Until the lease has run out, the same call again would find the environment held.
            error.retry_after = max(error.retry_after, math.ceil(table.lease_until() - table.now()))
            raise

    def _taken_over(self, found: Item) -> Busy:
        holder = Lease.read(found)
        left = holder.until - self._records.table.now() if holder else 0
        return Busy(
            f"Another call took over environment {self.environment.name} after this one ran out "
            "of time. Call again.",
            retry_after=max(1, math.ceil(left)),
        )

    def _is_told(self, error: BaseException | None) -> bool:
        """Tell whether history is to have this operation: it changed something, or failed."""
        if self.changes or error is None:
            return bool(self.changes) or self.wanted_history
        return isinstance(error, QuotaReached) or not isinstance(
            error, NotFound | Invalid | Conflict
        )

    def _done(self, error: BaseException | None) -> HistoryEntry:
        entry = structs.replace(self._under_way, changes=list(self.changes))
        if self.operation_name == "pause" and self.environment.pause is not None:
            entry = structs.replace(entry, pause=self.environment.pause)
        if error is None:
            return entry
        told = str(error) if isinstance(error, TrivetError) else _own_fault(error)
        return structs.replace(entry, outcome="failed", error=told)


def _refuses(error: BaseException | None) -> bool:
    """Tell whether an error refuses a call before anything was made."""
    return isinstance(error, Conflict | Invalid) and not isinstance(error, QuotaReached)


def _own_fault(error: BaseException) -> str:
    return f"An error of Trivet's own ({type(error).__name__}). Its log says more."
