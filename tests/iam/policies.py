"""The policies that the tests ask: the generated ones, and those of provisioned roles."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data

from chalicelib.model.desired import Desired, Place
from tools.child import REPOSITORY
from tools.permissions import names
from tools.permissions.functions import FUNCTIONS, function_policy
from tools.permissions.names import Names, Stage

from .authorization import CONDITION_KEYS, AuthorizationRequest
from .cases import ACCOUNT
from .simulator import Policy, simulate

CONFIG = json.loads((REPOSITORY / ".chalice" / "config.json").read_text())
STAGES = names.stages(CONFIG)
CATALOGUE = names.catalogue(REPOSITORY / "policies")
NAMES = Names.of(CATALOGUE, {})
BOUNDARY: Policy = json.loads((REPOSITORY / "policies" / "permissions-boundary.json").read_text())

US = Place(ACCOUNT, "aws", "us-east-1")
PLACES = (
    US,
    Place(ACCOUNT, "aws-cn", "cn-north-1"),
    Place(ACCOUNT, "aws-us-gov", "us-gov-west-1"),
)
ROLES = ("notebook", "workflow_execution", "lambda_trigger")


def checked_in(function: str, stage: str = "dev") -> Policy:
    """The policy of a function, as it is in the repository."""
    settings = CONFIG["stages"][stage]["lambda_functions"][function]
    policy: Policy = json.loads((REPOSITORY / ".chalice" / settings["iam_policy_file"]).read_text())
    return policy


def of_functions(
    boundary: str | None = names.DEFAULT_BOUNDARY, tag_keys: tuple[str, ...] = ("*",)
) -> dict[str, Policy]:
    """The policies of all functions in a stage with these settings."""
    stage = Stage("trivet", "dev", "trivet-dev", boundary, tag_keys)
    return {function: function_policy(function, stage, NAMES) for function in FUNCTIONS}


def allowed(policy: Policy, asked: Sequence[AuthorizationRequest]) -> list[bool]:
    """Whether one policy allows each of these requests."""
    return [each.allowed for each in simulate({"it": policy}, [("it", one) for one in asked])]


def refused(policies: Mapping[str, Policy], asked: Sequence[AuthorizationRequest]) -> list[str]:
    """What at least one of these policies, which hold together, does not allow."""
    every = simulate(policies, [(name, one) for name in policies for one in asked])
    return sorted({f"{d.request.action} on {d.request.resource}" for d in every if not d.allowed})


def rendered(profile: str, place: Place = US, environment: str = "lake") -> Desired:
    """An environment of this profile, with what it may be given in parameters."""
    kms = {"kms_keys": [f"arn:{place.partition}:kms:{place.region}:{ACCOUNT}:key/any"]}
    of = CATALOGUE.profile(profile)
    return of.render(
        environment,
        place,
        tags={},
        permissions_boundary=None,
        parameters=kms if "kms_keys" in of.parameters else {},
    )


@cache
def provisioned(
    role: str, profile: str = "standard", partition: str = "aws", environment: str = "lake"
) -> Policy:
    """All that is attached to a role of an environment, AWS's managed policies included.

    Left out is what they say under conditions that the requests of the tests do not carry.
    """
    [place] = [each for each in PLACES if each.partition == partition]
    desired = rendered(profile, place, environment)
    wanted = desired.role(role)
    own = list(wanted.inline_policies.values())
    own += [each.document for each in desired.policies if each.role == role]
    managed = [arn.split(":policy/")[1] for arn in wanted.managed_policies if ":iam::aws:" in arn]
    own += [_aws_managed_policies()[name.rpartition("/")[2]]["Document"] for name in managed]
    statements = [one for document in own for one in _statements(document)]
    return {
        "Version": "2012-10-17",
        "Statement": [{**one, "Sid": f"S{i}"} for i, one in enumerate(statements)],
    }


@cache
def _aws_managed_policies() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(aws_managed_policies_data)
    return loaded


def _statements(document: Any) -> Iterator[dict[str, Any]]:
    found = document["Statement"]
    for statement in found if isinstance(found, list) else [found]:
        keys = {key for each in statement.get("Condition", {}).values() for key in each}
        if keys <= CONDITION_KEYS:
            yield statement
