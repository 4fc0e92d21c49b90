"""The account: boundary, AWS managed policies, and how many more environments fit."""

from trivet.doctor.checking import Fault, Skip, check, found
from trivet.doctor.deployment import Deployment, packaged

LEAST_ROOM = 10
"""Environments."""


@check("the boundary is present", "Without it, what Trivet makes is not limited by anything.")
def _present(deployment: Deployment) -> str | Fault:
    arn = _boundary(deployment)
    answer = found(deployment.client("iam").get_policy, "NoSuchEntity", PolicyArn=arn)
    if answer is None:
        return Fault(f"{arn} is missing.", "make deploy makes it, with your credentials.")
    return f"{arn}, version {answer['Policy']['DefaultVersionId']}."


@check("the boundary is current", "An old boundary has the holes that were closed since.")
def _current(deployment: Deployment) -> str | Fault:
    arn, iam = _boundary(deployment), deployment.client("iam")
    answer = found(iam.get_policy, "NoSuchEntity", PolicyArn=arn)
    if answer is None:
        raise Skip(f"{arn} is missing.")
    version = answer["Policy"]["DefaultVersionId"]
    there = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    if there != packaged()["boundary"]:
        return Fault(
            f"Version {version} is not the one of release {packaged()['version']}.",
            "Find out who changed it, if it was current before; make deploy brings it up to date.",
        )
    return f"Version {version} is the packaged one."


@check(
    "AWS managed policies are there", "An environment that needs a missing one stays incomplete."
)
def _managed(deployment: Deployment) -> str | Fault:
    iam, names = deployment.client("iam"), packaged()["aws_managed_policies"]
    prefix = f"arn:{deployment.partition}:iam::aws:policy/"
    missing = [
        name
        for name in names
        if found(iam.get_policy, "NoSuchEntity", PolicyArn=prefix + name) is None
    ]
    if missing:
        return Fault(
            f"Not in partition {deployment.partition}: {', '.join(missing)}.",
            "Take it out of the profile under policies/, or put its successor there.",
        )
    return f"All {len(names)} that the profiles name."


@check("there is room in IAM's quotas", "A new environment ends half-way when one is reached.")
def _room(deployment: Deployment) -> str | Fault:
    summary = deployment.client("iam").get_account_summary()["SummaryMap"]
    needs = packaged()["per_environment"]
    room = {
        what: (summary[f"{what}Quota"] - summary[what]) // needs[what]
        for what in ("Roles", "Policies")
    }
    scarce = min(room, key=lambda what: room[what])
    if room[scarce] < LEAST_ROOM:
        return Fault(
            f"{summary[scarce]} of {summary[f'{scarce}Quota']} {scarce.lower()} are used: "
            f"room for {max(room[scarce], 0)} more environments.",
            "Ask for more in the Service Quotas console, in IAM's region.",
        )
    return f"Room for {room[scarce]} more environments."


def _boundary(deployment: Deployment) -> str:
    """Return the ARN of Trivet's boundary."""
    for each in deployment.configurations.values():
        named = each.get("Environment", {}).get("Variables", {}).get("TRIVET_PERMISSIONS_BOUNDARY")
        if named:
            raise Skip(f"The deployment has another boundary: {named}.")
    return deployment.arn("iam", f"policy/{packaged()['boundary_name']}")
