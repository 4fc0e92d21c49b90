"""How IAM writes permissions: statements, conditions, and patterns of ARNs.

Partition and account stand as wildcards: the policies hold in `aws`, `aws-cn` and `aws-us-gov` as
they are, and IAM, unlike S3, has no call that reaches another account.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tools.permissions.names import ENVIRONMENT_TAG

Policy = dict[str, Any]
Statement = dict[str, Any]
Condition = Mapping[str, Mapping[str, Any]]

IS_OURS: Condition = {"Null": {f"aws:ResourceTag/{ENVIRONMENT_TAG}": "false"}}
"""The resource carries the tag by which Trivet knows its own."""

GETS_OUR_TAG: Condition = {"Null": {f"aws:RequestTag/{ENVIRONMENT_TAG}": "false"}}
"""The request puts that tag on."""

OWN_ENVIRONMENT = f"${{aws:PrincipalTag/{ENVIRONMENT_TAG}, 'NONE'}}"
"""The environment of the role that asks, as a policy variable.

Without a default, IAM may skip the whole statement for a role that lost its tag. This one is no
environment's name: those are in lower case.
"""


def policy(statements: Iterable[Statement]) -> Policy:
    """Return a policy document of these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(
    sid: str, actions: Sequence[str], resources: Sequence[str], *conditions: Condition
) -> Statement:
    """Return a statement that allows; all of the conditions must hold."""
    return _statement(sid, "Allow", actions, {"Resource": list(resources)}, conditions)


def deny(
    sid: str, actions: Sequence[str], resources: Sequence[str], *conditions: Condition
) -> Statement:
    """Return a statement that denies where all of the conditions hold."""
    return _statement(sid, "Deny", actions, {"Resource": list(resources)}, conditions)


def deny_elsewhere(
    sid: str, actions: Sequence[str], resources: Sequence[str], *conditions: Condition
) -> Statement:
    """Return a statement that denies on everything but these resources."""
    return _statement(sid, "Deny", actions, {"NotResource": list(resources)}, conditions)


def all_of(*conditions: Condition) -> dict[str, dict[str, Any]]:
    """Return one condition that holds where all of these hold.

    Raises:
        ValueError: two of them put the same operator on the same key.
    """
    merged: dict[str, dict[str, Any]] = {}
    for condition in conditions:
        for operator, keys in condition.items():
            known = merged.setdefault(operator, {})
            if doubled := known.keys() & keys.keys():
                raise ValueError(f"{operator} twice on {', '.join(sorted(doubled))}")
            known.update(keys)
    return merged


def minified(document: object) -> str:
    """Return a document as AWS counts its characters: without white space."""
    return json.dumps(document, separators=(",", ":"))


def iam(resource: str) -> str:
    """Return the ARN of something in IAM, such as `role/*-SageMaker`, in whatever account."""
    return f"arn:*:iam::*:{resource}"


def arn(service: str, resource: str) -> str:
    """Return the ARN of something that lives in a region, in whatever region and account."""
    return f"arn:*:{service}:*:*:{resource}"


def _statement(
    sid: str,
    effect: str,
    actions: Sequence[str],
    on: Mapping[str, Sequence[str]],
    conditions: Sequence[Condition],
) -> Statement:
    statement = {"Sid": sid, "Effect": effect, "Action": list(actions), **on}
    condition = all_of(*conditions)
    return statement | ({"Condition": condition} if condition else {})
