"""The watcher: tells when anyone else than Trivet changes what is Trivet's.

Two EventBridge rules over CloudTrail's events, each with an alarm on its count of matched events
and a log group that keeps the events to read. No function of Trivet's is in between, so that
whoever took one over cannot keep it quiet. IAM's events come to us-east-1 alone (commercial
partition): a stack elsewhere is told of members' and of forwarded events only.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

import json
from collections.abc import Sequence

from tools.operations.names import (
    APP,
    BOUNDARY,
    FUNCTIONS,
    MEMBER_ROLE,
    Resource,
    Resources,
    arn,
    function_name,
    log_group,
    role_name,
    sub,
)

WATCHER = f"{APP}-${{Stage}}-changed-by-others"
OUTSIDE = f"{APP}-${{Stage}}-roles-used-outside"
LOG_GROUP = f"/aws/events/{APP}-${{Stage}}-watcher"
ENVIRONMENT_TAG = "trivet:environment"


def resources(roles: Sequence[str], policies: Sequence[str]) -> Resources:
    """Return rules, log group and the right to write to it, by their logical ids.

    Args:
        roles: the names that Trivet gives roles, with `${environment}` at their start.
        policies: the same of customer managed policies.
    """
    return {
        "WatcherLog": log_group(LOG_GROUP),
        "WatcherMayWrite": _right(),
        "ChangedByOthers": _rule(WATCHER, _changed_by_others(roles, policies)),
        "RolesUsedOutside": _rule(OUTSIDE, _used_outside()),
    }


def _changed_by_others(roles: Sequence[str], policies: Sequence[str]) -> Resource:
    role_ends = [{"suffix": _end(name)} for name in roles]
    policy_ends = [{"suffix": _end(name)} for name in policies] + [{"suffix": BOUNDARY}]
    own = [arn("iam", f"role/{role_name(each)}", "") for each in FUNCTIONS]
    member = sub(f"arn:${{AWS::Partition}}:iam::*:role/{MEMBER_ROLE}")
    return {
        "source": ["aws.iam"],
        "detail-type": ["AWS API Call via CloudTrail"],
        "detail": {
            "errorCode": [{"exists": False}],
            "userIdentity": {
                "sessionContext": {
                    "sessionIssuer": {
                        "arn": [
                            {"exists": False},
                            {"anything-but": {"wildcard": [*own, member]}},
                        ]
                    }
                }
            },
            "requestParameters": {
                "$or": [
                    {"roleName": role_ends},
                    {"policyName": policy_ends},
                    {"policyArn": policy_ends},
                    {"tags": {"key": [ENVIRONMENT_TAG]}},
                    {"tagKeys": [ENVIRONMENT_TAG]},
                ]
            },
        },
    }


def _used_outside() -> Resource:
    sessions = [sub(f":{function_name(each)}") for each in FUNCTIONS]
    return {
        "detail-type": ["AWS API Call via CloudTrail"],
        "detail": {
            "userIdentity": {
                "sessionContext": {
                    "sessionIssuer": {
                        "arn": [arn("iam", f"role/{role_name(each)}", "") for each in FUNCTIONS]
                    }
                }
            },
            # Lambda names a session after the function, and the SDK in it tells that it is there.
            "$or": [
                {"userIdentity": {"principalId": [{"anything-but": {"suffix": sessions}}]}},
                {"userAgent": [{"anything-but": {"wildcard": "*exec-env/AWS_Lambda_*"}}]},
            ],
        },
    }


def _rule(name: str, pattern: Resource) -> Resource:
    return {
        "Type": "AWS::Events::Rule",
        "DependsOn": "WatcherMayWrite",
        "Properties": {
            "Name": sub(name),
            "Description": f"Told by the alarm of this name: docs/runbook.md#{_entry(name)}",
            "EventPattern": pattern,
            "State": "ENABLED",
            "Targets": [{"Id": "log", "Arn": arn("logs", f"log-group:{LOG_GROUP}")}],
        },
    }


def _right() -> Resource:
    """Return the right of EventBridge to write the log, as its user guide gives it.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
    """
    here = "${AWS::Region}:${AWS::AccountId}"
    common = {
        "Effect": "Allow",
        "Principal": {"Service": ["events.amazonaws.com", "delivery.logs.amazonaws.com"]},
        "Resource": f"arn:${{AWS::Partition}}:logs:{here}:log-group:{LOG_GROUP}:*",
    }
    rules = f"arn:${{AWS::Partition}}:events:{here}:rule/{APP}-${{Stage}}-*"
    statements = [
        common | {"Action": "logs:CreateLogStream"},
        common
        | {"Action": "logs:PutLogEvents", "Condition": {"ArnLike": {"aws:SourceArn": rules}}},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))
    return {
        "Type": "AWS::Logs::ResourcePolicy",
        "Properties": {
            "PolicyName": sub(f"{APP}-${{Stage}}-watcher"),
            "PolicyDocument": sub(document),
        },
    }


def _end(name: str) -> str:
    return name.replace("${environment}", "")


def _entry(name: str) -> str:
    return name.removeprefix(f"{APP}-${{Stage}}-")
