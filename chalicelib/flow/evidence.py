"""The evidence for an environment's wiring, besides the live run: simulated, and read back.

Simulated: the expectations in `policies/`, asked of `iam:SimulatePrincipalPolicy`, as many at a
time as have role and context in common. Read back: the trust policies as IAM stored them.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws import answers
from chalicelib.aws.accounts import Target
from chalicelib.errors import NotOffered
from chalicelib.model import documents
from chalicelib.model.desired import ENVIRONMENT_TAG, ROLE_TAG, Desired, Expectation, Role
from chalicelib.model.environment import Check
from chalicelib.model.simulation import SimulationGroup, grouped
from chalicelib.resources import role
from chalicelib.work import threads

_OWN_TAGS = (ENVIRONMENT_TAG, ROLE_TAG)


def gather(target: Target, desired: Desired) -> list[Future[list[Check]]]:
    """Start asking for the simulated and the read-back evidence."""
    return [
        *(
            threads.start(_simulated, target, desired, group)
            for group in grouped(desired.expectations)
        ),
        *(threads.start(_read_back, target, each) for each in desired.roles),
    ]


def _simulated(target: Target, desired: Desired, group: SimulationGroup) -> list[Check]:
    wanted = desired.role(group.role)
    try:
        decisions = _decisions(target, wanted, group)
    except (ClientError, BotoCoreError, NotImplementedError) as error:
        if answers.code_of(error) in answers.MISSING:
            gone = f"Role {wanted.arn} does not exist."
            return [Check(each.name, "failed", gone) for each in group.expectations]
        translated = answers.translated(error, f"simulating what {wanted.name} may do")
        if isinstance(translated, NotOffered):
            reason = "This endpoint does not offer iam:SimulatePrincipalPolicy."
            return [Check(each.name, "skipped", reason) for each in group.expectations]
        raise translated from error
    return [
        _check(wanted, each, decisions.get((each.action.lower(), each.resource)))
        for each in group.expectations
    ]


def _decisions(target: Target, wanted: Role, group: SimulationGroup) -> dict[tuple[str, str], str]:
    """Return IAM's decision for each action (lower case) and resource of a group.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
    """
    # IAM does not add the role's own tags, which a permissions boundary may ask for.
    own_tags = {f"aws:PrincipalTag/{key}": wanted.tags[key] for key in _OWN_TAGS}
    pages = target.iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=wanted.arn,
        ActionNames=list(group.actions),
        ResourceArns=list(group.resources),
        ContextEntries=[
            {"ContextKeyName": key, "ContextKeyType": "string", "ContextKeyValues": [value]}
            for key, value in (own_tags | dict(group.context)).items()
        ],
    )
    return {
        (action, resource): decision
        for page in pages
        for result in page["EvaluationResults"]
        for action, resource, decision in _results(result)
    }


def _results(result: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    action = result["EvalActionName"].lower()
    yield action, result.get("EvalResourceName", "*"), result["EvalDecision"]
    for each in result.get("ResourceSpecificResults", ()):
        yield action, each["EvalResourceName"], each["EvalResourceDecision"]


def _check(wanted: Role, expectation: Expectation, decision: str | None) -> Check:
    with_context = "".join(f", {key} = {value}" for key, value in expectation.context.items())
    asked = f"{expectation.action} on {expectation.resource} as {wanted.name}{with_context}"
    if decision is None:
        return Check(expectation.name, "skipped", f"IAM's simulator says nothing of {asked}.")
    seen = "allowed" if decision == "allowed" else "denied"
    detail = f"IAM simulates {asked}: {decision}, expected {expectation.expect}."
    return Check(expectation.name, "passed" if seen == expectation.expect else "failed", detail)


def _read_back(target: Target, wanted: Role) -> list[Check]:
    name = f"{wanted.key} role's trust policy reads back as declared"
    head = role.head(target, wanted.name)
    if head is None:
        return [Check(name, "failed", f"Role {wanted.arn} does not exist.")]
    document: Any = head["AssumeRolePolicyDocument"]
    trusted = ", ".join(_trusted(document))
    if documents.same_policy(wanted.trust_policy, document):
        held = f"IAM holds: {wanted.name} may be assumed by {trusted}."
        return [Check(name, "passed", held)]
    detail = f"IAM holds another trust policy for {wanted.name}: it may be assumed by {trusted}."
    return [Check(name, "failed", detail)]


def _trusted(trust_policy: Any) -> Sequence[str]:
    """Return the principals that a trust policy allows, for people to read."""
    statements = trust_policy.get("Statement", [])
    principals: list[str] = []
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal", {})
        if statement.get("Effect") != "Allow":
            continue
        for value in principal.values() if isinstance(principal, dict) else [principal]:
            principals += value if isinstance(value, list) else [value]
    return principals or ["nobody"]
