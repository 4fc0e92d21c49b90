"""AWS read into `Actual`: one environment resource by resource, or the whole account in bulk."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import errors, operation
from chalicelib.aws import Account
from chalicelib.model import Actual, ActualPolicy, ActualRole, ActualStateMachine, Desired

if TYPE_CHECKING:
    from mypy_boto3_iam.type_defs import PolicyTypeDef, RoleTypeDef, TagTypeDef

PAGE = 1_000
"""Items asked for per page of a bulk listing: the most that IAM allows."""


def anything(account: Account, desired: Desired) -> bool:
    """Tell whether anything exists under the environment's names, with one call for each."""
    probes: list[Callable[[], Any]] = [
        *(lambda name=role.name: role_head(account, name) for role in desired.roles),
        *(lambda arn=policy.arn: policy_head(account, arn) for policy in desired.policies),
        lambda: state_machine(account, desired.state_machine.arn),
    ]
    return any(operation.side_by_side(lambda probe: probe() is not None, probes))


def environment(account: Account, desired: Desired) -> Actual:
    """Read all that AWS holds under the environment's names, policy tags included.

    Two round trips: heads and listings first, then the documents that they name.

    Raises:
        TrivetError: AWS did not answer or refused; the message names the resource.
    """
    names = [role.name for role in desired.roles]
    start, waited = operation.start, operation.waited
    heads = [start(role_head, account, name) for name in names]
    # Made here once: the first time, botocore looks through its files, slowly in many threads.
    attachments = account.iam.get_paginator("list_attached_role_policies")
    inline_names = account.iam.get_paginator("list_role_policies")
    attached = [start(_listing, attachments, "AttachedPolicies", name) for name in names]
    inline = [start(_listing, inline_names, "PolicyNames", name) for name in names]
    policies = [start(_policy, account, policy.arn) for policy in desired.policies]
    machine = start(state_machine, account, desired.state_machine.arn)
    documents = [
        [start(_inline_policy, account, name, policy) for policy in policy_names]
        for name, policy_names in zip(names, waited(inline), strict=True)
    ]
    roles = [
        _actual_role(
            head,
            description=head.get("Description", ""),
            max_session_duration=head.get("MaxSessionDuration", 3600),
            managed_policies=managed,
            inline_policies=[answer for answer in waited(answers) if answer is not None],
        )
        for head, managed, answers in zip(waited(heads), waited(attached), documents, strict=True)
        if head is not None
    ]
    return Actual(
        roles={role.name.lower(): role for role in roles},
        policies={policy.arn: policy for policy in waited(policies) if policy is not None},
        state_machine=machine.result(),
    )


def role_head(account: Account, name: str) -> "RoleTypeDef | None":
    """Return GetRole's answer without the envelope, or `None` if there is no such role."""
    answer = found(f"reading role {name}", account.iam.get_role, RoleName=name)
    return None if answer is None else answer["Role"]


def policy_head(account: Account, arn: str) -> "PolicyTypeDef | None":
    """Return GetPolicy's answer without the envelope, or `None` if there is no such policy."""
    answer = found(f"reading policy {arn}", account.iam.get_policy, PolicyArn=arn)
    return None if answer is None else answer["Policy"]


def state_machine(
    account: Account, arn: str, one_of_many: bool = False
) -> ActualStateMachine | None:
    """Return the state machine, or `None` if there is none, or one that is being deleted.

    Args:
        one_of_many: keep to the rate that Step Functions allows, however many are read.
    """
    states = account.paced_states if one_of_many else account.states
    answer = found(
        f"reading state machine {arn}", states.describe_state_machine, stateMachineArn=arn
    )
    if answer is None or answer["status"] == "DELETING":
        return None
    return ActualStateMachine(
        arn=arn,
        unique_id=answer["creationDate"].isoformat(),
        role_arn=answer["roleArn"],
        definition=json.loads(answer["definition"]),
    )


def found(doing: str, call: Callable[..., Any], **parameters: Any) -> Any:
    """Return the answer of an AWS call, or `None` where AWS says that there is no such thing.

    Raises:
        TrivetError: any other error, with `doing` in its message.
    """
    try:
        return call(**parameters)
    except (ClientError, BotoCoreError, NotImplementedError) as error:
        if errors.code_of(error) in errors.MISSING:
            return None
        raise errors.translated(error, doing) from error


def tags_of(tags: "Iterable[TagTypeDef] | None") -> dict[str, str]:
    """Return IAM's list of tags as a map."""
    return {tag["Key"]: tag["Value"] for tag in tags or ()}


def _inline_policy(account: Account, role: str, policy: str) -> Any:
    return found(
        f"reading inline policy {policy} of role {role}",
        account.iam.get_role_policy,
        RoleName=role,
        PolicyName=policy,
    )


def _listing(pages: Any, key: str, role: str) -> list[Any]:
    """Return a role's paginated listing whole; empty where there is no such role."""
    answer = found(
        f"reading role {role}", lambda: pages.paginate(RoleName=role).build_full_result()
    )
    return [] if answer is None else list(answer[key])


def _policy(account: Account, arn: str) -> ActualPolicy | None:
    head = policy_head(account, arn)
    if head is None:
        return None
    version = found(
        f"reading policy {arn}",
        account.iam.get_policy_version,
        PolicyArn=arn,
        VersionId=head["DefaultVersionId"],
    )
    if version is None:
        raise errors.Stale(f"Policy {arn} changed while it was read. Call again to go on.")
    return ActualPolicy(
        name=head["PolicyName"],
        arn=arn,
        unique_id=head["PolicyId"],
        document=version["PolicyVersion"]["Document"],
        tags=tags_of(head.get("Tags")),
    )


def account_in_bulk(account: Account, desired: Sequence[Desired]) -> dict[str, Actual]:
    """Read the roles and policies of many environments with the account's bulk listings.

    What is not theirs is dropped page by page. The tags of policies, which no bulk listing
    shows, are `None`; state machines, which have none, are left out.

    Returns:
        For each environment's name what IAM holds of it.
    """
    roles_of = {role.name.lower(): each.environment for each in desired for role in each.roles}
    policies_of = {policy.arn: each.environment for each in desired for policy in each.policies}
    settings = operation.start(_role_settings, account, roles_of)
    roles: dict[str, dict[str, ActualRole]] = {each.environment: {} for each in desired}
    policies: dict[str, dict[str, ActualPolicy]] = {each.environment: {} for each in desired}
    details: list[tuple[str, Any]] = []
    for page in _pages(
        account, "get_account_authorization_details", Filter=["Role", "LocalManagedPolicy"]
    ):
        details += [
            (name, role)
            for role in page["RoleDetailList"]
            if (name := role["RoleName"].lower()) in roles_of
        ]
        for policy in page["Policies"]:
            if policy["Arn"] in policies_of:
                policies[policies_of[policy["Arn"]]][policy["Arn"]] = _bulk_policy(policy)
    known = settings.result()
    for name, role in details:
        description, seconds = known.get(name, ("", 3600))
        roles[roles_of[name]][name] = _actual_role(
            role,
            description=description,
            max_session_duration=seconds,
            managed_policies=role["AttachedManagedPolicies"],
            inline_policies=role["RolePolicyList"],
        )
    _add_missing_ids(account, policies)
    return {name: Actual(roles[name], policies[name]) for name in roles}


def with_policy_tags(account: Account, actual: Actual) -> Actual:
    """Return the same with the tags of the policies, one call for each."""
    heads = operation.side_by_side(lambda arn: policy_head(account, arn), actual.policies)
    return replace(
        actual,
        policies={
            arn: policy if head is None else replace(policy, tags=tags_of(head.get("Tags")))
            for (arn, policy), head in zip(actual.policies.items(), heads, strict=True)
        },
    )


def _role_settings(account: Account, wanted: Mapping[str, str]) -> dict[str, tuple[str, int]]:
    """Return description and session length (seconds) by lower-case role name."""
    return {
        name: (role.get("Description", ""), role.get("MaxSessionDuration", 3600))
        for page in _pages(account, "list_roles")
        for role in page["Roles"]
        if (name := role["RoleName"].lower()) in wanted
    }


def _add_missing_ids(account: Account, policies: dict[str, dict[str, ActualPolicy]]) -> None:
    """Fill in the policies' ids where the bulk listing left them out, as moto's does."""
    lacking = {
        arn for of in policies.values() for arn, policy in of.items() if not policy.unique_id
    }
    if not lacking:
        return
    ids = {
        policy["Arn"]: policy["PolicyId"]
        for page in _pages(account, "list_policies", Scope="Local")
        for policy in page["Policies"]
        if policy["Arn"] in lacking
    }
    for of in policies.values():
        for arn, policy in of.items():
            if arn in ids:
                of[arn] = ActualPolicy(policy.name, arn, ids[arn], policy.document, None)


def _pages(account: Account, operation_name: Any, **parameters: Any) -> Iterable[Any]:
    pages = account.bulk_iam.get_paginator(operation_name)
    try:
        yield from pages.paginate(**parameters, PaginationConfig={"PageSize": PAGE})
    except (ClientError, BotoCoreError) as error:
        raise errors.translated(error, f"listing the account's IAM ({operation_name})") from error


def _bulk_policy(policy: Mapping[str, Any]) -> ActualPolicy:
    default = next(each for each in policy["PolicyVersionList"] if each["IsDefaultVersion"])
    return ActualPolicy(
        name=policy["Arn"].rsplit("/", 1)[-1],
        arn=policy["Arn"],
        unique_id=policy.get("PolicyId", ""),
        document=default["Document"],
        tags=None,
    )


def _actual_role(
    role: Any,
    description: str,
    max_session_duration: int,
    managed_policies: Iterable[Mapping[str, str]],
    inline_policies: Iterable[Mapping[str, Any]],
) -> ActualRole:
    return ActualRole(
        name=role["RoleName"],
        arn=role["Arn"],
        path=role["Path"],
        unique_id=role["RoleId"],
        description=description,
        max_session_duration=max_session_duration,
        trust_policy=role["AssumeRolePolicyDocument"],
        managed_policies=frozenset(policy["PolicyArn"] for policy in managed_policies),
        inline_policies={each["PolicyName"]: each["PolicyDocument"] for each in inline_policies},
        tags=tags_of(role.get("Tags")),
        permissions_boundary=role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
    )
