"""What a drift run found and did: the report, a row for each account, a finding for each drift."""

from typing import Literal

import msgspec

from chalicelib.model.change import ChangeDocument

Outcome = Literal["repaired", "drifted", "failed", "paused"]
RunStatus = Literal["running", "finished"]
Trigger = Literal["schedule", "request"]


class RunRequest(msgspec.Struct, frozen=True):
    """What a run is to do."""

    trigger: Trigger
    apply: bool = True
    confirm: str | None = None
    """The id of a report whose findings may be repaired, however many they are."""
    environments: tuple[str, ...] | None = None
    accounts: tuple[str, ...] | None = None


class FleetRun(msgspec.Struct, frozen=True):
    """What the steps of a run know of each other: ids alone travel through the state machine."""

    request: RunRequest
    accounts: list[str]
    starts: list[str] = []
    """`account/name` of the environment to start with, of each account not done by the last run."""
    decided: bool = False
    """Whether the brake was asked; until then nothing is repaired."""
    stopped: str | None = None


class Finding(msgspec.Struct, frozen=True):
    """An environment that was not in sync, and what became of it."""

    account_id: str
    name: str
    outcome: Outcome
    changes: list[ChangeDocument] = []
    error: str | None = None


class AccountRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to in one account."""

    account_id: str
    checked: int = 0
    in_sync: int = 0
    drifted: int = 0
    repaired: int = 0
    failed: int = 0
    not_reached: int = 0
    error: str | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The report of a run, without its findings, which are kept and read by pages."""

    id: str
    trigger: Trigger
    applied: bool
    status: RunStatus
    started_at: str
    finished_at: str | None = None
    checked: int = 0
    in_sync: int = 0
    drifted: int = 0
    repaired: int = 0
    failed: int = 0
    not_reached: list[str] = []
    accounts: list[AccountRow] = []
    aws_calls: dict[str, int] = {}
    stopped: str | None = None


class ReportPage(Report, frozen=True, kw_only=True):
    """A report with one page of its findings."""

    environments: list[Finding] = []
    next_cursor: str | None = None
