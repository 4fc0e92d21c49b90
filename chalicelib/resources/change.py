"""A kind of change is a type: it carries what is expected and what was found, and puts it right."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Generic, Literal, TypeVar

import msgspec

from chalicelib.aws.accounts import Target
from chalicelib.model.change import ChangeDocument, Explanation
from chalicelib.model.desired import ENVIRONMENT_TAG
from chalicelib.work import operation

Expected_co = TypeVar("Expected_co", covariant=True)
Found_co = TypeVar("Found_co", covariant=True)

Origin = Literal["lacking", "added", "left_over"]
"""Why a difference is there: what is declared is missing or altered; someone added to it; or Trivet
itself once put there what the declaration names no more."""


class Outcome(msgspec.Struct, frozen=True):
    """What carrying out a change brought to light."""

    unique_id: str | None = None
    """Of what was created."""
    look_again: bool = False
    """Something was there already that was to be created: compare once more."""


DONE = Outcome()


class Change(msgspec.Struct, Generic[Expected_co, Found_co], frozen=True):
    """One difference between what is declared and what AWS holds."""

    kind: ClassVar[str]
    """Such as `update_trust_policy`: what callers and programs know it by."""
    actions: ClassVar[tuple[str, ...]]
    """The IAM actions that putting it right needs."""
    events: ClassVar[tuple[str, ...]] = ()
    """The CloudTrail events, besides those actions' own, that tell of such a difference."""

    role: str
    resource: str
    expected: Expected_co
    actual: Found_co
    origin: Origin = "lacking"
    of_missing_role: bool = False
    """Whether the role itself is not there."""

    @property
    def name(self) -> str:
        """The name of the resource."""
        return self.resource.rsplit("/", 1)[-1].rsplit(":", 1)[-1]

    @property
    def restores_ownership(self) -> bool:
        """Tell whether Trivet's permissions allow other changes only after this one."""
        return False

    @abstractmethod
    def apply(self, target: Target) -> Outcome:
        """Put it right.

        Raises:
            TrivetError: it was not done, or nobody knows; the message names change and resource.
        """

    @abstractmethod
    def explain(self) -> Explanation:
        """Say what differs, and what that means."""

    def document(self) -> ChangeDocument:
        """Return the change as people and programs read it."""
        told = self.explain()
        # A policy that also denies may leave a role more than it takes, but not one that is gone.
        gone = self.of_missing_role and self.actual is None and told.effect == "altered"
        return ChangeDocument(
            self.kind,
            self.role,
            self.resource,
            told.summary,
            "narrowed" if gone else told.effect,
            self.expected,
            self.actual,
        )


AnyChange = Change[object, object]


class Foreign(msgspec.Struct, frozen=True):
    """A resource that has one of the environment's names and is not the environment's."""

    resource: str
    reason: str
    adoptable: bool


def foreign_by_tags(arn: str, tags: Mapping[str, str] | None, environment: str) -> list[Foreign]:
    """Tell by its tags whose a resource is whose unique id is not recorded."""
    owner = (tags or {}).get(ENVIRONMENT_TAG)
    if owner == environment:
        return []
    if owner is not None:
        return [Foreign(arn, f"its tags say that it belongs to environment {owner}", False)]
    return [Foreign(arn, "it exists without Trivet's tags", adoptable=True)]


def will_be_fresh(*names: str) -> None:
    """Remember that these are being made: for a while IAM may not show them everywhere."""
    current = operation.current()
    if current is not None:
        current.fresh.update(names)
