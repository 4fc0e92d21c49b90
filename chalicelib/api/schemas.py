"""The shapes of requests and answers. Validation and the OpenAPI document both come from here.

A field of a declaration that is `UNSET` was left out: it keeps the value it has.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from chalicelib.catalogue.names import NAME_MIN_LENGTH, NAME_PATTERN
from chalicelib.model.change import ChangeDocument
from chalicelib.model.environment import Check, OnExtras, SmokeTestStatus
from chalicelib.model.history import HistoryEntry
from chalicelib.model.report import Report
from chalicelib.table.entry import ShownStatus

# IAM's limits on tags: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
# Two of the 50 are Trivet's own. Beyond ASCII IAM allows letters, digits and spaces of any script,
# which `requests` tells: a pattern with ranges of that length takes a tenth of a cold start.
_TAG_CHARACTERS = r"([A-Za-z0-9 _.:/=+@-]|[^\x00-\x9f])*$"
TAG_TEXT = "letters, digits, spaces and _ . : / = + - @ only, not starting with aws:"
_AWS = r"(?![aA][wW][sS]:)"
_TRIVET = r"(?![tT][rR][iI][vV][eE][tT]:)"
TagKey = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        pattern=f"^{_AWS}{_TRIVET}{_TAG_CHARACTERS}",
        description=f"{TAG_TEXT} or trivet:",
    ),
]
TagValue = Annotated[
    str, Meta(max_length=256, pattern=f"^{_AWS}{_TAG_CHARACTERS}", description=TAG_TEXT)
]
Tags = Annotated[
    dict[TagKey, TagValue],
    Meta(max_length=48, description="The caller's own tags, put on every role and policy."),
]
PolicyArn = Annotated[
    str,
    Meta(
        max_length=2048,
        pattern=r"^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[A-Za-z0-9+=,.@_/-]+$",
        description="the ARN of a managed policy of this account, or of AWS's own",
    ),
]
Wait = Annotated[
    float, Meta(ge=0, le=25, description="Seconds to wait for the smoke test, at most.")
]
Name = Annotated[
    str,
    Meta(min_length=NAME_MIN_LENGTH, pattern=NAME_PATTERN, description="an environment's name"),
]
"""The greatest length follows from the templates: see `requests.name_type`."""
AccountId = Annotated[str, Meta(pattern=r"^[0-9]{12}$", description="an AWS account id: 12 digits")]
Moment = Annotated[
    str,
    Meta(
        max_length=40,
        description="a time as RFC 3339 in UTC, such as 2026-11-25T18:00:00Z",
        extra_json_schema={"format": "date-time"},
    ),
]
AccountStatus = Literal["connected", "unreachable"]
ParameterValues = dict[str, str | list[str]]


class Declare(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What PUT and adopt declare; the name is in the path."""

    profile: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET
    parameters: ParameterValues | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    permissions_boundary: PolicyArn | UnsetType | None = UNSET
    on_extras: OnExtras | UnsetType = UNSET
    deletion_protection: bool | UnsetType = UNSET
    dry_run: bool = False
    wait: Wait = 20


DECLARED = (
    "profile",
    "parameters",
    "tags",
    "permissions_boundary",
    "on_extras",
    "deletion_protection",
)
"""The fields that are the declaration; the others concern the call alone."""


class Provision(Declare, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What POST declares."""

    name: Name


class Reapply(Struct, frozen=True, forbid_unknown_fields=True):
    """How an environment is to be put back."""

    dry_run: bool = False
    wait: Wait = 20


class RunSmokeTest(Struct, frozen=True, forbid_unknown_fields=True):
    """How a smoke test is to be run."""

    wait: Wait = 20


class PauseUntil(Struct, frozen=True, forbid_unknown_fields=True):
    """Until when drift is reported and not put back, at most 7 days ahead, and why."""

    until: Moment
    reason: Annotated[str, Meta(min_length=1, max_length=500)]


class RunDrift(Struct, frozen=True, forbid_unknown_fields=True):
    """How a drift run is to be done."""

    apply: bool = True
    confirm: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    environments: Annotated[list[Name], Meta(min_length=1, max_length=1000)] | None = None
    accounts: Annotated[list[AccountId], Meta(min_length=1, max_length=1000)] | None = None
    wait: Wait = 20


class RegisterAccount(Struct, frozen=True, forbid_unknown_fields=True):
    """A member account that is to be registered."""

    alias: Annotated[str, Meta(min_length=1, max_length=100)] | None = None


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """A body that has no fields, or a query that has no parameters."""


Cursor = Annotated[
    str, Meta(min_length=1, max_length=500, description="the next_cursor of the page before")
]
Limit = Annotated[int, Meta(ge=1, le=100, description="How many a page holds, at most.")]


class PageQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """The query parameters of a listing."""

    limit: Limit = 50
    cursor: Cursor | None = None


class ListQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """The query parameters of the listing of environments."""

    limit: Limit = 50
    cursor: Cursor | None = None
    status: ShownStatus | None = None
    profile: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    in_sync: Literal["true", "false"] | None = None
    tag: (
        Annotated[
            str,
            Meta(min_length=2, max_length=400, pattern="^[^:].*:", description="key:value"),
        ]
        | None
    ) = None


class ReportQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """The query parameters of a report: which page of its environments."""

    limit: Annotated[int, Meta(ge=1, le=1000, description="How many a page holds, at most.")] = 200
    cursor: Cursor | None = None


class RoleName(Struct, frozen=True):
    """A role's name and ARN."""

    name: str
    arn: str


class SmokeTest(Struct, frozen=True):
    """The last smoke test."""

    status: SmokeTestStatus
    state_machine_arn: str
    execution_arn: str | None
    checks: list[Check]


class LastLook(Struct, frozen=True):
    """The last comparison with AWS, by whomever; nulls before the first."""

    in_sync: bool | None
    checked_at: str | None


class EnvironmentSummary(Struct, frozen=True, kw_only=True):
    """An environment, as a listing shows it."""

    name: str
    account_id: str
    partition: str
    region: str
    profile: str
    parameters: ParameterValues
    status: ShownStatus
    drift: LastLook
    roles: dict[str, RoleName]
    smoke_test: SmokeTest
    tags: dict[str, str]
    permissions_boundary: str | None
    on_extras: OnExtras
    deletion_protection: bool
    paused_until: str | None
    created_at: str | None
    created_by: str | None
    updated_at: str | None
    updated_by: str | None


class Environment(EnvironmentSummary, frozen=True, kw_only=True, omit_defaults=True):
    """An environment, and what the call changed in it (or would, in a dry run)."""

    changes: Sequence[ChangeDocument]
    dry_run: bool = False


class EnvironmentPage(Struct, frozen=True):
    """A page of the listing by name."""

    environments: list[EnvironmentSummary]
    next_cursor: str | None


class ForeignResource(Struct, frozen=True):
    """What has one of the environment's names and is not the environment's, and why."""

    resource: str
    reason: str


class Drift(Struct, frozen=True):
    """What differs from the templates."""

    name: str
    in_sync: bool
    changes: Sequence[ChangeDocument]
    foreign: Sequence[ForeignResource]


class HistoryPage(Struct, frozen=True):
    """A page of what was done to an environment, newest first."""

    entries: Sequence[HistoryEntry]
    next_cursor: str | None


class DetachedPolicy(Struct, frozen=True):
    """A policy of someone else's that was attached to a role."""

    policy: str
    role: str


class Deleted(Struct, frozen=True):
    """What a deletion deleted, detached and left."""

    name: str
    deleted: Sequence[str]
    detached: Sequence[DetachedPolicy]
    left: Sequence[ForeignResource]


class DriftRunPage(Struct, frozen=True):
    """A page of the reports kept, newest first."""

    drift_runs: Sequence[Report]
    next_cursor: str | None


class ParameterDocument(Struct, frozen=True):
    """A parameter that a profile asks for."""

    description: str
    pattern: str
    default: str | list[str]


class ProfileDocument(Struct, frozen=True):
    """A profile that this deployment allows."""

    name: str
    description: str
    default: bool
    roles: list[str]
    parameters: dict[str, ParameterDocument]


class Profiles(Struct, frozen=True):
    """The profiles that this deployment allows."""

    profiles: list[ProfileDocument]


class AccountDocument(Struct, frozen=True, kw_only=True):
    """An account that environments can be made in."""

    account_id: str
    alias: str | None
    home: bool
    status: AccountStatus
    detail: str | None
    environments: int
    registered_at: str | None
    registered_by: str | None
    checked_at: str | None


class AccountPage(Struct, frozen=True):
    """A page of the accounts, home first."""

    accounts: list[AccountDocument]
    next_cursor: str | None


class ForgottenAccount(Struct, frozen=True):
    """An account that is registered no more."""

    account_id: str


class Health(Struct, frozen=True):
    """Who and where this Trivet is."""

    status: Literal["ok"]
    account_id: str
    partition: str
    region: str
    version: str


class FieldProblem(Struct, frozen=True):
    """What is wrong with one field or query parameter."""

    field: str
    message: str


class Problem(Struct, frozen=True, omit_defaults=True):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] | UnsetType = UNSET
    correlation_id: str | UnsetType = UNSET


def declared(body: Declare) -> dict[str, Any]:
    """Return the fields of the declaration that a body names."""
    given = {name: getattr(body, name) for name in DECLARED}
    return {name: value for name, value in given.items() if value is not msgspec.UNSET}
