"""What CloudFormation cannot set on the API's stage, which is Chalice's: access log, throttling.

A deployment by Chalice leaves these settings in place.
"""

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from tools.deploy import stack
from tools.deploy.target import Action, Actions, Target
from tools.operations.api_logs import ACCESS_LOG_FORMAT, LOG_GROUP, ROLE

REQUESTS_A_SECOND, BURST = 20, 40
"""Enough for a pipeline that declares hundreds of environments; too little to exhaust Lambda."""

_SECONDS_FOR_A_NEW_ROLE = 60


def steps(target: Target) -> Actions:
    """Yield what the API's stage, and API Gateway's right to write logs, need."""
    client, api_id = target.client("apigateway"), target.api_id()
    if api_id is None or stack.stack_status(
        target.client("cloudformation"), stack.name(target)
    ) in (None, "REVIEW_IN_PROGRESS"):
        yield Action("api: turn on the access log and the throttling of its stage", lambda: None)
        return
    if not client.get_account().get("cloudwatchRoleArn"):
        yield Action(
            "api: let API Gateway write logs in this account and region",
            lambda: _patient(lambda: _name_role(client, _role(target))),
        )
    found = client.get_stage(restApiId=api_id, stageName=target.stage)
    patches = _patches(found, _log(target, client.meta.region_name))
    if patches:
        yield Action(
            f"api: set {', '.join(each['path'] for each in patches)}",
            lambda: client.update_stage(
                restApiId=api_id, stageName=target.stage, patchOperations=patches
            ),
        )


def _patches(found: dict[str, Any], log: str) -> list[dict[str, str]]:
    """Return what to change; numbers are compared as such."""
    settings, access = found.get("methodSettings", {}), found.get("accessLogSettings", {})
    everywhere = settings.get("*/*", {})
    wanted: list[tuple[str, Any, Any]] = [
        ("/accessLogSettings/destinationArn", access.get("destinationArn"), log),
        ("/accessLogSettings/format", access.get("format"), ACCESS_LOG_FORMAT),
        ("/*/*/throttling/rateLimit", everywhere.get("throttlingRateLimit"), REQUESTS_A_SECOND),
        ("/*/*/throttling/burstLimit", everywhere.get("throttlingBurstLimit"), BURST),
    ]
    return [
        {"op": "replace", "path": path, "value": str(value)}
        for path, there, value in wanted
        if there != value
    ]


def _log(target: Target, region: str) -> str:
    group = LOG_GROUP.replace("${Stage}", target.stage)
    return target.arn("logs", f"log-group:{group}", region)


def _role(target: Target) -> str:
    return target.arn("iam", f"role/{ROLE.replace('${Stage}', target.stage)}")


def _name_role(client: Any, arn: str) -> None:
    operation = {"op": "replace", "path": "/cloudwatchRoleArn", "value": arn}
    client.update_account(patchOperations=[operation])


def _patient(call: Callable[[], None]) -> None:
    """Call again while API Gateway does not see the role's permissions yet.

    A new role shows after some seconds; API Gateway says BadRequestException until then.
    """
    deadline = time.monotonic() + _SECONDS_FOR_A_NEW_ROLE
    while True:
        try:
            return call()
        except ClientError as error:
            refused = error.response["Error"]["Code"] == "BadRequestException"
            if not refused or time.monotonic() > deadline:
                raise
            time.sleep(5)
