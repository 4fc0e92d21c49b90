"""What was done to an environment: one entry for every call that changed something or failed."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from chalicelib.model.change import ChangeDocument
from chalicelib.model.environment import Pause

Operation = Literal[
    "create",
    "declare",
    "adopt",
    "reapply",
    "drift_repair",
    "event_repair",
    "smoke_test",
    "pause",
    "resume",
    "unprotect",
    "delete",
]

HistoryOutcome = Literal["done", "failed"]

KEPT = 400 * 24 * 3600
"""Seconds for which an entry is kept, beyond the environment's deletion."""


class Cause(msgspec.Struct, frozen=True):
    """The event that made Trivet repair at once, as CloudTrail tells it."""

    event_id: str
    event_name: str
    event_time: str
    actor: str | None


class HistoryEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done to an environment, or begun."""

    id: str
    at: str
    operation: Operation
    by: str | None
    outcome: HistoryOutcome = "done"
    error: str | None = None
    changes: list[ChangeDocument] = []
    cause: Cause | None = None
    pause: Pause | UnsetType = UNSET
    """Of the operation `pause` alone: until when, and why."""
