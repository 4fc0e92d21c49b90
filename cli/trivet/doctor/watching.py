"""What tells an operator: alarms, logs, dead letters, and the fleet's state machine."""

import json
from typing import Any

from trivet.doctor.checking import Fault, Skip, check, found
from trivet.doctor.deployment import Deployment, packaged

_STACK = "make deploy brings the stack of operations up to date."


@check("alarms are there", "What nobody is told of stays broken.")
def _alarms(deployment: Deployment) -> str | Fault:
    there = _there(deployment)
    wanted = [name.replace("${Stage}", deployment.stage) for name in packaged()["alarms"]]
    missing = sorted(set(wanted) - set(there))
    if missing:
        return Fault(f"Missing: {', '.join(missing)}.", _STACK)
    return f"All {len(wanted)}."


@check("alarms tell somebody", "An alarm without an action only changes its colour.")
def _told(deployment: Deployment) -> str | Fault:
    there = _there(deployment)
    if not there:
        raise Skip("There are no alarms.")
    mute = sorted(
        name
        for name, each in there.items()
        if not each["ActionsEnabled"] or not each["AlarmActions"]
    )
    if mute:
        some = f"{', '.join(mute[:3])}{' ...' if len(mute) > 3 else ''}"
        return Fault(
            f"{len(mute)} of {len(there)} tell nobody: {some}.",
            "make deploy ALARM_TOPIC=<ARN of an SNS topic>; aws cloudwatch enable-alarm-actions.",
        )
    return f"All {len(there)} have an action."


@check("no alarm is on", "An alarm that is on is work that waits.")
def _quiet(deployment: Deployment) -> str | Fault:
    ringing = sorted(
        name for name, each in _there(deployment).items() if each["StateValue"] == "ALARM"
    )
    if ringing:
        entries = [f"docs/runbook.md#{name.removeprefix(deployment.app + '-')}" for name in ringing]
        return Fault(f"On: {', '.join(ringing)}.", f"See {', '.join(entries)}.")
    return "None."


@check("failed events are kept", "An event that failed three times is lost without its queue.")
def _destinations(deployment: Deployment) -> str | Fault:
    client = deployment.client("lambda")
    for key in packaged()["asynchronous"]:
        name = deployment.functions[key]
        answer = found(
            client.get_function_event_invoke_config,
            "ResourceNotFoundException",
            FunctionName=name,
        )
        kept = (answer or {}).get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        if kept != deployment.arn("sqs", f"{deployment.app}-{key}-failed"):
            return Fault(f"What {name} fails on goes to {kept or 'nowhere'}.", _STACK)
    return "Both asynchronous functions have their queue."


@check("no failed event waits", "Each is a repair or a run that did not happen.")
def _letters(deployment: Deployment) -> str | Fault:
    client, waiting = deployment.client("sqs"), {}
    for key in packaged()["asynchronous"]:
        queue = f"{deployment.app}-{key}-failed"
        gone = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
        answer = found(client.get_queue_url, *gone, QueueName=queue)
        if answer is None:
            return Fault(f"The queue {queue} is missing.", _STACK)
        waiting[queue] = _count(client, answer["QueueUrl"])
    if any(waiting.values()):
        return Fault(f"Waiting: {waiting}.", "See docs/runbook.md#drift-run-dead-letters.")
    return "Both queues are empty."


@check("logs end some time", "Logs kept for ever cost for ever, and keep callers' names as long.")
def _logs(deployment: Deployment) -> str | Fault:
    client, groups = deployment.client("logs"), []
    for name in deployment.functions.values():
        groups += client.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"]
    own = {f"/aws/lambda/{name}" for name in deployment.functions.values()}
    endless = sorted(
        {
            each["logGroupName"]
            for each in groups
            if each["logGroupName"] in own and not each.get("retentionInDays")
        }
    )
    if endless:
        return Fault(f"Kept for ever: {', '.join(endless)}.", "make deploy sets the retention.")
    return "The functions' log groups have a retention."


@check("the fleet's state machine is there", "Without it, runs over many accounts run out of time.")
def _fleet(deployment: Deployment) -> str | Fault:
    client = deployment.client("stepfunctions")
    arn = deployment.arn("states", f"stateMachine:{deployment.app}-fleet")
    answer = found(client.describe_state_machine, "StateMachineDoesNotExist", stateMachineArn=arn)
    if answer is None:
        return Fault(f"{arn} is missing.", _STACK)
    if json.loads(answer["definition"]) != _rendered(deployment, packaged()["fleet"]):
        return Fault("Its definition is not the packaged one.", _STACK)
    return f"{arn}, as packaged."


def _there(deployment: Deployment) -> dict[str, Any]:
    pages = (
        deployment.client("cloudwatch")
        .get_paginator("describe_alarms")
        .paginate(AlarmNamePrefix=f"{deployment.app}-")
    )
    return {each["AlarmName"]: each for page in pages for each in page["MetricAlarms"]}


def _count(client: Any, url: str) -> int:
    name = "ApproximateNumberOfMessages"
    attributes = client.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"]
    return int(attributes[name])


def _rendered(deployment: Deployment, definition: Any) -> Any:
    account = deployment.arn("iam", "").split(":")[4]
    values = {
        "${Stage}": deployment.stage,
        "${AWS::Partition}": deployment.partition,
        "${AWS::Region}": deployment.region,
        "${AWS::AccountId}": account,
    }
    text = json.dumps(definition)
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    return json.loads(text)
