"""Events in and out: IAM's changes as CloudTrail tells them, drift as Trivet tells it."""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import operation, telemetry
from chalicelib.aws import USER_AGENT, Account
from chalicelib.templates import Templates

if TYPE_CHECKING:
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

    from chalicelib.fleet import Finding

# PutEvents: at most ten entries a call.
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
_ENTRIES_PER_CALL = 10

IAM_CHANGES = {
    "source": ["aws.iam"],
    "detail-type": ["AWS API Call via CloudTrail"],
    "detail": {
        "eventSource": ["iam.amazonaws.com"],
        "eventName": [
            "AttachRolePolicy",
            "CreatePolicy",
            "CreatePolicyVersion",
            "CreateRole",
            "DeletePolicy",
            "DeletePolicyVersion",
            "DeleteRole",
            "DeleteRolePermissionsBoundary",
            "DeleteRolePolicy",
            "DetachRolePolicy",
            "PutRolePermissionsBoundary",
            "PutRolePolicy",
            "SetDefaultPolicyVersion",
            "TagPolicy",
            "TagRole",
            "UntagPolicy",
            "UntagRole",
            "UpdateAssumeRolePolicy",
            "UpdateRole",
            "UpdateRoleDescription",
        ],
    },
}
"""The EventBridge pattern of IAM changes that can concern a role or policy.

https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
"""

_OWN_USER_AGENT = re.compile(r"(^|[\s\[])" + re.escape(USER_AGENT.split("/")[0] + "/"))


def environment_concerned(templates: Templates, detail: Mapping[str, Any]) -> str | None:
    """Return the environment whose role or policy an IAM call changed, by its name.

    `None` where the call failed, concerns no name that could be an environment's, or is
    Trivet's own, which its user agent tells. Anyone can send that user agent: then the change
    is not undone at once, but by the next drift run, which asks nobody who made it.

    Args:
        detail: the `detail` of CloudTrail's event.
    """
    if detail.get("errorCode") or _OWN_USER_AGENT.search(str(detail.get("userAgent"))):
        return None
    parameters = detail.get("requestParameters") or {}
    # A call on a role can name policies too, which it does not change.
    arn = str(parameters.get("policyArn") or "")
    changed = parameters.get("roleName") or parameters.get("policyName") or arn.rsplit("/", 1)[-1]
    return templates.environment_of(str(changed))


def publish(account: Account, findings: "Sequence[Finding]") -> None:
    """Tell EventBridge's default bus what was found: changes without their documents.

    A failure is logged and counted, and stops nothing: the report holds it all.
    """
    entries: list[PutEventsRequestEntryTypeDef] = [
        {
            "Source": "trivet",
            "DetailType": "Trivet Drift",
            "Detail": msgspec.json.encode(
                {
                    "environment": finding.name,
                    "outcome": finding.outcome,
                    "changes": [
                        {"kind": change.kind, "role": change.role, "resource": change.resource}
                        for change in finding.changes
                    ],
                    "error": finding.error,
                }
            ).decode(),
        }
        for finding in findings
    ]
    batches = [
        entries[at : at + _ENTRIES_PER_CALL] for at in range(0, len(entries), _ENTRIES_PER_CALL)
    ]
    operation.side_by_side(partial(_put, account), batches)


def _put(account: Account, entries: "Sequence[PutEventsRequestEntryTypeDef]") -> None:
    try:
        answer = account.events.put_events(Entries=entries)
        if not answer["FailedEntryCount"]:
            return
        reason = str(answer["Entries"])
    except (ClientError, BotoCoreError) as error:
        reason = str(error)
    telemetry.LOGGER.error("drift event not delivered", extra={"reason": reason})
    telemetry.count("EventsNotDelivered")
