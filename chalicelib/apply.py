"""Changes carried out: resources side by side, changes to one resource one after the other.

Concurrent changes to one role have been refused by IAM (ConcurrentModification) and lost
(terraform-provider-aws#34371, pulumi-aws#4235); different roles and policies do not mind.
A role waits for the customer managed policies that it attaches; the state machine waits for
the role that it runs under.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import documents, errors, operation, telemetry
from chalicelib.aws import Account
from chalicelib.errors import Conflict, NotAssumable, Rejected, Stale, TrivetError
from chalicelib.model import ENVIRONMENT_TAG, Change, Desired, ManagedPolicy, Role
from chalicelib.read import found, policy_head, role_head, tags_of

if TYPE_CHECKING:
    from mypy_boto3_iam.type_defs import TagTypeDef


@dataclass(slots=True)
class Applied:
    """What became of some changes."""

    changes: list[Change] = field(default_factory=list)
    """What was made, in the order of the plan."""
    left: list[Change] = field(default_factory=list)
    """What was not; without any error, a state machine whose role is not assumable yet."""
    unique_ids: dict[str, str] = field(default_factory=dict)
    """Of what was created, by ARN."""
    errors: list[TrivetError] = field(default_factory=list)
    look_again: bool = False
    """Something was there already that was to be created: compare once more."""

    def add(self, other: "Applied") -> None:
        """Take in what another chain of changes came to."""
        self.changes += other.changes
        self.left += other.left
        self.unique_ids |= other.unique_ids
        self.errors += other.errors
        self.look_again |= other.look_again


def apply(
    account: Account,
    desired: Desired,
    changes: Sequence[Change],
    then: Callable[[], None],
) -> Applied:
    """Carry out changes; the failure of one resource does not stop the others.

    Args:
        then: called once the state machine is there and its role complete, beside the work
            still going on for other roles. Its `TrivetError` counts as the state machine's.
    """
    by_resource: dict[str, list[Change]] = {}
    for change in changes:
        by_resource.setdefault(change.resource, []).append(change)
    machine = by_resource.pop(desired.state_machine.arn, [])
    chains: dict[str, Future[Applied]] = {}
    for policy in desired.policies:
        if policy.arn in by_resource:
            chains[policy.arn] = operation.start(
                _chain, account, desired, by_resource[policy.arn], {}
            )
    for role in desired.roles:
        if role.arn in by_resource:
            chains[role.arn] = operation.start(
                _chain, account, desired, by_resource[role.arn], dict(chains)
            )
    last = operation.start(
        _state_machine_chain,
        account,
        desired,
        machine,
        chains.get(desired.state_machine.role_arn),
        then,
    )
    applied = Applied()
    for chain in operation.waited([*chains.values(), last]):
        applied.add(chain)
    return applied


def _chain(
    account: Account,
    desired: Desired,
    changes: Sequence[Change],
    policies: Mapping[str, "Future[Applied]"],
) -> Applied:
    """Carry out the changes to one role or policy, up to the first that fails."""
    applied = Applied()
    for at, change in enumerate(changes):
        attached = policies.get(str(change.expected))
        if change.kind == "attach_managed_policy" and attached and attached.result().errors:
            applied.left += changes[at:]
            return applied
        try:
            _one(account, desired, change, applied)
        except TrivetError as error:
            applied.errors.append(error)
            applied.left += changes[at:]
            return applied
        applied.changes.append(change)
        telemetry.log_change(desired.environment, change)
    return applied


def _state_machine_chain(
    account: Account,
    desired: Desired,
    changes: Sequence[Change],
    role: "Future[Applied] | None",
    then: Callable[[], None],
) -> Applied:
    applied = Applied()
    if role is not None and (role.result().errors or role.result().left):
        applied.left += changes
        return applied
    try:
        for change in changes:
            applied.unique_ids |= state_machine(account, desired, change)
            applied.changes.append(change)
        then()
    except NotAssumable:
        # Most often the role is but a moment old: the smoke test tries again.
        applied.left += changes[len(applied.changes) :]
    except TrivetError as error:
        applied.errors.append(error)
        applied.left += changes[len(applied.changes) :]
    return applied


def state_machine(account: Account, desired: Desired, change: Change) -> dict[str, str]:
    """Create or update the state machine.

    Returns:
        Its unique id by its ARN, where it was created.

    Raises:
        NotAssumable: Step Functions cannot assume its role, yet or ever.
        TrivetError: anything else.
    """
    machine = desired.state_machine
    ids = {}
    with_role = f"state machine {machine.name} under role {machine.role_arn}"
    if change.kind == "create_state_machine":
        answer = _call(
            f"creating {with_role}",
            account.states.create_state_machine,
            name=machine.name,
            definition=documents.minified(machine.definition),
            roleArn=machine.role_arn,
            tags=[{"key": key, "value": value} for key, value in machine.tags.items()],
        )
        ids[machine.arn] = answer["creationDate"].isoformat()
    else:
        _call(
            f"updating {with_role}",
            account.states.update_state_machine,
            stateMachineArn=machine.arn,
            definition=documents.minified(machine.definition),
            roleArn=machine.role_arn,
        )
    telemetry.log_change(desired.environment, change)
    return ids


def _one(  # noqa: C901 - one case per kind of change
    account: Account, desired: Desired, change: Change, applied: Applied
) -> None:
    """Carry out one change to a role or policy.

    Raises:
        TrivetError: it was not made, or nobody knows; the message names change and resource.
    """
    iam, arn = account.iam, change.resource
    name = arn.rsplit("/", 1)[-1]
    value: Any = change.expected
    match change.kind:
        case "create_role":
            _create_role(account, desired.role(change.role), applied)
        case "create_policy":
            policy = next(each for each in desired.policies if each.arn == arn)
            _create_policy(account, policy, applied)
        case "update_trust_policy":
            _call(
                f"updating the trust policy of role {name}",
                iam.update_assume_role_policy,
                RoleName=name,
                PolicyDocument=documents.minified(value),
            )
        case "update_role":
            _call(
                f"updating role {name}",
                iam.update_role,
                RoleName=name,
                Description=value["description"],
                MaxSessionDuration=value["max_session_duration"],
            )
        case "tag_role":
            _call(f"tagging role {name}", iam.tag_role, RoleName=name, Tags=_tags_to_set(change))
        case "untag_role":
            extra = _tags_to_remove(change)
            _call(f"untagging role {name}", iam.untag_role, RoleName=name, TagKeys=extra)
        case "put_permissions_boundary":
            _call(
                f"putting permissions boundary {value} on role {name}",
                iam.put_role_permissions_boundary,
                RoleName=name,
                PermissionsBoundary=value,
            )
        case "delete_permissions_boundary":
            found(
                f"taking the permissions boundary off role {name}",
                iam.delete_role_permissions_boundary,
                RoleName=name,
            )
        case "attach_managed_policy":
            _attach(account, name, value)
        case "detach_managed_policy":
            found(
                f"detaching {change.actual} from role {name}",
                iam.detach_role_policy,
                RoleName=name,
                PolicyArn=change.actual,
            )
        case "put_inline_policy":
            _call(
                f"putting inline policy {value['name']} on role {name}",
                iam.put_role_policy,
                RoleName=name,
                PolicyName=value["name"],
                PolicyDocument=documents.minified(value["document"]),
            )
        case "delete_inline_policy":
            found(
                f"deleting inline policy {change.actual['name']} of role {name}",
                iam.delete_role_policy,
                RoleName=name,
                PolicyName=change.actual["name"],
            )
        case "update_policy":
            _update_policy(account, arn, documents.minified(value))
        case "tag_policy":
            _tag_policy(account, change)
        case "create_state_machine" | "update_state_machine":
            raise AssertionError("state machines have a chain of their own")


def _create_role(account: Account, role: Role, applied: Applied) -> None:
    boundary = role.permissions_boundary
    _create(
        f"creating role {role.name}",
        role,
        applied,
        lambda: account.iam.create_role(
            RoleName=role.name,
            Path="/",
            Description=role.description,
            MaxSessionDuration=role.max_session_duration,
            AssumeRolePolicyDocument=documents.minified(role.trust_policy),
            Tags=_tags(role.tags),
            **({} if boundary is None else {"PermissionsBoundary": boundary}),
        )["Role"]["RoleId"],
        lambda: _id_and_tags(role_head(account, role.name), "RoleId"),
    )


def _create_policy(account: Account, policy: ManagedPolicy, applied: Applied) -> None:
    _create(
        f"creating policy {policy.name}",
        policy,
        applied,
        lambda: account.iam.create_policy(
            PolicyName=policy.name,
            Path="/",
            Description=policy.description,
            PolicyDocument=documents.minified(policy.document),
            Tags=_tags(policy.tags),
        )["Policy"]["PolicyId"],
        lambda: _id_and_tags(policy_head(account, policy.arn), "PolicyId"),
    )


def _create(
    doing: str,
    wanted: Role | ManagedPolicy,
    applied: Applied,
    create: Callable[[], str],
    read: Callable[[], tuple[str, Mapping[str, str]] | None],
) -> None:
    """Create a role or policy, or find that it was created already and not heard of.

    A lost answer to a creation that took effect looks just like someone else's resource when
    the SDK sends it again: the tags tell them apart.

    Args:
        create: creates it, and returns its unique id.
        read: returns unique id and tags of what has its name, `None` where IAM shows nothing.

    Raises:
        Conflict: something that IAM does not show under this very name is in the way.
        TrivetError: it was not created; `Stale` where it is someone else's.
    """
    _fresh(wanted.name)
    _fresh(wanted.arn)
    try:
        applied.unique_ids[wanted.arn] = create()
        return
    except (ClientError, BotoCoreError) as error:
        there = read() if errors.code_of(error) in errors.EXISTS else ("", {})
        if there is None:
            raise Conflict(
                f"IAM says that {wanted.arn} exists, and shows none, found when {doing}. Its name "
                "may differ in case, or it may be at another path. Remove or rename what is in "
                "the way, then call again."
            ) from error
        if there[1].get(ENVIRONMENT_TAG) != wanted.tags[ENVIRONMENT_TAG]:
            raise errors.translated(error, doing) from error
        applied.unique_ids[wanted.arn] = there[0]
        applied.look_again = True


def _id_and_tags(head: Any, id_key: str) -> tuple[str, Mapping[str, str]] | None:
    return None if head is None else (head[id_key], tags_of(head.get("Tags")))


def _attach(account: Account, role: str, policy: str) -> None:
    doing = f"attaching {policy} to role {role}"
    try:
        _call(doing, account.iam.attach_role_policy, RoleName=role, PolicyArn=policy)
    except Stale as error:
        # NoSuchEntity is said of the role and of the policy alike.
        if ":iam::aws:" in policy and policy_head(account, policy) is None:
            raise Rejected(f"{errors.withdrawn(policy)} Found when {doing}.") from error
        raise


def _update_policy(account: Account, arn: str, document: str) -> None:
    """Make a new default version; where there are five, drop the oldest that is not default.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html
    """
    create = account.iam.create_policy_version
    try:
        create(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)
        return
    except (ClientError, BotoCoreError) as error:
        full = errors.code_of(error) == "LimitExceeded" and _prune_oldest_version(account, arn)
        if not full:
            raise errors.translated(error, f"updating policy {arn}") from error
    _call(
        f"updating policy {arn}", create, PolicyArn=arn, PolicyDocument=document, SetAsDefault=True
    )


def _tag_policy(account: Account, change: Change) -> None:
    arn, iam = change.resource, account.iam
    extra, wrong = _tags_to_remove(change), _tags_to_set(change)
    if extra:
        _call(f"untagging policy {arn}", iam.untag_policy, PolicyArn=arn, TagKeys=extra)
    if wrong:
        _call(f"tagging policy {arn}", iam.tag_policy, PolicyArn=arn, Tags=wrong)


def _prune_oldest_version(account: Account, arn: str) -> bool:
    """Delete the oldest version that is not the default; tell whether the policy was full."""
    answer = _call(
        f"listing the versions of policy {arn}", account.iam.list_policy_versions, PolicyArn=arn
    )
    versions = answer["Versions"]
    if len(versions) < 5:
        return False
    oldest = min(
        (version for version in versions if not version["IsDefaultVersion"]),
        key=lambda version: (version["CreateDate"], int(version["VersionId"][1:])),
    )
    found(
        f"deleting version {oldest['VersionId']} of policy {arn}",
        account.iam.delete_policy_version,
        PolicyArn=arn,
        VersionId=oldest["VersionId"],
    )
    return True


def _call(doing: str, call: Callable[..., Any], **parameters: Any) -> Any:
    try:
        return call(**parameters)
    except (ClientError, BotoCoreError) as error:
        raise errors.translated(error, doing) from error


def _fresh(name: str) -> None:
    """Remember that this is being made: for a while IAM may not show it everywhere."""
    current = operation.current()
    if current is not None:
        current.fresh.add(name)


def _tags_to_set(change: Change) -> "list[TagTypeDef]":
    wrong = {
        key: value for key, value in change.expected.items() if change.actual.get(key) != value
    }
    return _tags(wrong)


def _tags_to_remove(change: Change) -> list[str]:
    return [key for key in change.actual if key not in change.expected and key[:4] != "aws:"]


def _tags(tags: Mapping[str, str]) -> "list[TagTypeDef]":
    return [{"Key": key, "Value": value} for key, value in tags.items()]
