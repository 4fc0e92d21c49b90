"""How long the functions' logs are kept.

Not in the stack: Lambda makes a function's log group at its first invocation, and CloudFormation
fails on one that exists. Here it is made where it is missing, and its retention set, as often as
wanted.
"""

from functools import partial
from typing import Any

from tools.deploy import stack
from tools.deploy.target import Action, Actions, Target
from tools.operations.names import FUNCTIONS, function_name

DEFAULT_DAYS = 90


def steps(target: Target) -> Actions:
    """Yield what the functions' log groups need."""
    logs, days = target.client("logs"), _days(target)
    for function in FUNCTIONS:
        group = f"/aws/lambda/{function_name(function, target.stage)}"
        found = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        kept = {each["logGroupName"]: each.get("retentionInDays") for each in found}
        if kept.get(group) == days:
            continue
        doing = "keep" if group in kept else "make, and keep"
        yield Action(
            f"logs: {doing} {group} {days} days",
            partial(_keep, logs, group, days, make=group not in kept),
        )


def _days(target: Target) -> int:
    if "LogRetentionDays" in target.settings:
        return int(target.settings["LogRetentionDays"])
    status = stack.stack_status(target.client("cloudformation"), stack.name(target))
    return DEFAULT_DAYS if status is None else int(stack.parameter(target, "LogRetentionDays"))


def _keep(logs: Any, group: str, days: int, make: bool) -> None:
    if make:
        logs.create_log_group(logGroupName=group)
    logs.put_retention_policy(logGroupName=group, retentionInDays=days)
