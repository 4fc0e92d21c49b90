"""The shapes of requests and answers. Validation and the OpenAPI document both come from here."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from chalicelib import model
from chalicelib.model import Change
from chalicelib.records import Check, SmokeTestStatus, Status
from chalicelib.templates import NAME_MIN_LENGTH, NAME_PATTERN

# IAM's limits on tags: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
# Two of the 50 are Trivet's own. Beyond ASCII IAM allows letters, digits and spaces of any script.
_TAG_CHARACTERS = r"[A-Za-z0-9 _.:/=+@\u00a0-\ud7ff\uf900-\uffef-]*$"
TAG_TEXT = "Letters, digits, spaces and _ . : / = + - @ only, not starting with aws:"
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
Tags = Annotated[dict[TagKey, TagValue], Meta(max_length=48)]

PolicyArn = Annotated[
    str,
    Meta(
        max_length=2048,
        pattern=r"^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[A-Za-z0-9+=,.@_/-]+$",
        description="The ARN of a managed policy of this account, or of AWS's own.",
    ),
]
Wait = Annotated[
    float, Meta(ge=0, le=25, description="Seconds to wait for the smoke test, at most.")
]
Name = Annotated[str, Meta(min_length=NAME_MIN_LENGTH, pattern=NAME_PATTERN)]
"""The greatest length follows from the templates: see `requests.name_type`."""


class Declare(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What PUT declares; the name is in the path."""

    tags: Tags = {}
    permissions_boundary: PolicyArn | None = None
    on_extras: model.OnExtras = "remove"
    deletion_protection: bool = False
    adopt: bool = False
    dry_run: bool = False
    wait: Wait = 20


class Provision(Declare, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What POST declares."""

    name: Name


class RunSmokeTest(Struct, frozen=True, forbid_unknown_fields=True):
    """How a smoke test is to be run."""

    wait: Wait = 20


class RunDrift(Struct, frozen=True, forbid_unknown_fields=True):
    """How a drift run is to be done."""

    apply: bool = True


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """A body that has no fields, or a query that has no parameters."""


class ListQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """The query parameters of a listing."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 50
    cursor: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


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


class EnvironmentSummary(Struct, frozen=True, kw_only=True):
    """An environment, as a listing shows it."""

    name: str
    account_id: str
    partition: str
    region: str
    status: Status
    roles: dict[str, RoleName]
    smoke_test: SmokeTest
    tags: dict[str, str]
    permissions_boundary: str | None
    on_extras: model.OnExtras
    deletion_protection: bool
    created_at: str | None
    created_by: str | None
    updated_at: str | None
    updated_by: str | None


class Environment(EnvironmentSummary, frozen=True, kw_only=True):
    """An environment, and what the call changed in it."""

    changes: Sequence[Change]


class EnvironmentPage(Struct, frozen=True):
    """A page of the listing by name."""

    environments: list[EnvironmentSummary]
    next_cursor: str | None


class Drift(Struct, frozen=True):
    """What differs from the templates."""

    name: str
    in_sync: bool
    changes: Sequence[Change]


class Deleted(Struct, frozen=True):
    """What a deletion deleted."""

    name: str
    deleted: list[str]


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
    errors: list[FieldProblem] | msgspec.UnsetType = msgspec.UNSET
    correlation_id: str | msgspec.UnsetType = msgspec.UNSET
