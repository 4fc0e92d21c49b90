"""The plan for an environment: what differs, what is to be done about it, what is foreign. Pure.

Dry run, drift report, repair and adoption are the same plan, shown or carried out.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from chalicelib.errors import Conflict
from chalicelib.model.actual import Actual
from chalicelib.model.change import ChangeDocument
from chalicelib.model.desired import ROLE_TAG, Desired
from chalicelib.model.environment import Environment
from chalicelib.resources import policy, role, state_machine
from chalicelib.resources.change import AnyChange, Foreign
from chalicelib.resources.role import Context
from chalicelib.resources.tags import IsIgnored


class Plan(msgspec.Struct, frozen=True):
    """An environment as it is declared, as AWS holds it, and what lies between."""

    environment: Environment
    desired: Desired
    actual: Actual
    differences: tuple[AnyChange, ...]
    foreign: tuple[Foreign, ...]

    @property
    def in_sync(self) -> bool:
        """Tell whether AWS holds just what is declared."""
        return not self.differences and not self.foreign

    @property
    def documents(self) -> list[ChangeDocument]:
        """Every difference, to be shown."""
        return shown(self.differences)

    @property
    def steps(self) -> tuple[AnyChange, ...]:
        """What is to be done, in this order.

        What lost Trivet's tag or boundary gets it back first: Trivet's own permissions let it
        change only what has both. What someone added goes next, since it takes up quota. What the
        declaration names no more goes last, so that a role is never without what it needs.
        """
        keep_extras = self.environment.declaration.on_extras == "report"
        wanted = [each for each in self.differences if not (keep_extras and each.origin == "added")]
        return tuple(sorted(wanted, key=_turn))

    @property
    def unique_ids(self) -> dict[str, str]:
        """What is recorded of the environment's unique ids, and what was seen, by ARN."""
        names = {each.name.lower() for each in self.desired.roles}
        seen = {each.arn: each.unique_id for key, each in self.actual.roles.items() if key in names}
        seen |= {each.arn: each.unique_id for each in self.actual.policies.values()}
        if self.actual.state_machine is not None:
            seen[self.actual.state_machine.arn] = self.actual.state_machine.unique_id
        return self.environment.unique_ids | seen

    def settles(self, recorded: Environment) -> bool:
        """Tell whether nothing is left to do or to record."""
        return (
            not self.steps
            and recorded.status == "ready"
            and self.environment == recorded
            and self.unique_ids == recorded.unique_ids
        )

    def found_nothing_ours(self) -> bool:
        """Tell whether all that exists under the environment's names is someone else's."""
        machine = self.actual.state_machine is not None
        found = len(self.actual.roles) + len(self.actual.policies) + machine
        return found == len(self.foreign)

    def check_ours(self, adopt: bool = False, changed: bool = False) -> None:
        """Check that all that has the environment's names is its own.

        Args:
            adopt: whether what exists untagged may be taken over.
            changed: whether this operation has changed something already, before someone else came.

        Raises:
            Conflict: something is someone else's; all of it is named.
        """
        refused = [each for each in self.foreign if not (adopt and each.adoptable)]
        if not refused:
            return
        name = self.desired.name
        listed = "; ".join(f"{each.resource}: {each.reason}" for each in refused)
        advice = (
            f"POST /environments/{name}/adopt takes them over; or remove them, and call again."
            if all(each.adoptable for each in refused)
            else "Remove or rename them, or choose another name, and call again."
        )
        done = "was changed only in part" if changed else "was not changed"
        raise Conflict(
            f"Environment {name} {done}, since not all that has its names is its own. "
            f"{listed}. {advice}"
        )


def shown(changes: Sequence[AnyChange]) -> list[ChangeDocument]:
    """Return changes as people and programs read them."""
    return [each.document() for each in changes]


def compare(environment: Environment, desired: Desired, actual: Actual, ignored: IsIgnored) -> Plan:
    """Compare what is declared with what AWS holds.

    Args:
        environment: as it shall be recorded; its unique ids tell what is its own.
        ignored: tells of a tag key whether it is nobody's drift.
    """
    missing = {each.key for each in desired.roles if each.name.lower() not in actual.roles}
    found = _differences(environment, desired, actual, ignored)
    return Plan(
        environment,
        desired,
        actual,
        tuple(replace(each, of_missing_role=each.role in missing) for each in found),
        tuple(_foreign(desired, actual, environment.unique_ids)),
    )


def _differences(
    environment: Environment, desired: Desired, actual: Actual, ignored: IsIgnored
) -> Iterator[AnyChange]:
    documents = {each.arn: each.document for each in desired.policies}
    for wanted in desired.policies:
        yield from policy.differences(wanted, actual.policies.get(wanted.arn), ignored)
    for each in desired.roles:
        made = frozenset(environment.made.get(each.name, ()))
        context = Context(ignored, made, documents)
        yield from role.differences(each, actual.roles.get(each.name.lower()), context)
    yield from _left_over(environment, desired, actual)
    yield from state_machine.differences(desired.state_machine, actual.state_machine)


def _left_over(environment: Environment, desired: Desired, actual: Actual) -> Iterator[AnyChange]:
    """Return the environment's own policies that its declaration names no more."""
    declared = {each.arn for each in desired.policies}
    keep_extras = environment.declaration.on_extras == "report"
    for arn, held in actual.policies.items():
        if arn in declared:
            continue
        attached = [
            each
            for each in desired.roles
            if (there := actual.roles.get(each.name.lower())) and arn in there.managed_policies
        ]
        # Someone put it on another role too, and what they add is only reported.
        keeping = {
            each.name
            for each in attached
            if keep_extras and arn not in environment.made.get(each.name, ())
        }
        in_doubt = (held.tags or {}).get(ROLE_TAG, desired.state_machine.role)
        key = attached[0].key if attached else in_doubt
        own_roles = (each.name for each in desired.roles if each.name not in keeping)
        yield policy.DeletePolicy.of(key, held, own_roles)


def _foreign(desired: Desired, actual: Actual, unique_ids: Mapping[str, str]) -> Iterator[Foreign]:
    for each in desired.roles:
        there = actual.roles.get(each.name.lower())
        if there is not None:
            yield from role.foreign(each, there, desired.name, unique_ids.get(each.arn))
    for wanted in desired.policies:
        held = actual.policies.get(wanted.arn)
        if held is not None:
            recorded = unique_ids.get(wanted.arn)
            yield from policy.foreign(wanted, held, desired.name, recorded)
    if actual.state_machine is not None:
        yield from state_machine.foreign(desired.state_machine, actual.state_machine, unique_ids)


def _turn(change: AnyChange) -> int:
    if change.restores_ownership:
        return 0 if change.kind in ("tag_role", "tag_policy") else 1
    return {"added": 2, "lacking": 3, "left_over": 4}[change.origin]
