"""MiniStack with what AWS knows of a request when it authorizes one, and MiniStack does not.

It runs by the Python of MiniStack's own virtual environment, and is the real server: requests,
signatures, sessions, and the evaluation of policies are MiniStack's. Version 1.5.33 leaves out of
what it evaluates
- that `aws:PrincipalArn` of a session is the ARN of its role, not the session's
  https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
- `iam:PolicyARN` and `iam:PermissionsBoundary`
  https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
- `aws:RequestTag` of what Step Functions is asked to make, and `aws:ResourceTag` of customer
  managed policies and state machines
- which policy CreatePolicy makes, and which role SimulatePrincipalPolicy asks of: it has `*`
and, of what it shows, the boundaries of roles in GetAccountAuthorizationDetails. All of that is
added here: without it nothing that Trivet is granted is allowed, and no role seems to be bound.
"""

import importlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from typing import Any

_ACTIONS: Any = importlib.import_module("ministack.core.iam_actions")
_EVALUATOR: Any = importlib.import_module("ministack.core.iam_evaluator")
_IAM: Any = importlib.import_module("ministack.services.iam")
_STATES: Any = importlib.import_module("ministack.services.stepfunctions")
_TAGGING: Any = importlib.import_module("ministack.services.tagging")

_key_of = _EVALUATOR._resolve_condition_key
_resource_of = _ACTIONS.extract_resource_arn
_tags_of_request = _ACTIONS.request_tag_context
_authorization_details = _IAM._get_account_authorization_details
_tagged_identities = _TAGGING._RESOURCE_TAG_COLLECTORS["iam"]


def condition_key(key: str, context: Any) -> Any:
    """Return the value of a condition key; of a session the ARN of its role."""
    value = _key_of(key, context)
    if key.lower() != "aws:principalarn" or ":assumed-role/" not in str(value):
        return value
    account_id, session = value.split(":")[4:6]
    return f"arn:aws:iam::{account_id}:role/{session.split('/')[1]}"


def resource_arn(service: str, *request: Any) -> str:
    """Return the resource that a request concerns."""
    *_, parameters, _region, account_id = request
    if service == "iam" and (asked := _said(parameters, "PolicySourceArn")):
        return asked
    name = _said(parameters, "PolicyName")
    if service == "iam" and name and not _said(parameters, "RoleName"):
        return f"arn:aws:iam::{account_id}:policy/{name}"
    return str(_resource_of(service, *request))


def request_context(
    service: str, action: str, body: bytes, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a request says of itself: its tags, and the policy and boundary concerned."""
    found: dict[str, Any] = _tags_of_request(service, action, body, parameters)
    if service == "states":
        tags = json.loads(body or b"{}").get("tags") or []
        return found | {f"aws:RequestTag/{each['key']}": each["value"] for each in tags}
    if service != "iam":
        return found
    policy = _said(parameters, "PolicyArn")
    role = _IAM._roles.get(_said(parameters, "RoleName")) or {}
    boundary = _said(parameters, "PermissionsBoundary") or role.get("PermissionsBoundary")
    found |= {"iam:PolicyARN": policy} if policy else {}
    return found | ({"iam:PermissionsBoundary": boundary} if boundary else {})


def tagged_in_iam() -> Iterator[tuple[str, Any]]:
    """Return the users, roles and policies of the caller's account, with their tags."""
    yield from _tagged_identities()
    for arn, policy in _IAM._policies.items():
        yield arn, policy.get("Tags") or []


def tagged_state_machines() -> Iterator[tuple[str, Any]]:
    """Return the state machines of the caller's account, with their tags."""
    for arn, tags in _STATES._tags.items():
        yield arn, [{"Key": each["key"], "Value": each["value"]} for each in tags]


def authorization_details(parameters: Mapping[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """Return an account's roles and policies, each role with its boundary."""
    status, headers, body = _authorization_details(parameters)
    text = body.decode()
    for role in _IAM._roles.values():
        if boundary := role.get("PermissionsBoundary"):
            head = f"<RoleName>{role['RoleName']}</RoleName><RoleId>{role['RoleId']}</RoleId>"
            shown = f"<PermissionsBoundaryArn>{boundary}</PermissionsBoundaryArn>"
            text = text.replace(head, f"{head}<PermissionsBoundary>{shown}</PermissionsBoundary>")
    return status, headers, text.encode()


def _said(parameters: Mapping[str, Any], name: str) -> str:
    value = parameters.get(name) or ""
    return str(value[0] if isinstance(value, list) else value)


def _exit_at_end_of_input() -> None:
    while os.read(0, 1024):
        pass
    os._exit(0)


def main() -> None:
    """Serve until the parent ends, and standard input with it; the port is in the environment."""
    threading.Thread(target=_exit_at_end_of_input, daemon=True).start()
    _EVALUATOR._resolve_condition_key = condition_key
    _ACTIONS.extract_resource_arn = resource_arn
    _ACTIONS.request_tag_context = request_context
    _TAGGING._RESOURCE_TAG_COLLECTORS |= {"iam": tagged_in_iam, "states": tagged_state_machines}
    _IAM._IAM_HANDLERS["GetAccountAuthorizationDetails"] = authorization_details
    importlib.import_module("ministack.app").main()


if __name__ == "__main__":
    main()
