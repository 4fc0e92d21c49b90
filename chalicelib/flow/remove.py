"""An environment taken away: what is its own, whatever was attached to it, and nothing else.

Whatever stands against it is found before anything is deleted. IAM deletes a role only when
nothing is attached to it and no instance profile holds it, and a policy only when it is attached
nowhere and has but its default version:
https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from chalicelib.aws.accounts import Target
from chalicelib.aws.answers import call
from chalicelib.errors import Conflict, Stale
from chalicelib.flow.boundary import ensure
from chalicelib.model.desired import ENVIRONMENT_TAG, Desired
from chalicelib.resources import policy, role, state_machine, tags
from chalicelib.work import operation, threads

_TRIES = 5


class Detached(msgspec.Struct, frozen=True):
    """A policy of someone else's that was attached to one of the roles."""

    policy: str
    role: str


class Left(msgspec.Struct, frozen=True):
    """What has one of the environment's names and stays, since it is someone else's."""

    resource: str
    reason: str


class Removed(msgspec.Struct, frozen=True):
    """What was deleted (ARNs), detached and left."""

    deleted: list[str] = []
    detached: list[Detached] = []
    left: list[Left] = []


class _Own(msgspec.Struct, frozen=True):
    """What of an environment is there and its own: IAM's heads by ARN."""

    roles: Mapping[str, Any]
    policies: Mapping[str, Any]
    machine: str | None
    left: list[Left]


def remove(target: Target, desired: Desired, unique_ids: Mapping[str, str]) -> Removed:
    """Delete the environment's own state machine, roles and policies.

    Args:
        unique_ids: as recorded, by ARN; what they name is removed also where the templates
            do not name it any more.

    Raises:
        Conflict: a role is in an instance profile, or a policy is used by someone else; nothing was
            deleted.
        TrivetError: AWS refuses or fails; what is left is deleted by the same call again.
    """
    own = _found(target, desired, unique_ids)
    _check_unused(target, own)
    _give_back(target, own, desired)
    if own.machine is not None:
        state_machine.delete(target, own.machine)
    attached = threads.side_by_side(
        lambda arn: _persist(lambda: role.delete(target, _name(arn))), own.roles
    )
    threads.side_by_side(lambda arn: _persist(lambda: policy.delete(target, arn)), own.policies)
    declared = {each for one in desired.roles for each in one.managed_policies}
    return Removed(
        deleted=[*([own.machine] if own.machine else []), *own.roles, *own.policies],
        detached=[
            Detached(arn, _name(one))
            for one, arns in zip(own.roles, attached, strict=True)
            for arn in arns or ()
            if arn not in declared and arn not in own.policies
        ],
        left=own.left,
    )


def _found(target: Target, desired: Desired, unique_ids: Mapping[str, str]) -> _Own:
    roles = {each.arn for each in desired.roles} | _recorded(unique_ids, ":role/")
    policies = {each.arn for each in desired.policies} | _recorded(unique_ids, ":policy/")
    left: list[Left] = []

    def owned(arns: Iterable[str], head: Callable[[str], Any], id_key: str) -> dict[str, Any]:
        ordered = sorted(arns)
        heads = zip(ordered, threads.side_by_side(head, ordered), strict=True)
        there = {arn: found for arn, found in heads if found is not None}
        reasons = {
            arn: _foreign(arn, found, found[id_key] == unique_ids.get(arn), desired.name)
            for arn, found in there.items()
        }
        left.extend(Left(there[arn]["Arn"], reason) for arn, reason in reasons.items() if reason)
        return {arn: found for arn, found in there.items() if reasons[arn] is None}

    own_roles = owned(roles, lambda arn: role.head(target, _name(arn)), "RoleId")
    own_policies = owned(policies, lambda arn: policy.head(target, arn), "PolicyId")
    machine = state_machine.read(target, desired.state_machine.arn)
    if machine is not None:
        foreign = state_machine.foreign(desired.state_machine, machine, unique_ids)
        left += [Left(each.resource, each.reason) for each in foreign]
        if foreign:
            machine = None
    return _Own(own_roles, own_policies, machine.arn if machine else None, left)


def _foreign(arn: str, found: Any, recorded: bool, environment: str) -> str | None:
    """Return why what has one of the environment's names is not its own, if it is not."""
    if found["Arn"] != arn:
        return f"its ARN differs in path or case from {arn}"
    owner = tags.as_map(found.get("Tags")).get(ENVIRONMENT_TAG)
    if recorded or owner == environment:
        return None
    if owner is not None:
        return f"its tags say that it belongs to environment {owner}"
    return "it carries none of Trivet's tags, and is not the one that Trivet made"


def _check_unused(target: Target, own: _Own) -> None:
    """Refuse to take away what someone else relies on."""
    profiles = threads.side_by_side(
        lambda arn: role.instance_profiles(target, _name(arn)), own.roles
    )
    against = [
        f"role {_name(arn)} is in instance profile {profile}"
        for arn, names in zip(own.roles, profiles, strict=True)
        for profile in names
    ]
    names = {f"role {_name(arn)}".lower() for arn in own.roles}
    users = threads.side_by_side(lambda arn: policy.users(target, arn), own.policies)
    for arn, using in zip(own.policies, users, strict=True):
        others = [each for each in using if each.lower() not in names]
        if others:
            against.append(f"policy {arn} is used by {', '.join(others)}")
    if against:
        raise Conflict(
            f"Nothing was deleted, since others use what is to go: {'; '.join(against)}. Take it "
            "out there, then call DELETE again."
        )


def _give_back(target: Target, own: _Own, desired: Desired) -> None:
    """Give tag and boundary back to what lost them: only what has both may Trivet take away."""
    marked = tags.as_list({ENVIRONMENT_TAG: desired.name})
    boundary = desired.roles[0].permissions_boundary

    def tag(arn: str) -> None:
        if ":role/" in arn:
            call(f"tagging {arn}", target.iam.tag_role, RoleName=_name(arn), Tags=marked)
        else:
            call(f"tagging {arn}", target.iam.tag_policy, PolicyArn=arn, Tags=marked)

    def bound(arn: str) -> None:
        put = target.iam.put_role_permissions_boundary
        doing = f"putting permissions boundary {boundary} on role {_name(arn)}"
        call(doing, put, RoleName=_name(arn), PermissionsBoundary=boundary)

    everything = {**own.roles, **own.policies}
    threads.side_by_side(tag, [arn for arn, found in everything.items() if not _is_tagged(found)])
    unbounded = [arn for arn, found in own.roles.items() if _boundary(found) != boundary]
    if boundary is not None and unbounded:
        ensure(target, desired)
        threads.side_by_side(bound, unbounded)


def _is_tagged(found: Any) -> bool:
    return ENVIRONMENT_TAG in tags.as_map(found.get("Tags"))


def _boundary(found: Any) -> str | None:
    there: str | None = found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    return there


def _persist(removal: Callable[[], list[str] | None]) -> list[str]:
    """Begin a removal anew where someone attached something meanwhile, or IAM still shows it."""
    for attempt in range(1, _TRIES):
        try:
            return removal() or []
        except Stale:
            operation.CLOCK.sleep(0.25 * 2**attempt)
    return removal() or []


def _recorded(unique_ids: Mapping[str, str], kind: str) -> set[str]:
    return {arn for arn in unique_ids if kind in arn}


def _name(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]
