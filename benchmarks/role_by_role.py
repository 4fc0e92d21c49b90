"""A drift check the way Terraform refreshes: every role and every policy read by itself.

What most tools do today, reduced to the calls that any of them needs. Terraform itself makes two
to three times as many (36 an environment), ten at a time.
"""

from typing import TYPE_CHECKING, Any

from chalicelib import compare
from chalicelib.model import (
    Actual,
    ActualPolicy,
    ActualRole,
    ActualStateMachine,
    Desired,
    Difference,
)
from chalicelib.read import tags_of

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient


def drift(iam: "IAMClient", desired: Desired) -> Difference:
    """Return what differs in the roles and policies of one environment, read call by call."""
    roles = {role.name.lower(): _role(iam, role.name) for role in desired.roles}
    policies = {policy.arn: _policy(iam, policy.arn) for policy in desired.policies}
    machine = desired.state_machine
    # Not read here, and so taken for as it should be.
    unread = ActualStateMachine(machine.arn, "", machine.role_arn, machine.definition)
    return compare.difference(desired, Actual(roles, policies, unread))


def _role(iam: "IAMClient", name: str) -> ActualRole:
    role: Any = iam.get_role(RoleName=name)["Role"]
    inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
    documents: dict[str, Any] = {
        policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        for policy in inline
    }
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    return ActualRole(
        name=name,
        arn=role["Arn"],
        path=role["Path"],
        unique_id=role["RoleId"],
        description=role.get("Description", ""),
        max_session_duration=role["MaxSessionDuration"],
        trust_policy=role["AssumeRolePolicyDocument"],
        managed_policies=frozenset(policy["PolicyArn"] for policy in attached),
        inline_policies=documents,
        tags=tags_of(role.get("Tags")),
        permissions_boundary=role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
    )


def _policy(iam: "IAMClient", arn: str) -> ActualPolicy:
    policy = iam.get_policy(PolicyArn=arn)["Policy"]
    version: Any = iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])
    return ActualPolicy(
        name=policy["PolicyName"],
        arn=arn,
        unique_id=policy["PolicyId"],
        document=version["PolicyVersion"]["Document"],
        tags=tags_of(policy.get("Tags")),
    )
