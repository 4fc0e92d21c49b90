"""The stack `trivet-<stage>-operations`, changed by change sets: shown first, then carried out."""

import json
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from tools.deploy.target import Action, Actions, Target

_CHANGE_SET = "trivet-deploy"
_UNUSED = (None, "REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE")
_SECONDS_IN = {"minute": 60, "hour": 3600, "day": 86400}


class StackError(RuntimeError):
    """CloudFormation did not do what was asked; says why, as far as CloudFormation does."""


def name(target: Target) -> str:
    """Return the stack's name."""
    return f"{target.app}-operations"


def steps(target: Target) -> Actions:
    """Yield each change that the template would make, and then carry them out.

    Raises:
        StackError: CloudFormation refused the template.
    """
    client = target.client("cloudformation")
    status = stack_status(client, name(target))
    api_id = target.api_id()
    if target.planning and (api_id is None or status in _UNUSED):
        count = len(_template(target)["Resources"])
        yield Action(f"stack: make {name(target)}, of {count} resources", _nothing)
        return
    if api_id is None:
        raise StackError(f"no REST API named trivet has a stage {target.stage}")
    if status == "ROLLBACK_COMPLETE":
        yield Action("stack: delete what was left when it was first made", lambda: _delete(target))
    changes = _change_set(target, api_id, status)
    for change in changes:
        yield Action(f"stack: {_said(change)}", _nothing)
    if target.planning:
        client.delete_change_set(ChangeSetName=_CHANGE_SET, StackName=name(target))
    elif changes:
        yield Action(
            f"stack: carry these {len(changes)} changes out in {name(target)}",
            lambda: _execute(target, "stack_create" if status in _UNUSED else "stack_update"),
        )


def stack_status(client: Any, stack: str) -> str | None:
    """Return a stack's status, or None where there is none of that name."""
    try:
        return str(client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])
    except ClientError as error:
        # DescribeStacks has no code of its own for it.
        if error.response["Error"]["Code"] == "ValidationError":
            return None
        raise


def parameter(target: Target, key: str) -> str:
    """Return the value of one of the stack's parameters."""
    [stack] = target.client("cloudformation").describe_stacks(StackName=name(target))["Stacks"]
    given = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    return str(given[key])


def seconds_between_runs(schedule: str) -> int:
    """Return how long no scheduled drift run may be missing: twice the rate, a day at most.

    A cron expression says nothing of its longest pause: a day, then.
    """
    if not schedule.startswith("rate("):
        return 86400
    number, unit = schedule.removeprefix("rate(").removesuffix(")").split()
    return min(2 * int(number) * _SECONDS_IN[unit.removesuffix("s")], 86400)


def _template(target: Target) -> Any:
    return json.loads((target.repository / "deploy" / "operations.json").read_text())


def _parameters(target: Target, api_id: str, existing: bool) -> Iterator[dict[str, Any]]:
    schedule = target.variables.get("TRIVET_DRIFT_SCHEDULE", "rate(1 hour)")
    given = {
        "Stage": target.stage,
        "ApiId": api_id,
        "Table": target.variables.get("TRIVET_TABLE") or f"trivet-{target.stage}",
        "SecondsBetweenDriftRuns": str(seconds_between_runs(schedule)),
        **target.settings,
    }
    for key in _template(target)["Parameters"]:
        if key in given:
            yield {"ParameterKey": key, "ParameterValue": given[key]}
        elif existing:
            yield {"ParameterKey": key, "UsePreviousValue": True}


def _change_set(target: Target, api_id: str, status: str | None) -> list[dict[str, Any]]:
    """Make the change set, and return its changes; without any, remove it again."""
    client, existing = target.client("cloudformation"), status not in _UNUSED
    if status is not None:
        # One that an interrupted deployment left; deleting none is no error.
        client.delete_change_set(StackName=name(target), ChangeSetName=_CHANGE_SET)
    client.create_change_set(
        StackName=name(target),
        ChangeSetName=_CHANGE_SET,
        ChangeSetType="UPDATE" if existing else "CREATE",
        TemplateBody=json.dumps(_template(target), separators=(",", ":")),
        Parameters=list(_parameters(target, api_id, existing)),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Tags=[{"Key": "application", "Value": "trivet"}],
    )
    made = {"StackName": name(target), "ChangeSetName": _CHANGE_SET}
    try:
        client.get_waiter("change_set_create_complete").wait(**made)
    except WaiterError as error:
        reason = str(client.describe_change_set(**made).get("StatusReason", error))
        client.delete_change_set(**made)
        # Told by no code: https://github.com/aws/aws-cli/blob/v2/awscli/customizations/cloudformation/deployer.py
        if "didn't contain changes" in reason or "No updates are to be performed" in reason:
            return []
        raise StackError(
            f"CloudFormation refuses the changes to {name(target)}: {reason}"
        ) from error
    pages = client.get_paginator("describe_change_set").paginate(**made)
    return [change["ResourceChange"] for page in pages for change in page["Changes"]]


def _execute(target: Target, waiter: str) -> None:
    client = target.client("cloudformation")
    client.execute_change_set(ChangeSetName=_CHANGE_SET, StackName=name(target))
    try:
        client.get_waiter(f"{waiter}_complete").wait(StackName=name(target))
    except WaiterError as error:
        events = client.describe_stack_events(StackName=name(target))["StackEvents"]
        failed = [
            f"{each['LogicalResourceId']}: {each.get('ResourceStatusReason')}"
            for each in events
            if each["ResourceStatus"].endswith("_FAILED")
        ]
        raise StackError(
            f"{name(target)} was rolled back; the first failure: {(failed or [str(error)])[-1]}"
        ) from error


def _delete(target: Target) -> None:
    client = target.client("cloudformation")
    client.delete_stack(StackName=name(target))
    client.get_waiter("stack_delete_complete").wait(StackName=name(target))


def _said(change: dict[str, Any]) -> str:
    replaced = " (made anew)" if change.get("Replacement") == "True" else ""
    what = f"{change['LogicalResourceId']} {change['ResourceType']}"
    return f"{change['Action'].lower()} {what}{replaced}"


def _nothing() -> None:
    """Only told: what is done about it comes after."""
