"""What the API itself says: its version, and whether it reaches its members. And its stage."""

from trivet.doctor.checking import Fault, Skip, check
from trivet.doctor.deployment import Deployment, packaged


@check("versions are equal", "A command line of another release asks for what the API has not.")
def _versions(deployment: Deployment) -> str | Fault:
    here, there = packaged()["version"], deployment.ask("/health")["version"]
    if here != there:
        return Fault(
            f"This command line is {here}, the API is {there}.",
            "Upgrade the older of the two: make deploy, or pip install --upgrade ./cli.",
        )
    return f"Both are {here}."


@check("member accounts are reached", "What is in an account out of reach is not put back.")
def _members(deployment: Deployment) -> str | Fault:
    accounts, cursor = [], None
    while True:
        page = deployment.ask("/accounts" + (f"?cursor={cursor}" if cursor else ""))
        accounts += page["accounts"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    lost = [each for each in accounts if each["status"] != "connected"]
    if lost:
        told = "; ".join(f"{each['account_id']}: {each['detail']}" for each in lost)
        return Fault(
            f"{len(lost)} of {len(accounts)} are not: {told}",
            "Deploy deploy/member-account.json there anew, or forget it: trivet account remove.",
        )
    return f"All {len(accounts)}."


@check(
    "the API logs and throttles", "Without a log nobody knows who asked; without a limit, one can."
)
def _stage(deployment: Deployment) -> str | Fault:
    client = deployment.client("apigateway")
    for page in client.get_paginator("get_rest_apis").paginate():
        for api in page["items"]:
            for stage in client.get_stages(restApiId=api["id"])["item"]:
                if (api["name"], stage["stageName"]) == ("trivet", deployment.stage):
                    return _settings(stage)
    raise Skip(f"There is no REST API trivet with a stage {deployment.stage} in this account.")


def _settings(stage: dict[str, object]) -> str | Fault:
    do = "make deploy sets both."
    if not stage.get("accessLogSettings"):
        return Fault("Its stage has no access log.", do)
    settings = stage.get("methodSettings")
    if not isinstance(settings, dict) or "*/*" not in settings:
        return Fault("Its stage has no throttling of its own.", do)
    rate = settings["*/*"].get("throttlingRateLimit")
    return f"Access log on, {rate:g} requests a second."
