"""Documents as the API answers them (the contract, sections 2 and 8), to build answers from."""

import copy
from typing import Any

ACCOUNT = "123456789012"
MEMBER = "210987654321"
NAME = "datalake-consumer-dev"
ALICE = f"arn:aws:sts::{ACCOUNT}:assumed-role/Operators/alice@example.com"
RUN_ID = "0b6f1f0e-3c0a-4a4e-9a1e-6f5f3f5c2b11"

_POLICY = f"{NAME}-AmazonSageMaker-StepFunctionsWorkflowExecutionPolicy"
_EVENTS = {
    "Sid": "ManageStepFunctionsEventRules",
    "Effect": "Allow",
    "Action": ["events:DescribeRule", "events:PutRule", "events:PutTargets"],
    "Resource": f"arn:aws:events:us-east-1:{ACCOUNT}:rule/StepFunctionsGetEventsForSageMaker*",
}

CHECKS = [
    {"name": "state machine runs", "status": "passed", "detail": "the execution succeeded in 4 s"},
    {
        "name": "notebook may pass the workflow_execution role to Step Functions",
        "status": "passed",
        "detail": "allowed, as declared",
    },
    {
        "name": "workflow_execution may pass the notebook role to SageMaker",
        "status": "failed",
        "detail": f"iam:PassRole on arn:aws:iam::{ACCOUNT}:role/{NAME}-SageMaker is implicitDeny, "
        "allowed is declared",
    },
    {
        "name": "lambda_trigger may start workflow executions",
        "status": "skipped",
        "detail": "this endpoint does not simulate policies",
    },
    {
        "name": "notebook trusts sagemaker.amazonaws.com",
        "status": "passed",
        "detail": "read back from IAM",
    },
]

UPDATED_POLICY = {
    "kind": "update_policy",
    "role": "workflow_execution",
    "resource": f"arn:aws:iam::{ACCOUNT}:policy/{_POLICY}",
    "summary": "allows iam:CreateUser on * besides (statement ManageStepFunctionsEventRules)",
    "effect": "widened",
    "expected": {"Version": "2012-10-17", "Statement": [_EVENTS]},
    "actual": {
        "Version": "2012-10-17",
        "Statement": [{**_EVENTS, "Action": [*_EVENTS["Action"], "iam:CreateUser"]}],
    },
}
DETACHED = {
    "kind": "attach_managed_policy",
    "role": "notebook",
    "resource": f"arn:aws:iam::{ACCOUNT}:role/{NAME}-SageMaker",
    "summary": "AmazonAthenaFullAccess is not attached",
    "effect": "narrowed",
    "expected": "arn:aws:iam::aws:policy/AmazonAthenaFullAccess",
    "actual": None,
}
UNTAGGED = {
    "kind": "tag_role",
    "role": "lambda_trigger",
    "resource": f"arn:aws:iam::{ACCOUNT}:role/{NAME}-LambdaTriggerStepFunc",
    "summary": "tag team is analytics instead of datalake",
    "effect": "none",
    "expected": {"team": "datalake"},
    "actual": {"team": "analytics"},
}
CHANGES = [UPDATED_POLICY, DETACHED, UNTAGGED]

PROFILES = [
    {
        "name": "standard",
        "description": "The manual procedure, with its slips put right.",
        "default": True,
        "roles": ["notebook", "workflow_execution", "lambda_trigger"],
        "parameters": {},
    },
    {
        "name": "scoped",
        "description": "The same three roles with least privilege.",
        "default": False,
        "roles": ["notebook", "workflow_execution", "lambda_trigger"],
        "parameters": {
            "buckets": {
                "description": "S3 buckets, by name.",
                "pattern": "[a-z0-9*.-]{3,63}",
                "default": ["${environment}-*"],
            },
            "kms_keys": {
                "description": "KMS keys, by ARN.",
                "pattern": "arn:aws[a-z-]*:kms:.+",
                "default": [],
            },
            "cost_center": {
                "description": "Who pays.",
                "pattern": "[0-9]{4}",
                "default": "0000",
            },
        },
    },
]


def environment(name: str = NAME, account_id: str = ACCOUNT, **changed: Any) -> dict[str, Any]:
    """Return an environment's document."""
    suffixes = {
        "notebook": "SageMaker",
        "workflow_execution": "StepFunctionsWorkflowExecution",
        "lambda_trigger": "LambdaTriggerStepFunc",
    }
    roles = {
        key: {"name": f"{name}-{suffix}", "arn": f"arn:aws:iam::{account_id}:role/{name}-{suffix}"}
        for key, suffix in suffixes.items()
    }
    states = f"arn:aws:states:us-east-1:{account_id}"
    return {
        "name": name,
        "account_id": account_id,
        "partition": "aws",
        "region": "us-east-1",
        "profile": "standard",
        "parameters": {},
        "status": "ready",
        "drift": {"in_sync": True, "checked_at": "2026-11-24T22:00:00Z"},
        "roles": roles,
        "smoke_test": {
            "status": "succeeded",
            "state_machine_arn": f"{states}:stateMachine:{name}-smoke-test",
            "execution_arn": f"{states}:execution:{name}-smoke-test:5d0e4e8c",
            "checks": [copy.deepcopy(each) for each in CHECKS if each["status"] != "failed"],
        },
        "changes": [],
        "tags": {"team": "datalake"},
        "permissions_boundary": f"arn:aws:iam::{account_id}:policy/TrivetEnvironmentBoundary",
        "on_extras": "remove",
        "deletion_protection": False,
        "paused_until": None,
        "created_at": "2026-11-20T08:15:00Z",
        "created_by": ALICE,
        "updated_at": "2026-11-24T21:59:58Z",
        "updated_by": None,
    } | changed


def failed(name: str = NAME) -> dict[str, Any]:
    """Return an environment of which a check of the smoke test failed, and which drifted."""
    found = environment(
        name, status="drifted", drift={"in_sync": False, "checked_at": "2026-11-24T22:00:00Z"}
    )
    found["smoke_test"] |= {"status": "failed", "checks": copy.deepcopy(CHECKS)}
    return found


def listed(document: dict[str, Any]) -> dict[str, Any]:
    """Return an environment as listings have it: without `changes`."""
    return {key: value for key, value in document.items() if key != "changes"}


def entry(operation: str, **changed: Any) -> dict[str, Any]:
    """Return a history entry."""
    return {
        "id": f"01JDK-{operation}",
        "at": "2026-11-24T21:59:58Z",
        "operation": operation,
        "by": ALICE,
        "outcome": "done",
        "error": None,
        "changes": [],
        "cause": None,
    } | changed


def report(**changed: Any) -> dict[str, Any]:
    """Return a drift run's report."""
    return {
        "id": RUN_ID,
        "trigger": "schedule",
        "applied": True,
        "status": "finished",
        "started_at": "2026-11-24T22:00:00Z",
        "finished_at": "2026-11-24T22:00:11Z",
        "checked": 300,
        "in_sync": 297,
        "drifted": 3,
        "repaired": 2,
        "failed": 1,
        "not_reached": ["zoo-dev"],
        "accounts": [
            _account_row(ACCOUNT, checked=299, in_sync=296, drifted=3, repaired=2, failed=1),
            _account_row(
                MEMBER, error=f"arn:aws:iam::{MEMBER}:role/TrivetMember cannot be assumed"
            ),
        ],
        "aws_calls": {"iam:GetAccountAuthorizationDetails": 4, "iam:AttachRolePolicy": 3},
        "stopped": None,
        "environments": [
            {
                "account_id": ACCOUNT,
                "name": NAME,
                "outcome": "repaired",
                "changes": copy.deepcopy(CHANGES),
                "error": None,
            },
            {
                "account_id": ACCOUNT,
                "name": "mlops-prod",
                "outcome": "failed",
                "changes": [],
                "error": "attaching AmazonS3FullAccess to mlops-prod-SageMaker: AccessDenied",
            },
        ],
        "next_cursor": None,
    } | changed


def _account_row(account_id: str, **changed: Any) -> dict[str, Any]:
    counts = dict.fromkeys(("checked", "in_sync", "drifted", "repaired", "failed"), 0)
    return {"account_id": account_id, **counts, "not_reached": 0, "error": None} | changed


def account(account_id: str = ACCOUNT, **changed: Any) -> dict[str, Any]:
    """Return an account's document."""
    return {
        "account_id": account_id,
        "alias": "ml-platform",
        "home": account_id == ACCOUNT,
        "status": "connected",
        "detail": None,
        "environments": 3,
        "registered_at": "2026-10-01T12:00:00Z",
        "registered_by": ALICE,
        "checked_at": "2026-11-24T22:00:00Z",
    } | changed
