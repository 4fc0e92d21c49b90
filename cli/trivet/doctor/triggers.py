"""What starts Trivet by itself: the schedule, IAM's events, and the trail that tells of them."""

import json
from typing import Any

from trivet.doctor.checking import Fault, Skip, check, found
from trivet.doctor.deployment import Deployment, packaged

_REDEPLOY = "Deploy the stage again: make deploy."


@check("the schedule is on", "Nothing else puts drift back that no event told of.")
def _schedule(deployment: Deployment) -> str | Fault:
    rule = _rule(deployment, "drift_run")
    if isinstance(rule, Fault):
        return rule
    wanted = deployment.released and deployment.released["schedule"]
    if wanted and rule.get("ScheduleExpression") != wanted:
        return Fault(f"It is {rule.get('ScheduleExpression')}, not {wanted}.", _REDEPLOY)
    return f"{rule.get('ScheduleExpression')}, enabled."


@check("IAM's events are listened to", "Without them drift stays until the next scheduled run.")
def _events(deployment: Deployment) -> str | Fault:
    rule = _rule(deployment, "iam_change")
    if isinstance(rule, Fault):
        return rule
    if json.loads(rule.get("EventPattern", "{}")) != packaged()["event_pattern"]:
        return Fault("The rule's event pattern is not the packaged one.", _REDEPLOY)
    return "The rule is enabled, with the packaged pattern."


@check("a trail records management events", "CloudTrail sends EventBridge what a trail records.")
def _trail(deployment: Deployment) -> str | Fault:
    if deployment.partition != "aws":
        raise Skip("IAM's events reach EventBridge in the commercial partition only.")
    client = deployment.client("cloudtrail")
    for trail in client.describe_trails()["trailList"]:
        everywhere = trail.get("IsMultiRegionTrail") or trail.get("HomeRegion") == "us-east-1"
        if everywhere and client.get_trail_status(Name=trail["TrailARN"])["IsLogging"]:
            return f"{trail['Name']} is logging."
    return Fault(
        "No trail that takes in us-east-1 is logging.",
        "Make a trail of management events for all regions, or start the one that there is.",
    )


def _rule(deployment: Deployment, function: str) -> Any:
    """Return a rule that is on and starts its function, or what is wrong with it."""
    client, name = deployment.client("events"), f"{deployment.app}-{function}-event"
    rule = found(client.describe_rule, "ResourceNotFoundException", Name=name)
    if rule is None:
        return Fault(f"The rule {name} is missing.", _REDEPLOY)
    if rule["State"] == "DISABLED":
        return Fault(f"{name} is disabled.", f"aws events enable-rule --name {name}")
    wanted = deployment.arn("lambda", f"function:{deployment.functions[function]}")
    targets = [each["Arn"] for each in client.list_targets_by_rule(Rule=name)["Targets"]]
    if wanted not in targets:
        return Fault(f"{name} does not start {deployment.functions[function]}.", _REDEPLOY)
    return rule
