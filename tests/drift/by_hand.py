"""What a repair did away with, brought back by hand from its changes in a history entry alone."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.kit.account import client


def bring_back(changes: Sequence[Any]) -> None:
    """Bring back what differed, as a person would who has nothing but the history.

    The last change first, as what was made is taken away again: a role is rid of its policies
    before it goes.
    """
    for change in reversed(changes):
        arn = change["resource"]
        if ":policy/" in arn:
            _policy(change, arn)
        elif ":stateMachine:" in arn:
            _state_machine(change, arn)
        elif "policy" in change["kind"].removeprefix("update_trust_policy"):
            _policy_of_role(change, arn.rsplit("/", 1)[-1])
        else:
            _role(change, arn.rsplit("/", 1)[-1])


def _role(change: Any, role: str) -> None:
    iam, expected, actual = client("iam"), change["expected"], change["actual"]
    match change["kind"]:
        case "create_role":
            iam.delete_role(RoleName=role)
        case "update_trust_policy":
            iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(actual))
        case "update_role":
            said, longest = actual["description"], actual["max_session_duration"]
            iam.update_role(RoleName=role, Description=said, MaxSessionDuration=longest)
        case "tag_role" | "untag_role":
            iam.untag_role(RoleName=role, TagKeys=[*(expected.keys() - actual.keys())])
            iam.tag_role(RoleName=role, Tags=_as_list(actual))
        case "put_permissions_boundary":
            iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=actual)
        case other:
            raise AssertionError(other)


def _policy_of_role(change: Any, role: str) -> None:
    iam, expected, actual = client("iam"), change["expected"], change["actual"]
    match change["kind"]:
        case "attach_managed_policy":
            iam.detach_role_policy(RoleName=role, PolicyArn=expected)
        case "detach_managed_policy":
            iam.attach_role_policy(RoleName=role, PolicyArn=actual)
        case "put_inline_policy" if actual is None:
            iam.delete_role_policy(RoleName=role, PolicyName=expected["name"])
        case "put_inline_policy" | "delete_inline_policy":
            name, document = actual["name"], json.dumps(actual["document"])
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=document)
        case other:
            raise AssertionError(other)


def _policy(change: Any, arn: str) -> None:
    iam, expected, actual = client("iam"), change["expected"], change["actual"]
    match change["kind"]:
        case "create_policy":
            iam.delete_policy(PolicyArn=arn)
        case "update_policy":
            document = json.dumps(actual)
            iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)
        case "tag_policy" | "untag_policy":
            iam.untag_policy(PolicyArn=arn, TagKeys=[*(expected.keys() - actual.keys())])
            iam.tag_policy(PolicyArn=arn, Tags=_as_list(actual))
        case other:
            raise AssertionError(other)


def _state_machine(change: Any, arn: str) -> None:
    states, actual = client("stepfunctions"), change["actual"]
    match change["kind"]:
        case "create_state_machine":
            states.delete_state_machine(stateMachineArn=arn)
        case "update_state_machine":
            definition = json.dumps(actual["definition"])
            states.update_state_machine(
                stateMachineArn=arn, definition=definition, roleArn=actual["role_arn"]
            )
        case other:
            raise AssertionError(other)


def _as_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
