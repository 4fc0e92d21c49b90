"""The API's access log.

Chalice makes the API's stage, so that `make deploy` turns the log on (`tools.deploy.api_stage`).
Here are the log group, and the role by which API Gateway writes to logs, which each account and
region has one of: `make deploy` names this one to API Gateway where none is set.
"""

import json

from tools.operations.names import APP, Resources, arn, log_group, service_role, sub

LOG_GROUP = f"{APP}-${{Stage}}-access"
ROLE = f"{APP}-${{Stage}}-api-logs"

ACCESS_LOG_FORMAT = json.dumps(
    {
        "requestId": "$context.requestId",
        "time": "$context.requestTime",
        "caller": "$context.identity.userArn",
        "sourceIp": "$context.identity.sourceIp",
        "method": "$context.httpMethod",
        "path": "$context.path",
        "status": "$context.status",
        "relayed": "$context.integration.requestId",
        "latencyMs": "$context.responseLatency",
        "error": "$context.error.message",
    },
    separators=(",", ":"),
)
"""One line of JSON per request, refused ones included.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
"""

_ACTIONS = [
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:DescribeLogGroups",
    "logs:DescribeLogStreams",
    "logs:FilterLogEvents",
    "logs:GetLogEvents",
    "logs:PutLogEvents",
]


def resources() -> Resources:
    """Return the log group and the role, by their logical ids."""
    right = {"Effect": "Allow", "Action": _ACTIONS, "Resource": arn("logs", "*")}
    role = service_role("apigateway.amazonaws.com", [right], "WriteLogs")
    # API Gateway assumes it when it is named as the account's, without saying for which API.
    del role["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]
    role["Properties"]["RoleName"] = sub(ROLE)
    return {"AccessLog": log_group(LOG_GROUP), "ApiLogsRole": role}
