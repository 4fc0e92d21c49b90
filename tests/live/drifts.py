"""What somebody does by hand to the notebook role of the throw-away environment."""

import json
from typing import Any

from tests.live.stage import Live

_READ_ONLY = "policy/ReadOnlyAccess"
_DESCRIPTION = "somebody's own"


def _document(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def detached(live: Live) -> None:
    iam = live.client("iam")
    told = iam.list_attached_role_policies(RoleName=live.role)["AttachedPolicies"]
    iam.detach_role_policy(RoleName=live.role, PolicyArn=told[0]["PolicyArn"])


def attached(live: Live) -> None:
    iam = live.client("iam")
    partition = iam.get_role(RoleName=live.role)["Role"]["Arn"].split(":")[1]
    iam.attach_role_policy(RoleName=live.role, PolicyArn=f"arn:{partition}:iam::aws:{_READ_ONLY}")


def distrusted(live: Live) -> None:
    trust = _document(Principal={"Service": "ec2.amazonaws.com"}, Action="sts:AssumeRole")
    live.client("iam").update_assume_role_policy(RoleName=live.role, PolicyDocument=trust)


def inline_added(live: Live) -> None:
    added = _document(Action="s3:GetObject", Resource="*")
    live.client("iam").put_role_policy(RoleName=live.role, PolicyName="added", PolicyDocument=added)


def inline_deleted(live: Live) -> None:
    iam = live.client("iam")
    [name] = iam.list_role_policies(RoleName=live.role)["PolicyNames"]
    iam.delete_role_policy(RoleName=live.role, PolicyName=name)


def untagged(live: Live) -> None:
    live.client("iam").untag_role(RoleName=live.role, TagKeys=["trivet:environment"])


def described(live: Live) -> None:
    live.client("iam").update_role(RoleName=live.role, Description=_DESCRIPTION)


def unbounded(live: Live) -> None:
    live.client("iam").delete_role_permissions_boundary(RoleName=live.role)


def policy_edited(live: Live) -> None:
    iam = live.client("iam")
    paged = iam.get_paginator("list_policies").paginate(Scope="Local")
    arns = [each["Arn"] for page in paged for each in page["Policies"] if live.name in each["Arn"]]
    edited = _document(Action="s3:GetObject", Resource="*")
    iam.create_policy_version(PolicyArn=arns[0], PolicyDocument=edited, SetAsDefault=True)


def two_within_a_second(live: Live) -> None:
    inline_added(live)
    distrusted(live)


DRIFTS = (
    detached,
    attached,
    distrusted,
    inline_added,
    inline_deleted,
    untagged,
    described,
    unbounded,
    policy_edited,
    two_within_a_second,
)
