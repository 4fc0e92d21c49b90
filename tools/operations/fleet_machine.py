"""The fleet's state machine: a drift run over every account, one child execution per account.

    begin -> look at each account -> decide -> repair each account that needs it -> conclude

Ids alone travel through it; all else is in the table, so that no account's data meets the limit
of 256 KiB a payload. An account that fails stops no other. `decide` is where too much drift stops
the run. Whatever happens, `conclude` finishes the report.
"""

import json
from typing import Any

from tools.operations.names import (
    APP,
    Resource,
    Resources,
    arn,
    function_name,
    log_group,
    service_role,
    sub,
)

NAME = f"{APP}-${{Stage}}-fleet"
AT_ONCE = 20
"""More accounts at once have been throttled.

https://github.com/aws-ia/terraform-aws-control_tower_account_factory/issues/487
"""

_LOG = {"Fn::GetAtt": ["FleetLog", "Arn"]}
_PASSING_ERRORS = [
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    # What a step raises when AWS throttles or fails past all retries of its own.
    "Unavailable",
]
_FUNCTION = arn("lambda", f"function:{function_name('fleet_step')}")["Fn::Sub"]
_SECONDS_OF_A_STEP = 900
_SECONDS_OF_A_RUN = 6 * 3600


def definition() -> dict[str, Any]:
    """Return the state machine's definition, account, partition and stage left to `Fn::Sub`."""
    each = {"run.$": "$.run", "account_id.$": "$.account_id"}
    concluding = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.failed", "Next": "Conclude"}]
    return {
        "Comment": "A drift run over every account",
        "StartAt": "Begin",
        "TimeoutSeconds": _SECONDS_OF_A_RUN,
        "States": {
            "Begin": _step("begin", {"run.$": "$.run"})
            | _accounts("$.begun")
            | {"Catch": concluding, "Next": "LookAtAccounts"},
            "LookAtAccounts": _over("$.begun.accounts", "Look", _step("look", each))
            | {"Catch": concluding, "Next": "Decide"},
            "Decide": _step("decide", {"run.$": "$.run"})
            | _accounts("$.decided")
            | {"Catch": concluding, "Next": "RepairAccounts"},
            "RepairAccounts": _over("$.decided.accounts", "Repair", _step("repair", each))
            | {"Catch": concluding, "Next": "Conclude"},
            "Conclude": _step("conclude", {"run.$": "$.run"})
            | {"ResultSelector": {}, "ResultPath": "$.concluded", "OutputPath": "$.run"}
            | {"End": True},
        },
    }


def resources() -> Resources:
    """Return the state machine, its role and its log group, by their logical ids."""
    return {
        "FleetLog": log_group(f"/aws/vendedlogs/states/{NAME}"),
        "FleetRole": service_role("states.amazonaws.com", _rights(), "RunTheFleet"),
        "Fleet": {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {
                "StateMachineName": sub(NAME),
                "StateMachineType": "STANDARD",
                "RoleArn": {"Fn::GetAtt": ["FleetRole", "Arn"]},
                "DefinitionString": sub(json.dumps(definition(), separators=(",", ":"))),
                "LoggingConfiguration": {
                    "Level": "ERROR",
                    "IncludeExecutionData": True,
                    "Destinations": [
                        {
                            "CloudWatchLogsLogGroup": {
                                "LogGroupArn": {"Fn::GetAtt": ["FleetLog", "Arn"]}
                            }
                        }
                    ],
                },
            },
        },
    }


def _rights() -> list[Resource]:
    return [
        {
            "Effect": "Allow",
            "Action": "lambda:InvokeFunction",
            "Resource": arn("lambda", f"function:{function_name('fleet_step')}"),
        },
        # A Distributed Map starts its children as executions of its own machine.
        {
            "Effect": "Allow",
            "Action": "states:StartExecution",
            "Resource": arn("states", f"stateMachine:{NAME}"),
        },
        {
            "Effect": "Allow",
            "Action": ["states:DescribeExecution", "states:StopExecution"],
            "Resource": [
                arn("states", f"execution:{NAME}:*"),
                arn("states", f"execution:{NAME}/*"),
            ],
        },
        # What Step Functions needs to deliver logs has no resource level.
        # https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
        {
            "Effect": "Allow",
            "Action": [
                "logs:CreateLogDelivery",
                "logs:DeleteLogDelivery",
                "logs:DescribeLogGroups",
                "logs:DescribeResourcePolicies",
                "logs:GetLogDelivery",
                "logs:ListLogDeliveries",
                "logs:PutResourcePolicy",
                "logs:UpdateLogDelivery",
            ],
            "Resource": "*",
        },
    ]


def _step(step: str, given: dict[str, Any]) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:${AWS::Partition}:states:::lambda:invoke",
        "Parameters": {"FunctionName": _FUNCTION, "Payload": {"step": step, **given}},
        "TimeoutSeconds": _SECONDS_OF_A_STEP,
        "Retry": [
            {
                "ErrorEquals": _PASSING_ERRORS,
                "IntervalSeconds": 2,
                "MaxAttempts": 6,
                "BackoffRate": 2,
                "MaxDelaySeconds": 60,
                "JitterStrategy": "FULL",
            }
        ],
    }


def _accounts(path: str) -> dict[str, Any]:
    return {"ResultSelector": {"accounts.$": "$.Payload.accounts"}, "ResultPath": path}


def _over(accounts: str, name: str, step: dict[str, Any]) -> dict[str, Any]:
    return {
        "Type": "Map",
        "ItemsPath": accounts,
        "ItemSelector": {"run.$": "$.run", "account_id.$": "$$.Map.Item.Value"},
        "MaxConcurrency": AT_ONCE,
        "ToleratedFailurePercentage": 100.0,
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": name,
            # Nothing of an account comes back: what it found is in the table.
            "States": {name: step | {"ResultSelector": {}, "End": True}},
        },
        "ResultPath": None,
    }
