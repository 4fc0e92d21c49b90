"""A plan carried out: resources side by side, changes to one resource one after the other.

Concurrent changes to one role have been refused by IAM (ConcurrentModification) and lost
(terraform-provider-aws#34371, pulumi-aws#4235); different roles and policies do not mind.
A role waits for the customer managed policies that it attaches; a policy that is declared no more
waits for the roles; the state machine waits for the role that it runs under.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

import msgspec

from chalicelib.aws.accounts import Target
from chalicelib.errors import (
    Conflict,
    NotYet,
    QuotaReached,
    Refused,
    Rejected,
    Stale,
    TrivetError,
    Unavailable,
)
from chalicelib.model.desired import Desired
from chalicelib.resources.change import AnyChange
from chalicelib.work import telemetry, threads


class Applied(msgspec.Struct):
    """What became of some changes."""

    changes: list[AnyChange] = []
    """What was made, in the order of the plan."""
    left: list[AnyChange] = []
    """What was not; without any error, a state machine that cannot be made yet."""
    unique_ids: dict[str, str] = {}
    """Of what was created, by ARN."""
    errors: list[TrivetError] = []
    look_again: bool = False
    """Something was there already that was to be created: compare once more."""

    def add(self, other: "Applied") -> None:
        """Take in what another chain of changes came to."""
        self.changes += other.changes
        self.left += other.left
        self.unique_ids |= other.unique_ids
        self.errors += other.errors
        self.look_again |= other.look_again

    @property
    def is_stale(self) -> bool:
        """Tell whether nothing failed but what AWS's moving state made fail."""
        return bool(self.errors) and all(isinstance(each, Stale) for each in self.errors)

    def worst(self) -> TrivetError:
        """Return the error that most needs a person, saying too what else is left to do."""
        error = min(self.errors, key=_weight)
        error.args = (f"{error} {_left_to_do(self.left)}",)
        return error


_BY_WEIGHT = (Refused, QuotaReached, Rejected, Conflict, Unavailable, Stale, TrivetError)


def _weight(error: TrivetError) -> int:
    return next(at for at, kind in enumerate(_BY_WEIGHT) if isinstance(error, kind))


def _left_to_do(changes: Sequence[AnyChange]) -> str:
    if not changes:
        return "Nothing else is left to do."
    named = ", ".join(f"{change.kind} on {_short(change)}" for change in changes)
    return f"Left to do: {named}."


def _short(change: AnyChange) -> str:
    name = change.resource.rsplit(":", 1)[-1]
    return f"{name} ({change.expected})" if isinstance(change.expected, str) else name


Chain = Future[Applied]


def carry_out(
    target: Target, desired: Desired, steps: Sequence[AnyChange], then: Callable[[], None]
) -> Applied:
    """Carry out changes; the failure of one resource does not stop the others.

    Args:
        then: called once the state machine is there and its role complete, beside the work
            still going on for other roles. Its `TrivetError` counts as the state machine's.
    """
    by_resource: dict[str, list[AnyChange]] = {}
    for step in steps:
        by_resource.setdefault(step.resource, []).append(step)
    machine = by_resource.pop(desired.state_machine.arn, [])
    declared = [each.arn for each in desired.policies]
    roles = [each.arn for each in desired.roles]
    chains: dict[str, Chain] = {}
    for arn in (each for each in declared if each in by_resource):
        chains[arn] = threads.start(_chain, target, desired, by_resource[arn], {})
    for arn in (each for each in roles if each in by_resource):
        chains[arn] = threads.start(_chain, target, desired, by_resource[arn], dict(chains))
    under = chains.get(desired.state_machine.role_arn)
    role_chains = [chains[arn] for arn in roles if arn in chains]
    last = [
        threads.start(_machine_chain, target, desired, machine, under, then),
        *(
            threads.start(_after, role_chains, target, desired, by_resource[arn])
            for arn in by_resource
            if arn not in (*declared, *roles)
        ),
    ]
    applied = Applied()
    for each in threads.waited([*chains.values(), *last]):
        applied.add(each)
    return applied


def _chain(
    target: Target,
    desired: Desired,
    changes: Sequence[AnyChange],
    policies: Mapping[str, Chain],
) -> Applied:
    """Carry out the changes to one role or policy, up to the first that fails."""
    applied = Applied()
    for at, change in enumerate(changes):
        attached = policies.get(change.expected) if isinstance(change.expected, str) else None
        if attached is not None and attached.result().errors:
            applied.left += changes[at:]
            return applied
        try:
            _one(target, desired, change, applied)
        except TrivetError as error:
            applied.errors.append(error)
            applied.left += changes[at:]
            return applied
    return applied


def _after(
    roles: Sequence[Chain], target: Target, desired: Desired, changes: Sequence[AnyChange]
) -> Applied:
    """Take away a policy that is declared no more, once no role has it."""
    if any(each.errors for each in threads.waited(roles)):
        return Applied(left=list(changes))
    return _chain(target, desired, changes, {})


def _machine_chain(
    target: Target,
    desired: Desired,
    changes: Sequence[AnyChange],
    role: Chain | None,
    then: Callable[[], None],
) -> Applied:
    applied = Applied()
    if role is not None and (role.result().errors or role.result().left):
        applied.left += changes
        return applied
    try:
        for change in changes:
            _one(target, desired, change, applied)
        then()
    except NotYet:
        # Most often the role is but a moment old: the smoke test tries again.
        applied.left += changes[len(applied.changes) :]
    except TrivetError as error:
        applied.errors.append(error)
        applied.left += changes[len(applied.changes) :]
    return applied


def _one(target: Target, desired: Desired, change: AnyChange, applied: Applied) -> None:
    outcome = change.apply(target)
    if outcome.unique_id is not None:
        applied.unique_ids[change.resource] = outcome.unique_id
    applied.look_again |= outcome.look_again
    applied.changes.append(change)
    telemetry.log_change(desired.name, change.document())
