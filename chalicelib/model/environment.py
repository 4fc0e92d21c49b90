"""What Trivet remembers of an environment, apart from IAM: the rows of its table."""

from datetime import UTC, datetime
from typing import Literal

import msgspec

CheckStatus = Literal["passed", "failed", "skipped"]
SmokeTestStatus = Literal["pending", "running", "succeeded", "failed"]
Status = Literal["ready", "incomplete"]
OnExtras = Literal["remove", "report"]


class Check(msgspec.Struct, frozen=True):
    """One named piece of evidence, and what was seen."""

    name: str
    status: CheckStatus
    detail: str


class SmokeTest(msgspec.Struct, frozen=True):
    """The last smoke test, finished or not."""

    status: SmokeTestStatus = "pending"
    execution_arn: str | None = None
    checks: tuple[Check, ...] = ()
    since: float | None = None
    """When it was first tried to start it, in seconds since the epoch."""
    started: float | None = None
    """When its execution was started, in seconds since the epoch."""
    after_update: bool = False
    """The state machine was changed for it: an execution may still run what was there before."""

    @property
    def finished(self) -> bool:
        """Tell whether it has come to an end, good or bad."""
        return self.status in ("succeeded", "failed")


class Declaration(msgspec.Struct, frozen=True, kw_only=True):
    """What an environment is declared to be; records of 1.0 have no profile and are `standard`."""

    profile: str = "standard"
    parameters: dict[str, str | list[str]] = {}
    tags: dict[str, str] = {}
    permissions_boundary: str | None = None
    on_extras: OnExtras = "remove"
    deletion_protection: bool = False


class Pause(msgspec.Struct, frozen=True):
    """Until when drift is reported and not put back, and why."""

    until: str
    reason: str


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """One environment: what was declared, what was made of it, and by whom."""

    name: str
    account_id: str
    partition: str
    region: str
    declaration: Declaration
    status: Status = "incomplete"
    awaits_state_machine: bool = False
    """Everything but the state machine is as declared; the smoke test makes that."""
    being_deleted: bool = False
    """A DELETE has begun and not ended: nothing but a call that wants it back makes it anew."""
    unique_ids: dict[str, str] = {}
    """RoleId, PolicyId or the state machine's creation date (UTC), by ARN."""
    made: dict[str, list[str]] = {}
    """What Trivet itself last put on each role, by the role's name: ARNs of managed policies and
    names of inline ones. What the declaration names no more is known by it, and goes."""
    smoke_test: SmokeTest = SmokeTest()
    pause: Pause | None = None
    created_at: str | None = None
    """`None` only in a dry run of what does not exist."""
    created_by: str | None = None
    updated_at: str | None = None
    updated_by: str | None = None
    checked_at: str | None = None
    """When it was last compared because IAM reported a change to it."""

    def paused_until(self, now: float) -> str | None:
        """Return the end of its pause, if one is going on."""
        going_on = self.pause is not None and self.pause.until > timestamp(now)
        return self.pause.until if self.pause is not None and going_on else None


class Look(msgspec.Struct, frozen=True):
    """The last comparison of an environment with AWS, by whomever."""

    in_sync: bool | None = None
    at: str | None = None
    """`None`, both, before the first."""


def shorter_names(name: str) -> list[str]:
    """Return the names of which this is one, a hyphen, and more: of `a-b-c`, `a` and `a-b`."""
    parts = name.split("-")
    return ["-".join(parts[:at]) for at in range(1, len(parts))]


def timestamp(seconds: float) -> str:
    """Return seconds since the epoch as RFC 3339 in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
