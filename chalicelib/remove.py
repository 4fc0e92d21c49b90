"""An environment taken away: what is its own, whatever was attached to it, and nothing else.

IAM deletes a role only when nothing is attached to it and no instance profile holds it, and a
policy only when it is attached nowhere and has but its default version:
https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from chalicelib import operation
from chalicelib.aws import Account
from chalicelib.compare import owns_state_machine
from chalicelib.errors import Conflict, Stale
from chalicelib.model import ENVIRONMENT_TAG, Desired
from chalicelib.read import found, policy_head, role_head, state_machine, tags_of

if TYPE_CHECKING:
    from mypy_boto3_iam.type_defs import PolicyTypeDef, TagTypeDef

_TRIES = 3


def remove(account: Account, desired: Desired, unique_ids: Mapping[str, str]) -> list[str]:
    """Delete the environment's own state machine, roles and policies.

    Args:
        unique_ids: as recorded, by ARN; what they name is removed also where the templates
            do not name it any more.

    Returns:
        The ARNs of what this call deleted.

    Raises:
        Conflict: one of its policies is someone's permissions boundary; nothing was deleted.
        TrivetError: AWS refuses or fails; what is left is deleted by the same call again.
    """
    role_arns = {role.arn for role in desired.roles} | _recorded(unique_ids, ":role/")
    policy_arns = {policy.arn for policy in desired.policies} | _recorded(unique_ids, ":policy/")

    def owned(arns: set[str], head: Callable[[str], Any], id_key: str) -> dict[str, Any]:
        def is_ours(there: Any) -> bool:
            return (
                there[id_key] == unique_ids.get(there["Arn"])
                or tags_of(there.get("Tags")).get(ENVIRONMENT_TAG) == desired.environment
            )

        ordered = sorted(arns)
        heads = zip(ordered, operation.side_by_side(head, ordered), strict=True)
        return {
            arn: there
            for arn, there in heads
            if there is not None and there["Arn"] == arn and is_ours(there)
        }

    roles = owned(role_arns, lambda arn: role_head(account, _name(arn)), "RoleId")
    policies = owned(policy_arns, lambda arn: policy_head(account, arn), "PolicyId")
    operation.side_by_side(lambda head: _check_no_boundary(account, head), policies.values())
    untagged = [
        arn
        for arn, there in (roles | policies).items()
        if ENVIRONMENT_TAG not in tags_of(there.get("Tags"))
    ]
    operation.side_by_side(lambda arn: _tag(account, arn, desired.environment), untagged)
    deleted = _remove_state_machine(account, desired, unique_ids)
    operation.side_by_side(lambda arn: _persist(lambda: _remove_role(account, _name(arn))), roles)
    operation.side_by_side(lambda arn: _persist(lambda: _remove_policy(account, arn)), policies)
    return [*deleted, *roles, *policies]


def _recorded(unique_ids: Mapping[str, str], kind: str) -> set[str]:
    return {arn for arn in unique_ids if kind in arn}


def _name(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]


def _persist(removal: Callable[[], None]) -> None:
    """Begin a removal anew where someone attached something meanwhile, a few times."""
    for attempt in range(1, _TRIES + 1):
        try:
            removal()
            return
        except Stale:
            if attempt == _TRIES:
                raise


def _tag(account: Account, arn: str, environment: str) -> None:
    """Give back its tag to what lost it: Trivet may take away only what carries the tag."""
    tags: list[TagTypeDef] = [{"Key": ENVIRONMENT_TAG, "Value": environment}]
    if ":role/" in arn:
        _do(f"tagging role {arn}", account.iam.tag_role, RoleName=_name(arn), Tags=tags)
    else:
        _do(f"tagging policy {arn}", account.iam.tag_policy, PolicyArn=arn, Tags=tags)


def _remove_state_machine(
    account: Account, desired: Desired, unique_ids: Mapping[str, str]
) -> list[str]:
    machine = desired.state_machine
    there = state_machine(account, machine.arn)
    if there is None or not owns_state_machine(desired, there, unique_ids):
        return []
    _do(
        f"deleting state machine {machine.arn}",
        account.states.delete_state_machine,
        stateMachineArn=machine.arn,
    )
    return [machine.arn]


def _remove_role(account: Account, name: str) -> None:
    iam = account.iam
    for policy in _all(account, "list_attached_role_policies", "AttachedPolicies", RoleName=name):
        arn = policy["PolicyArn"]
        _do(
            f"detaching {arn} from role {name}",
            iam.detach_role_policy,
            RoleName=name,
            PolicyArn=arn,
        )
    for policy in _all(account, "list_role_policies", "PolicyNames", RoleName=name):
        _do(
            f"deleting inline policy {policy} of role {name}",
            iam.delete_role_policy,
            RoleName=name,
            PolicyName=policy,
        )
    for profile in _all(
        account, "list_instance_profiles_for_role", "InstanceProfiles", RoleName=name
    ):
        _do(
            f"taking role {name} out of instance profile {profile['InstanceProfileName']}",
            iam.remove_role_from_instance_profile,
            InstanceProfileName=profile["InstanceProfileName"],
            RoleName=name,
        )
    _do(f"deleting role {name}", iam.delete_role, RoleName=name)


def _check_no_boundary(account: Account, head: "PolicyTypeDef") -> None:
    """Refuse to delete a policy that limits someone: without it they could do more."""
    if not head.get("PermissionsBoundaryUsageCount"):
        return
    arn = head["Arn"]
    users = ", ".join(_entities(account, arn, "PermissionsBoundary"))
    raise Conflict(
        f"Policy {arn} is the permissions boundary of {users}. Nothing was deleted. Give them "
        "another boundary, then call again."
    )


def _remove_policy(account: Account, arn: str) -> None:
    iam = account.iam
    detach: Mapping[str, tuple[Any, str]] = {
        "role": (iam.detach_role_policy, "RoleName"),
        "user": (iam.detach_user_policy, "UserName"),
        "group": (iam.detach_group_policy, "GroupName"),
    }
    for entity in _entities(account, arn, "PermissionsPolicy"):
        kind, name = entity.split(" ", 1)
        call, parameter = detach[kind]
        _do(f"detaching {arn} from {entity}", call, PolicyArn=arn, **{parameter: name})
    for version in _all(account, "list_policy_versions", "Versions", PolicyArn=arn):
        if not version["IsDefaultVersion"]:
            _do(
                f"deleting version {version['VersionId']} of policy {arn}",
                iam.delete_policy_version,
                PolicyArn=arn,
                VersionId=version["VersionId"],
            )
    _do(f"deleting policy {arn}", iam.delete_policy, PolicyArn=arn)


def _entities(account: Account, arn: str, usage: str) -> list[str]:
    """Return who uses a policy in this way, each as `role NAME`, `user NAME` or `group NAME`."""
    answer = found(
        f"listing who uses policy {arn}",
        lambda: (
            account.iam.get_paginator("list_entities_for_policy")
            .paginate(PolicyArn=arn, PolicyUsageFilter=usage)  # type: ignore[arg-type]
            .build_full_result()
        ),
    )
    if answer is None:
        return []
    return [
        f"{kind.lower()} {entity[f'{kind}Name']}"
        for kind in ("Role", "User", "Group")
        for entity in answer.get(f"Policy{kind}s", [])
    ]


def _all(account: Account, listing: Any, key: str, **parameters: Any) -> list[Any]:
    pages = account.iam.get_paginator(listing)
    answer = found(
        f"reading {' '.join(parameters.values())} ({listing})",
        lambda: pages.paginate(**parameters).build_full_result(),
    )
    return [] if answer is None else list(answer[key])


def _do(doing: str, call: Callable[..., Any], **parameters: Any) -> None:
    """Do it, or find it done already: a removal that was not heard of looks the same."""
    found(doing, call, **parameters)
