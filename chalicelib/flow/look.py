"""AWS looked at: one environment resource by resource, or a whole account in bulk."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError
from msgspec.structs import replace

from chalicelib.aws.accounts import Target
from chalicelib.aws.answers import translated
from chalicelib.flow.plan import Plan, compare
from chalicelib.installation import Installation
from chalicelib.model.actual import Actual, ActualPolicy, ActualRole
from chalicelib.model.desired import Desired
from chalicelib.model.environment import Environment
from chalicelib.resources import policy, role, state_machine, tags
from chalicelib.work import threads

PAGE = 1_000
"""Items asked for per page of a bulk listing: the most that IAM allows."""


def look(installation: Installation, target: Target, environment: Environment) -> Plan:
    """Look at an environment, and return the plan for it.

    Args:
        environment: as it shall be: its declaration is what is looked for.

    Raises:
        TrivetError: AWS did not answer or refused; the message names the resource.
    """
    desired = installation.rendered(environment)
    actual = read(target, desired, environment.unique_ids)
    return compare(environment, desired, actual, installation.settings.ignores_tag)


def probes(target: Target, desired: Desired) -> list[Future[Any]]:
    """Begin to look whether anything exists under the environment's names, a call for each.

    Returns:
        What each call finds: `None` where there is nothing.
    """
    return [
        *(threads.start(role.head, target, each.name) for each in desired.roles),
        *(threads.start(policy.head, target, each.arn) for each in desired.policies),
        threads.start(state_machine.read, target, desired.state_machine.arn),
    ]


def read(target: Target, desired: Desired, unique_ids: Mapping[str, str]) -> Actual:
    """Read all that AWS holds under the environment's names, policy tags included.

    Two round trips: heads and listings first, then the documents that they name.

    Args:
        unique_ids: as recorded: the policies among them are read even if they are declared no more.
    """
    arns = policy_arns(desired, unique_ids)
    policies = [threads.start(policy.read, target, arn) for arn in arns]
    machine = threads.start(state_machine.read, target, desired.state_machine.arn)
    roles = role.read_all(target, [each.name for each in desired.roles])
    return Actual(
        roles={each.name.lower(): each for each in roles},
        policies=_own(desired, unique_ids, threads.waited(policies)),
        state_machine=machine.result(),
    )


def policy_arns(desired: Desired, unique_ids: Mapping[str, str]) -> list[str]:
    """Return the ARNs of the environment's policies, declared or once made, without repetition."""
    declared = [each.arn for each in desired.policies]
    return list(dict.fromkeys([*declared, *(arn for arn in unique_ids if ":policy/" in arn)]))


def _own(
    desired: Desired, unique_ids: Mapping[str, str], policies: Iterable[ActualPolicy | None]
) -> dict[str, ActualPolicy]:
    """Return what was found, but for what is declared no more and was made anew by someone else."""
    declared = {each.arn for each in desired.policies}
    return {
        each.arn: each
        for each in policies
        if each is not None and (each.arn in declared or each.unique_id == unique_ids.get(each.arn))
    }


class Bulk(msgspec.Struct, frozen=True):
    """What an account's bulk listings show."""

    environments: Mapping[str, Actual]
    """By name."""
    boundary: ActualPolicy | None = None


def in_bulk(
    target: Target,
    wanted: Sequence[tuple[Environment, Desired]],
    boundary: str | None = None,
) -> Bulk:
    """Read the roles and policies of many environments with the account's bulk listings.

    What is not theirs is dropped page by page. The tags of policies, which no bulk listing shows,
    are `None`; state machines, which are in none, are left out. So are policies that are declared
    no more: a run may not delete them, a caller's next declaration or reapply does.

    Args:
        boundary: the ARN of the permissions boundary, to be read with them.
    """
    # An account without environments too: only so is it known that it can be reached.
    roles_of = {each.name.lower(): one.name for _, one in wanted for each in one.roles}
    arns = {each.arn for _, one in wanted for each in one.policies} | {boundary}
    settings = threads.start(_role_settings, target, roles_of)
    policies: list[ActualPolicy] = []
    details: list[tuple[str, Any]] = []
    for page in _pages(
        target, "get_account_authorization_details", Filter=["Role", "LocalManagedPolicy"]
    ):
        details += [
            (name, each)
            for each in page["RoleDetailList"]
            if (name := each["RoleName"].lower()) in roles_of
        ]
        policies += [policy.of_listing(each) for each in page["Policies"] if each["Arn"] in arns]
    roles = {name: _bulk_role(each, settings.result().get(name)) for name, each in details}
    by_arn = {each.arn: each for each in _with_ids(target, policies)}
    held = None if boundary is None else by_arn.get(boundary)
    return Bulk(_sorted_out(wanted, roles, by_arn), held)


def _sorted_out(
    wanted: Sequence[tuple[Environment, Desired]],
    by_role: Mapping[str, ActualRole],
    by_arn: Mapping[str, ActualPolicy],
) -> dict[str, Actual]:
    found: dict[str, Actual] = {}
    for _, desired in wanted:
        names = [each.name.lower() for each in desired.roles]
        arns = [each.arn for each in desired.policies]
        found[desired.name] = Actual(
            {name: by_role[name] for name in names if name in by_role},
            {arn: by_arn[arn] for arn in arns if arn in by_arn},
        )
    return found


def _bulk_role(details: Any, settings: tuple[str, int] | None) -> ActualRole:
    description, seconds = settings or ("", role.DEFAULT_SESSION)
    attached, inline = details["AttachedManagedPolicies"], details["RolePolicyList"]
    return role.of_parts(details, seconds, attached, inline, description)


def with_policy_tags(target: Target, actual: Actual) -> Actual:
    """Return the same with the tags of the policies, one call for each."""
    heads = threads.side_by_side(lambda arn: policy.head(target, arn), actual.policies)
    return replace(
        actual,
        policies={
            arn: each if head is None else replace(each, tags=tags.as_map(head.get("Tags")))
            for (arn, each), head in zip(actual.policies.items(), heads, strict=True)
        },
    )


def _role_settings(target: Target, wanted: Mapping[str, str]) -> dict[str, tuple[str, int]]:
    """Return description and session length (seconds) by lower-case role name."""
    return {
        name: (each.get("Description", ""), each.get("MaxSessionDuration", role.DEFAULT_SESSION))
        for page in _pages(target, "list_roles")
        for each in page["Roles"]
        if (name := each["RoleName"].lower()) in wanted
    }


def _with_ids(target: Target, policies: Sequence[ActualPolicy]) -> list[ActualPolicy]:
    """Fill in the policies' ids where the bulk listing left them out, as moto's does."""
    lacking = {each.arn for each in policies if not each.unique_id}
    if not lacking:
        return list(policies)
    ids = {
        each["Arn"]: each["PolicyId"]
        for page in _pages(target, "list_policies", Scope="Local")
        for each in page["Policies"]
        if each["Arn"] in lacking
    }
    return [replace(each, unique_id=ids.get(each.arn, each.unique_id)) for each in policies]


def _pages(target: Target, operation_name: Any, **parameters: Any) -> Iterable[Any]:
    pages = target.bulk_iam.get_paginator(operation_name)
    try:
        yield from pages.paginate(**parameters, PaginationConfig={"PageSize": PAGE})
    except (ClientError, BotoCoreError) as error:
        raise translated(error, f"listing the account's IAM ({operation_name})") from error
