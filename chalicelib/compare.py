"""Desired against actual: what differs, and what is not Trivet's to touch. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from chalicelib import documents
from chalicelib.errors import Conflict
from chalicelib.model import (
    ENVIRONMENT_TAG,
    Actual,
    ActualPolicy,
    ActualRole,
    ActualStateMachine,
    Change,
    Desired,
    Difference,
    ManagedPolicy,
    Role,
    StateMachine,
)


@dataclass(frozen=True, slots=True)
class Foreign:
    """A resource that has one of the environment's names and is not the environment's."""

    resource: str
    reason: str
    adoptable: bool


def difference(desired: Desired, actual: Actual) -> Difference:
    """Return all that differs between what is declared and what AWS holds.

    Whose the resources are is not looked at here: see `foreign`.
    """
    changes: list[Change] = []
    extras: list[Change] = []
    for policy in desired.policies:
        kept = actual.policies.get(policy.arn)
        changes += _policy(policy, kept)
        extras += _policy_extras(policy, kept)
    for role in desired.roles:
        found = actual.roles.get(role.name.lower())
        changes += _new_role(role) if found is None else _role(role, found)
        extras += [] if found is None else _extras(role, found)
    changes += state_machine(desired.state_machine, actual.state_machine)
    return Difference(tuple(changes), tuple(extras))


def state_machine(desired: StateMachine, actual: ActualStateMachine | None) -> list[Change]:
    """Return what differs in the state machine: no change or one."""
    expected = {"definition": desired.definition, "role_arn": desired.role_arn}
    if actual is None:
        return [Change("create_state_machine", desired.role, desired.arn, expected, None)]
    if desired.role_arn == actual.role_arn and documents.same_json(
        desired.definition, actual.definition
    ):
        return []
    found = {"definition": actual.definition, "role_arn": actual.role_arn}
    return [Change("update_state_machine", desired.role, desired.arn, expected, found)]


def foreign(desired: Desired, actual: Actual, unique_ids: Mapping[str, str]) -> list[Foreign]:
    """Return the resources under the environment's names that are not the environment's.

    One is the environment's if it has the unique id recorded for its ARN, or else carries
    Trivet's tag for this environment. A state machine has no tags in DescribeStateMachine: it is
    the environment's too if it runs under the environment's role.

    Args:
        unique_ids: RoleId, PolicyId or creation date that Trivet recorded, by ARN.
    """
    found: list[Foreign] = []
    for role in desired.roles:
        held = actual.roles.get(role.name.lower())
        if held is not None:
            found += _foreign_role(role, held, desired.environment, unique_ids)
    for policy in desired.policies:
        kept = actual.policies.get(policy.arn)
        if kept is not None and kept.unique_id != unique_ids.get(policy.arn):
            found += _foreign_tags(kept.arn, kept.tags, desired.environment)
    machine = actual.state_machine
    if machine is not None and not owns_state_machine(desired, machine, unique_ids):
        found.append(Foreign(machine.arn, "it runs under another role", adoptable=True))
    return found


def owns_state_machine(
    desired: Desired, machine: ActualStateMachine, unique_ids: Mapping[str, str]
) -> bool:
    """Tell whether the state machine under the environment's name is its own: see `foreign`."""
    return (
        machine.unique_id == unique_ids.get(machine.arn)
        or machine.role_arn == desired.state_machine.role_arn
    )


def check_ours(
    desired: Desired,
    actual: Actual,
    unique_ids: Mapping[str, str],
    adopt: bool = False,
    made: Sequence[Change] = (),
) -> None:
    """Check that all that has the environment's names is its own.

    Args:
        unique_ids: as recorded, by ARN: see `foreign`.
        adopt: whether what exists untagged may be taken over.
        made: what this operation has changed already, before someone else came.

    Raises:
        Conflict: something is someone else's; all of it is named.
    """
    found = foreign(desired, actual, unique_ids)
    refused = [each for each in found if not (adopt and each.adoptable)]
    if not refused:
        return
    listed = "; ".join(f"{each.resource}: {each.reason}" for each in refused)
    advice = (
        'Call with "adopt": true to take them over, or remove them.'
        if all(each.adoptable for each in refused)
        else "Remove or rename them, or choose another name."
    )
    done = "was changed only in part" if made else "was not changed"
    raise Conflict(
        f"Environment {desired.environment} {done}, since not all that has its names is its own. "
        f"{listed}. {advice}"
    )


def unique_ids(desired: Desired, actual: Actual) -> dict[str, str]:
    """Return the unique ids of what was found of this environment, by ARN."""
    names = {role.name.lower() for role in desired.roles}
    ids = {role.arn: role.unique_id for name, role in actual.roles.items() if name in names}
    ids |= {policy.arn: policy.unique_id for policy in actual.policies.values()}
    if actual.state_machine is not None:
        ids[actual.state_machine.arn] = actual.state_machine.unique_id
    return ids


def _foreign_role(
    role: Role, held: ActualRole, environment: str, unique_ids: Mapping[str, str]
) -> list[Foreign]:
    if held.arn != role.arn:
        reason = f"its ARN differs in path or case from {role.arn}, which only a new role can have"
        return [Foreign(held.arn, reason, adoptable=False)]
    if held.unique_id == unique_ids.get(role.arn):
        return []
    return _foreign_tags(held.arn, held.tags, environment)


def _foreign_tags(arn: str, tags: Mapping[str, str] | None, environment: str) -> list[Foreign]:
    owner = (tags or {}).get(ENVIRONMENT_TAG)
    if owner == environment:
        return []
    if owner is not None:
        return [Foreign(arn, f"its tags say that it belongs to environment {owner}", False)]
    return [Foreign(arn, "it exists without Trivet's tags", adoptable=True)]


def _new_role(role: Role) -> Iterator[Change]:
    made = {
        "name": role.name,
        "description": role.description,
        "max_session_duration": role.max_session_duration,
        "trust_policy": role.trust_policy,
        "tags": dict(role.tags),
        "permissions_boundary": role.permissions_boundary,
    }
    yield Change("create_role", role.key, role.arn, made, None)
    for name, document in role.inline_policies.items():
        yield _inline(role, name, document, None)
    for arn in role.managed_policies:
        yield Change("attach_managed_policy", role.key, role.arn, arn, None)


def _role(role: Role, held: ActualRole) -> Iterator[Change]:
    if not documents.same_policy(role.trust_policy, held.trust_policy):
        yield Change(
            "update_trust_policy", role.key, role.arn, role.trust_policy, held.trust_policy
        )
    expected = _settings(role.description, role.max_session_duration)
    found = _settings(held.description, held.max_session_duration)
    if expected != found:
        yield Change("update_role", role.key, role.arn, expected, found)
    if any(held.tags.get(key) != value for key, value in role.tags.items()):
        yield Change("tag_role", role.key, role.arn, dict(role.tags), dict(held.tags))
    if role.permissions_boundary != held.permissions_boundary:
        put = role.permissions_boundary is not None
        yield Change(
            "put_permissions_boundary" if put else "delete_permissions_boundary",
            role.key,
            role.arn,
            role.permissions_boundary,
            held.permissions_boundary,
        )
    for name, document in role.inline_policies.items():
        there = held.inline_policies.get(name)
        if there is None or not documents.same_policy(document, there):
            yield _inline(role, name, document, there)
    for arn in role.managed_policies:
        if arn not in held.managed_policies:
            yield Change("attach_managed_policy", role.key, role.arn, arn, None)


def _extras(role: Role, held: ActualRole) -> Iterator[Change]:
    for arn in sorted(held.managed_policies.difference(role.managed_policies)):
        yield Change("detach_managed_policy", role.key, role.arn, None, arn)
    for name, document in sorted(held.inline_policies.items()):
        if name not in role.inline_policies:
            found = {"name": name, "document": document}
            yield Change("delete_inline_policy", role.key, role.arn, None, found)
    if _added(held.tags, role.tags):
        yield Change("untag_role", role.key, role.arn, dict(role.tags), dict(held.tags))


def _added(tags: Mapping[str, str], expected: Mapping[str, str]) -> bool:
    # Tags that start with aws: are AWS's own and cannot be removed.
    return any(key not in expected and not key.startswith("aws:") for key in tags)


def _policy(policy: ManagedPolicy, held: ActualPolicy | None) -> Iterator[Change]:
    if held is None:
        made = {
            "name": policy.name,
            "description": policy.description,
            "document": policy.document,
            "tags": dict(policy.tags),
        }
        yield Change("create_policy", policy.role, policy.arn, made, None)
        return
    if not documents.same_policy(policy.document, held.document):
        yield Change("update_policy", policy.role, policy.arn, policy.document, held.document)
    if held.tags is not None and any(
        held.tags.get(key) != value for key, value in policy.tags.items()
    ):
        tags = {**held.tags, **policy.tags}
        yield Change("tag_policy", policy.role, policy.arn, tags, dict(held.tags))


def _policy_extras(policy: ManagedPolicy, held: ActualPolicy | None) -> Iterator[Change]:
    tags = held.tags if held is not None else None
    if tags is not None and _added(tags, policy.tags):
        # There is no kind of its own for this: the same kind with fewer tags expected.
        yield Change("tag_policy", policy.role, policy.arn, dict(policy.tags), dict(tags))


def _inline(role: Role, name: str, document: object, there: object) -> Change:
    return Change(
        "put_inline_policy",
        role.key,
        role.arn,
        {"name": name, "document": document},
        None if there is None else {"name": name, "document": there},
    )


def _settings(description: str, max_session_duration: int) -> dict[str, object]:
    # IAM trims descriptions, so that space around one is no difference.
    return {"description": description.strip(), "max_session_duration": max_session_duration}
