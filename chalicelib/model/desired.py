"""What an environment should be: its profile's templates, rendered for the account it lives in."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Document = Mapping[str, Any]
"""A parsed JSON document: an IAM policy, a trust policy or a state machine definition."""

ENVIRONMENT_TAG = "trivet:environment"
ROLE_TAG = "trivet:role"


class Place(msgspec.Struct, frozen=True):
    """Where an environment lives: one account, and one region for its workflow."""

    account_id: str
    partition: str
    region: str

    @property
    def iam(self) -> str:
        """The beginning of this account's IAM ARNs, such as `arn:aws:iam::123456789012`."""
        return f"arn:{self.partition}:iam::{self.account_id}"

    @property
    def states(self) -> str:
        """The beginning of this account's Step Functions ARNs in this region."""
        return f"arn:{self.partition}:states:{self.region}:{self.account_id}"


class Role(msgspec.Struct, frozen=True):
    """A role as the templates want it. `key` is its name in `policies/` and in the API."""

    key: str
    name: str
    arn: str
    description: str
    max_session_duration: int
    """Seconds."""
    trust_policy: Document
    managed_policies: tuple[str, ...]
    """ARNs: AWS's managed policies and the environment's own customer managed ones."""
    inline_policies: Mapping[str, Document]
    tags: Mapping[str, str]
    permissions_boundary: str | None


class ManagedPolicy(msgspec.Struct, frozen=True):
    """A customer managed policy as the templates want it. `role` is the key of its role."""

    role: str
    name: str
    arn: str
    description: str
    document: Document
    tags: Mapping[str, str]


class StateMachine(msgspec.Struct, frozen=True):
    """The smoke test's state machine. `role` is the key of the role it runs under."""

    role: str
    name: str
    arn: str
    role_arn: str
    definition: Document
    tags: Mapping[str, str]


class Expectation(msgspec.Struct, frozen=True):
    """Who may, or may not, do what to whom: asked of `iam:SimulatePrincipalPolicy`."""

    name: str
    role: str
    action: str
    resource: str
    context: Mapping[str, str]
    expect: Literal["allowed", "denied"]


class Desired(msgspec.Struct, frozen=True):
    """One environment as declared, rendered for the account it lives in."""

    name: str
    """The environment's."""
    place: Place
    roles: tuple[Role, ...]
    policies: tuple[ManagedPolicy, ...]
    state_machine: StateMachine
    expectations: tuple[Expectation, ...]

    def role(self, key: str) -> Role:
        """Return the role with this key."""
        return next(role for role in self.roles if role.key == key)
