"""The list of drifts: what others do to an environment by hand, and how Trivet is to name it."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import ClientError
from moto.utilities.utils import get_partition

from .account import client
from .names import ACCOUNT, ADMINISTRATOR, OPEN, OPEN_TRUST, POLICIES, READ_ONLY, ROLES


class Target:
    """One role of an environment with what belongs to it, as someone else gets at it."""

    def __init__(self, environment: str, key: str) -> None:
        self.iam, self.states = client("iam"), client("stepfunctions")
        region = self.states.meta.region_name
        self.partition = get_partition(region)
        self.environment, self.key = environment, key
        self.role = f"{environment}-{ROLES[key]}"
        self.policy = (
            f"arn:{self.partition}:iam::{ACCOUNT}:policy/{environment}-{POLICIES.get(key, '')}"
        )
        place = f"arn:{self.partition}:states:{region}:{ACCOUNT}"
        self.machine = f"{place}:stateMachine:{environment}-smoke-test"

    def attached(self) -> list[str]:
        """Return the ARNs of the managed policies attached to the role."""
        found = self.iam.list_attached_role_policies(RoleName=self.role)["AttachedPolicies"]
        return [policy["PolicyArn"] for policy in found]

    def aws(self, arn: str) -> str:
        """Return the ARN of a managed policy of AWS's in the target's partition."""
        return arn.replace("arn:aws:", f"arn:{self.partition}:", 1)

    def inline(self) -> list[str]:
        """Return the names of the role's inline policies."""
        return list(self.iam.list_role_policies(RoleName=self.role)["PolicyNames"])


@dataclass(frozen=True)
class Drift:
    """One thing that someone does to a role or to what belongs to it."""

    make: Callable[[Target], None]
    kinds: tuple[str, ...]
    """The kinds of change that it must be reported as."""
    roles: tuple[str, ...] = tuple(ROLES)
    extra: bool = False
    """It only adds something."""
    in_bulk: bool = True
    """A fleet run sees it."""

    @property
    def name(self) -> str:
        return self.make.__name__

    def on(self, environment: str, key: str) -> None:
        """Do it; nothing happens where an earlier drift took away what this one needs."""
        try:
            self.make(Target(environment, key))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in ("NoSuchEntity", "StateMachineDoesNotExist"):
                raise


def role_deleted(target: Target) -> None:
    delete_role(target.role)


def trust_opened(target: Target) -> None:
    target.iam.update_assume_role_policy(
        RoleName=target.role, PolicyDocument=json.dumps(OPEN_TRUST)
    )


def description_changed(target: Target) -> None:
    target.iam.update_role(RoleName=target.role, Description="ours now")


def session_lengthened(target: Target) -> None:
    # moto forgets a description that is not sent along.
    said = target.iam.get_role(RoleName=target.role)["Role"]["Description"]
    target.iam.update_role(RoleName=target.role, Description=said, MaxSessionDuration=43_200)


def tags_removed(target: Target) -> None:
    target.iam.untag_role(RoleName=target.role, TagKeys=["trivet:environment", "trivet:role"])


def tag_changed(target: Target) -> None:
    target.iam.tag_role(RoleName=target.role, Tags=[{"Key": "trivet:role", "Value": "theirs"}])


def tag_added(target: Target) -> None:
    target.iam.tag_role(RoleName=target.role, Tags=[{"Key": "owner", "Value": "them"}])


def boundary_changed(target: Target) -> None:
    target.iam.put_role_permissions_boundary(
        RoleName=target.role, PermissionsBoundary=target.aws(READ_ONLY)
    )


def managed_policy_detached(target: Target) -> None:
    for arn in target.attached()[:1]:
        target.iam.detach_role_policy(RoleName=target.role, PolicyArn=arn)


def all_managed_policies_detached(target: Target) -> None:
    for arn in target.attached():
        target.iam.detach_role_policy(RoleName=target.role, PolicyArn=arn)


def managed_policy_attached(target: Target) -> None:
    target.iam.attach_role_policy(RoleName=target.role, PolicyArn=target.aws(ADMINISTRATOR))


def inline_policy_added(target: Target) -> None:
    target.iam.put_role_policy(
        RoleName=target.role, PolicyName="theirs", PolicyDocument=json.dumps(OPEN)
    )


def inline_policy_edited(target: Target) -> None:
    target.iam.put_role_policy(
        RoleName=target.role,
        PolicyName="PassWorkflowExecutionRole",
        PolicyDocument=json.dumps(OPEN),
    )


def inline_policy_deleted(target: Target) -> None:
    target.iam.delete_role_policy(RoleName=target.role, PolicyName="PassWorkflowExecutionRole")


def policy_edited(target: Target) -> None:
    versions = target.iam.list_policy_versions(PolicyArn=target.policy)["Versions"]
    for version in versions:
        if len(versions) == 5 and not version["IsDefaultVersion"]:
            target.iam.delete_policy_version(
                PolicyArn=target.policy, VersionId=version["VersionId"]
            )
    target.iam.create_policy_version(
        PolicyArn=target.policy, PolicyDocument=json.dumps(OPEN), SetAsDefault=True
    )


def policy_deleted(target: Target) -> None:
    delete_policy(target.policy)


def policy_tag_changed(target: Target) -> None:
    target.iam.tag_policy(PolicyArn=target.policy, Tags=[{"Key": "trivet:role", "Value": "theirs"}])


def policy_tag_added(target: Target) -> None:
    target.iam.tag_policy(PolicyArn=target.policy, Tags=[{"Key": "owner", "Value": "them"}])


def policy_tags_removed(target: Target) -> None:
    target.iam.untag_policy(PolicyArn=target.policy, TagKeys=["trivet:environment", "trivet:role"])


def state_machine_deleted(target: Target) -> None:
    target.states.describe_state_machine(stateMachineArn=target.machine)
    target.states.delete_state_machine(stateMachineArn=target.machine)


def state_machine_edited(target: Target) -> None:
    definition = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
    target.states.update_state_machine(
        stateMachineArn=target.machine, definition=json.dumps(definition)
    )


def state_machine_given_another_role(target: Target) -> None:
    arn = f"arn:{target.partition}:iam::{ACCOUNT}:role/{target.environment}-SageMaker"
    target.states.update_state_machine(stateMachineArn=target.machine, roleArn=arn)


_CREATED = ("create_role", "attach_managed_policy")
_NOTEBOOK, _WORKFLOW = ("notebook",), ("workflow_execution",)

CATALOGUE = (
    Drift(role_deleted, _CREATED, roles=("workflow_execution", "lambda_trigger")),
    Drift(role_deleted, (*_CREATED, "put_inline_policy"), roles=_NOTEBOOK),
    Drift(trust_opened, ("update_trust_policy",)),
    Drift(description_changed, ("update_role",)),
    Drift(session_lengthened, ("update_role",)),
    Drift(tags_removed, ("tag_role",)),
    Drift(tag_changed, ("tag_role",)),
    Drift(tag_added, ("untag_role",), extra=True),
    Drift(boundary_changed, ("put_permissions_boundary",)),
    Drift(managed_policy_detached, ("attach_managed_policy",)),
    Drift(all_managed_policies_detached, ("attach_managed_policy",)),
    Drift(managed_policy_attached, ("detach_managed_policy",), extra=True),
    Drift(inline_policy_added, ("delete_inline_policy",), extra=True),
    Drift(inline_policy_edited, ("put_inline_policy",), roles=_NOTEBOOK),
    Drift(inline_policy_deleted, ("put_inline_policy",), roles=_NOTEBOOK),
    Drift(policy_edited, ("update_policy",), roles=tuple(POLICIES)),
    Drift(policy_deleted, ("create_policy", "attach_managed_policy"), roles=tuple(POLICIES)),
    Drift(policy_tag_changed, ("tag_policy",), roles=tuple(POLICIES), in_bulk=False),
    Drift(policy_tag_added, ("untag_policy",), roles=tuple(POLICIES), in_bulk=False),
    Drift(policy_tags_removed, ("tag_policy",), roles=tuple(POLICIES), in_bulk=False),
    Drift(state_machine_deleted, ("create_state_machine",), roles=_WORKFLOW),
    Drift(state_machine_edited, ("update_state_machine",), roles=_WORKFLOW),
    Drift(state_machine_given_another_role, ("update_state_machine",), roles=_WORKFLOW),
)


def named(name: str) -> Drift:
    """Return the drift of this name; for those of more than one kind, the first."""
    return next(drift for drift in CATALOGUE if drift.name == name)


def delete_role(name: str) -> None:
    """Delete a role with all that stands in the way."""
    iam = client("iam")
    for each in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=each["PolicyArn"])
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)


def delete_policy(arn: str) -> None:
    """Delete a policy with all that stands in the way."""
    iam = client("iam")
    for entity in iam.list_entities_for_policy(PolicyArn=arn)["PolicyRoles"]:
        iam.detach_role_policy(RoleName=entity["RoleName"], PolicyArn=arn)
    for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
        if not version["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
    iam.delete_policy(PolicyArn=arn)


def delete_all(environment: str) -> None:
    """Delete all that an environment has in AWS."""
    for key in ROLES:
        target = Target(environment, key)
        delete_role(target.role)
        if key in POLICIES:
            delete_policy(target.policy)
    target.states.delete_state_machine(stateMachineArn=target.machine)


def disturb(environment: str) -> None:
    """Do to an environment all that leaves its roles, policies and state machine there.

    Each drift befalls the first of the roles that it can befall.
    """
    for drift in CATALOGUE:
        if not drift.name.endswith("deleted") or drift.name == "inline_policy_deleted":
            drift.on(environment, drift.roles[0])
