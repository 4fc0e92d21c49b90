"""Names that tests use: of the repository, the account, and what an environment is made of."""

import os
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
ACCOUNT = "123456789012"
"""The account that environments are made in."""
HOME = os.environ.get("HOME_ACCOUNT", ACCOUNT)
"""The account that Trivet is in; where `HOME_ACCOUNT` names another one, `ACCOUNT` is a member."""
IN_MEMBER = HOME != ACCOUNT
RECORDS = f"environment#{ACCOUNT}" if IN_MEMBER else "environment"
"""The table's key under which the records of its environments stand."""
NAME = "datalake-consumer-dev"
TABLE = "trivet-local"

ROLES = {
    "notebook": "SageMaker",
    "workflow_execution": "StepFunctionsWorkflowExecution",
    "lambda_trigger": "LambdaTriggerStepFunc",
}
"""What follows the environment's name in that of a role, by the role's key."""

POLICIES = {
    "workflow_execution": "AmazonSageMaker-StepFunctionsWorkflowExecutionPolicy",
    "lambda_trigger": "LambdaTriggerStepFuncRole",
}
"""Likewise of the policies that are an environment's own, by the key of the role that has it."""

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
POWER_USER = "arn:aws:iam::aws:policy/PowerUserAccess"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"

OPEN: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}
OPEN_TRUST: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}
