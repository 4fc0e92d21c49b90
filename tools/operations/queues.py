"""The dead letter queues of the functions that nobody waits for.

Lambda tries an event three times, and then sends it, with the error, to the queue. It sends with
the function's own role, so that the stack gives that role the right to.
"""

from tools.operations.names import (
    APP,
    ASYNCHRONOUS,
    Resource,
    Resources,
    camel,
    function_name,
    role_name,
    sub,
)

POLICY = "SendToDeadLetterQueue"
"""The inline policy that this stack adds to a function's role."""


def queue_name(function: str) -> str:
    """Return the name of a function's dead letter queue."""
    return f"{APP}-${{Stage}}-{function}-failed"


def resources() -> Resources:
    """Return the queues, what sends to them, and the right to, by their logical ids."""
    found: Resources = {}
    for function in ASYNCHRONOUS:
        key = camel(function)
        found[f"{key}Failed"] = _queue(function)
        found[f"{key}MaySend"] = _right(function, f"{key}Failed")
        found[f"{key}OnFailure"] = _destination(function, f"{key}Failed", f"{key}MaySend")
    return found


def _queue(function: str) -> Resource:
    return {
        "Type": "AWS::SQS::Queue",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": {
            "QueueName": sub(queue_name(function)),
            "MessageRetentionPeriod": 14 * 24 * 3600,
            "SqsManagedSseEnabled": True,
        },
    }


def _right(function: str, queue: str) -> Resource:
    allowed = {
        "Effect": "Allow",
        "Action": "sqs:SendMessage",
        "Resource": {"Fn::GetAtt": [queue, "Arn"]},
    }
    return {
        "Type": "AWS::IAM::Policy",
        "Properties": {
            "PolicyName": POLICY,
            "Roles": [sub(role_name(function))],
            "PolicyDocument": {"Version": "2012-10-17", "Statement": [allowed]},
        },
    }


def _destination(function: str, queue: str, right: str) -> Resource:
    return {
        "Type": "AWS::Lambda::EventInvokeConfig",
        # Lambda looks whether the role may send before it takes the destination.
        "DependsOn": right,
        "Properties": {
            "FunctionName": sub(function_name(function)),
            "Qualifier": "$LATEST",
            "DestinationConfig": {
                "OnFailure": {"Destination": {"Fn::GetAtt": [queue, "Arn"]}},
            },
        },
    }
