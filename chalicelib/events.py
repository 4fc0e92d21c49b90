"""Events in and out: IAM's changes as CloudTrail tells them, drift as Trivet tells it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import telemetry
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


def environment_concerned(templates: Templates, detail: Mapping[str, Any]) -> str | None:
    """Return the environment whose role or policy an IAM call changed, by its name.

    `None` where the call failed, concerns no name that could be an environment's, or is
    Trivet's own, which its user agent tells.

    Args:
        detail: the `detail` of CloudTrail's event.
    """
    if detail.get("errorCode") or USER_AGENT.split("/")[0] + "/" in str(detail.get("userAgent")):
        return None
    parameters = detail.get("requestParameters") or {}
    names = [parameters.get("roleName"), parameters.get("policyName")]
    names.append(str(parameters.get("policyArn", "")).rsplit("/", 1)[-1])
    for name in names:
        environment = templates.environment_of(name) if name else None
        if environment is not None:
            return environment
    return None


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
    for at in range(0, len(entries), _ENTRIES_PER_CALL):
        try:
            answer = account.events.put_events(Entries=entries[at : at + _ENTRIES_PER_CALL])
            if not answer["FailedEntryCount"]:
                continue
            reason = str(answer["Entries"])
        except (ClientError, BotoCoreError) as error:
            reason = str(error)
        telemetry.LOGGER.error("drift event not delivered", extra={"reason": reason})
        telemetry.count("EventsNotDelivered")
