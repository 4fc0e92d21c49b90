"""The events that start Trivet's other Lambda functions."""

from datetime import UTC, datetime
from typing import Any

from .names import ACCOUNT


def scheduled() -> dict[str, Any]:
    """Return the event with which EventBridge's schedule invokes a function."""
    rule = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/trivet-dev-drift_run"
    return _event("aws.events", "Scheduled Event", {}, [rule])


def cloudtrail(now: float, name: str, parameters: Any, **more: Any) -> dict[str, Any]:
    """Return the event that EventBridge makes of a call that CloudTrail recorded.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html

    Args:
        now: when the call was made, in seconds since the epoch.
        name: the call's operation.
        parameters: its parameters, as CloudTrail spells them.
        more: further fields of the detail.
    """
    detail = {
        "eventVersion": "1.10",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROADBQP57FF2AEXAMPLE:someone",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Admin/someone",
            "accountId": ACCOUNT,
        },
        "eventTime": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "iam.amazonaws.com",
        "eventName": name,
        "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.1",
        "userAgent": "aws-cli/2.17.0 md/awscrt#0.20.11 ua/2.0 os/linux#6.5 cfg/retry-mode#standard",
        "requestParameters": parameters,
        "responseElements": None,
        "requestID": "74d16c51-6fd1-4b7c-a84d-ef5ed0d8c4c6",
        "eventID": "6abcc5bc-6b24-4c2d-bb2c-d7c9c86f4d8c",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
        **more,
    }
    return _event("aws.iam", "AWS API Call via CloudTrail", detail, [])


def _event(source: str, kind: str, detail: dict[str, Any], resources: list[str]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html"""
    return {
        "version": "0",
        "id": "00000000-0000-0000-0000-000000000000",
        "account": ACCOUNT,
        "region": "us-east-1",
        "source": source,
        "time": "2026-01-01T00:00:00Z",
        "detail-type": kind,
        "resources": resources,
        "detail": detail,
    }
