"""What AWS holds under the names of one environment."""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from chalicelib.model.desired import Document


class ActualRole(msgspec.Struct, frozen=True):
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


class ActualPolicy(msgspec.Struct, frozen=True):
    """A customer managed policy as IAM holds it."""

    name: str
    arn: str
    unique_id: str
    document: Document
    tags: Mapping[str, str] | None
    """`None` where they were not read: no bulk listing shows them."""


class ActualStateMachine(msgspec.Struct, frozen=True):
    """A state machine as Step Functions holds it. Its creation date serves as its unique id."""

    arn: str
    unique_id: str
    role_arn: str
    definition: Document


class Actual(msgspec.Struct, frozen=True):
    """What AWS holds under the names of one environment: roles by lower-case name, policies by ARN.

    IAM's names are unique without regard to case, hence the lower-case key.
    """

    roles: Mapping[str, ActualRole] = {}
    policies: Mapping[str, ActualPolicy] = {}
    state_machine: ActualStateMachine | None = None

    def with_state_machine(self, state_machine: ActualStateMachine | None) -> "Actual":
        """Return the same, with this state machine."""
        return replace(self, state_machine=state_machine)
