"""What Trivet's own resources are called, as CloudFormation expressions over the stage."""

from typing import Any

Resource = dict[str, Any]
Resources = dict[str, Resource]

APP = "trivet"
API = "api_handler"
FUNCTIONS = (API, "drift_run", "iam_change", "fleet_step")
ASYNCHRONOUS = ("drift_run", "iam_change")
"""The functions that EventBridge invokes: nobody waits for their answer."""

BOUNDARY = "TrivetEnvironmentBoundary"
MEMBER_ROLE = "TrivetMember"


def function_name(function: str, stage: str = "${Stage}") -> str:
    """Return a Lambda function's name: Chalice names the API's function after app and stage."""
    return f"{APP}-{stage}" + ("" if function == API else f"-{function}")


def role_name(function: str, stage: str = "${Stage}") -> str:
    """Return the name of a function's role, which Chalice names after the function's key."""
    return f"{APP}-{stage}-{function}"


def rule_name(function: str, stage: str = "${Stage}") -> str:
    """Return the name that Chalice gives the EventBridge rule of a function."""
    return f"{APP}-{stage}-{function}-event"


def sub(text: str) -> dict[str, str]:
    """Return the expression that puts the stage, account and partition into a text."""
    return {"Fn::Sub": text}


def arn(service: str, resource: str, region: str = "${AWS::Region}") -> dict[str, str]:
    """Return the expression for an ARN in the stack's partition and account."""
    return sub(f"arn:${{AWS::Partition}}:{service}:{region}:${{AWS::AccountId}}:{resource}")


def camel(name: str) -> str:
    """Return a name such as `drift_run` as a logical id, `DriftRun`."""
    return "".join(part.capitalize() for part in name.replace("-", "_").split("_"))


def service_role(service: str, statements: list[dict[str, Any]], policy: str) -> Resource:
    """Return a role that one AWS service may assume, for this account's resources only."""
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    }
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "Policies": [
                {
                    "PolicyName": policy,
                    "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
                }
            ],
        },
    }


def log_group(name: str) -> Resource:
    """Return a log group with the stack's retention."""
    return {
        "Type": "AWS::Logs::LogGroup",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": {"LogGroupName": sub(name), "RetentionInDays": {"Ref": "LogRetentionDays"}},
    }
