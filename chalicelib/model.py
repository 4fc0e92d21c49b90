"""The nouns of Trivet: what an environment should be, what AWS holds, and what differs.

Templates are rendered to a `Desired` environment, AWS is read into an `Actual` one, and
comparing the two gives `Change`s. All three are plain frozen data, so that dry run, drift
report and repair can show or do the very same changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Document = Mapping[str, Any]
"""A parsed JSON document: an IAM policy, a trust policy or a state machine definition."""

OnExtras = Literal["remove", "report"]

ChangeKind = Literal[
    "create_role",
    "update_trust_policy",
    "update_role",
    "tag_role",
    "untag_role",
    "put_permissions_boundary",
    "delete_permissions_boundary",
    "attach_managed_policy",
    "detach_managed_policy",
    "put_inline_policy",
    "delete_inline_policy",
    "create_policy",
    "update_policy",
    "tag_policy",
    "create_state_machine",
    "update_state_machine",
]

ENVIRONMENT_TAG = "trivet:environment"
ROLE_TAG = "trivet:role"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an environment lives: one account, and one region for its workflow."""

    account_id: str
    partition: str
    region: str


@dataclass(frozen=True, slots=True)
class Role:
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


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """A customer managed policy as the templates want it. `role` is the key of its role."""

    role: str
    name: str
    arn: str
    description: str
    document: Document
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StateMachine:
    """The smoke test's state machine. `role` is the key of the role it runs under."""

    role: str
    name: str
    arn: str
    role_arn: str
    definition: Document
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Expectation:
    """Who may, or may not, do what to whom: asked of `iam:SimulatePrincipalPolicy`."""

    name: str
    role: str
    action: str
    resource: str
    context: Mapping[str, str]
    expect: Literal["allowed", "denied"]


@dataclass(frozen=True, slots=True)
class Desired:
    """One environment as declared, rendered for the account it lives in."""

    environment: str
    place: Place
    roles: tuple[Role, ...]
    policies: tuple[ManagedPolicy, ...]
    state_machine: StateMachine
    expectations: tuple[Expectation, ...]

    def role(self, key: str) -> Role:
        """Return the role with this key."""
        return next(role for role in self.roles if role.key == key)


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

    def is_empty(self) -> bool:
        """Tell whether nothing at all was found."""
        return not (self.roles or self.policies or self.state_machine)


@dataclass(frozen=True, slots=True)
class Change:
    """One difference, and at the same time what puts it right.

    `expected` and `actual` carry whole values (a document, an ARN, a map of tags), so that
    what a repair removed can be read back from its report. The API shows it as it is.
    """

    kind: ChangeKind
    role: str
    resource: str
    expected: Any
    actual: Any


@dataclass(frozen=True, slots=True)
class Difference:
    """All that differs: `changes` is missing or altered, `extras` is what someone added."""

    changes: tuple[Change, ...] = ()
    extras: tuple[Change, ...] = ()

    @property
    def all(self) -> tuple[Change, ...]:
        """Every difference, extras last."""
        return self.changes + self.extras

    def to_apply(self, on_extras: OnExtras) -> tuple[Change, ...]:
        """Return what is to be done, in this order.

        What lost Trivet's tag is tagged first: Trivet's own permissions let it change only what
        carries the tag. Extras come next, since they take up quota.
        """
        extras = self.extras if on_extras == "remove" else ()
        first = tuple(
            change
            for change in self.changes
            if change.kind in ("tag_role", "tag_policy") and ENVIRONMENT_TAG not in change.actual
        )
        return first + extras + tuple(change for change in self.changes if change not in first)
