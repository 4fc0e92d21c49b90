"""What AWS holds under the names of one environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from chalicelib.model.desired import Document


@dataclass(frozen=True, slots=True)
class ActualRole:
    """A role as IAM holds it."""

    name: str
    arn: str
    path: str
    unique_id: str
    description: str
    max_session_duration: int
    trust_policy: Document
    managed_policies: frozenset[str]
    inline_policies: Mapping[str, Document]
    tags: Mapping[str, str]
    permissions_boundary: str | None


@dataclass(frozen=True, slots=True)
class ActualPolicy:
    """A customer managed policy as IAM holds it."""

    name: str
    arn: str
    unique_id: str
    document: Document
    tags: Mapping[str, str] | None
    """`None` where they were not read: no bulk listing shows them."""


@dataclass(frozen=True, slots=True)
class ActualStateMachine:
    """A state machine as Step Functions holds it. Its creation date serves as its unique id."""

    arn: str
    unique_id: str
    role_arn: str
    definition: Document


@dataclass(frozen=True, slots=True)
class Actual:
    """What AWS holds under the names of one environment: roles by lower-case name, policies by ARN.

    IAM's names are unique without regard to case, hence the lower-case key.
    """

    roles: Mapping[str, ActualRole] = field(default_factory=dict)
    policies: Mapping[str, ActualPolicy] = field(default_factory=dict)
    state_machine: ActualStateMachine | None = None

    def with_state_machine(self, state_machine: ActualStateMachine | None) -> "Actual":
        """Return the same, with this state machine."""
        return replace(self, state_machine=state_machine)
