"""Rendered environments, and all that one of their roles is allowed, in one policy."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data

from chalicelib import catalogue
from chalicelib.model.desired import Desired, Document, Place

POLICIES = Path(__file__).parents[2] / "policies"
ACCOUNT = "123456789012"
HERE = Place(ACCOUNT, "aws", "us-east-1")
PLACES = (
    HERE,
    Place(ACCOUNT, "aws-cn", "cn-north-1"),
    Place(ACCOUNT, "aws-us-gov", "us-gov-west-1"),
)
PROFILES = ("standard", "scoped")


def rendered(
    profile: str, name: str = "lake-dev", place: Place = HERE, **parameters: list[str]
) -> Desired:
    return (
        catalogue.load()
        .profile(profile)
        .render(name, place, tags={}, permissions_boundary=None, parameters=parameters)
    )


def own_documents(desired: Desired) -> dict[str, Document]:
    """All policies of an environment's own, by their names."""
    inline = {
        f"{role.key}/{name}": document
        for role in desired.roles
        for name, document in role.inline_policies.items()
    }
    return inline | {f"{each.role}/{each.name}": each.document for each in desired.policies}


def policy_of(desired: Desired, key: str) -> dict[str, Any]:
    """All statements on a role, those of AWS's managed policies included, as one policy."""
    role = desired.role(key)
    documents = [
        *role.inline_policies.values(),
        *(each.document for each in desired.policies if each.role == key),
        *(
            _aws_managed(arn.rpartition("/")[2], desired.place.partition)
            for arn in role.managed_policies
            if ":aws:policy/" in arn
        ),
    ]
    statements = [
        {**statement, "Sid": f"{statement.get('Sid', '')}{at}"}
        for at, statement in enumerate(
            statement for document in documents for statement in document["Statement"]
        )
    ]
    return {"Version": "2012-10-17", "Statement": statements}


@cache
def _all_aws_managed() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(aws_managed_policies_data)
    return loaded


def _aws_managed(name: str, partition: str) -> Document:
    """One of AWS's managed policies, its ARNs those of the partition."""
    text = json.dumps(_all_aws_managed()[name]["Document"])
    document: Document = json.loads(text.replace("arn:aws:", f"arn:{partition}:"))
    statements = document["Statement"]
    return {**document, "Statement": statements if isinstance(statements, list) else [statements]}
