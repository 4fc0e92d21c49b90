"""Every document says what the Service Authorization Reference knows, and nothing else.

No unknown action, no resource that none of the statement's actions is authorised on, no action that
none of its resources is for, no condition key that the action does not know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from chalicelib.model.desired import Document

from .rendered import PROFILES, own_documents, rendered
from .service_reference import (
    actions,
    condition_keys,
    keys_of,
    listed,
    overlap,
    resource_formats,
)

KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
# Set by AWS on calls that a function's code makes, whatever the action:
# https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
ON_ANY_ACTION = {"lambda:sourcefunctionarn"}


def findings(document: Document) -> Iterator[str]:
    for statement in document["Statement"]:
        named = [each for each in listed(statement["Action"]) if not each.endswith(":*")]
        resources = listed(statement["Resource"])
        for pattern in named:
            if not actions(pattern):
                yield f"{statement['Sid']}: no action {pattern}"
        known = {action for pattern in named for action in actions(pattern)}
        if "*" not in resources:
            yield from _resources(statement, named, resources)
        for key in keys_of(statement):
            if key.lower().startswith("aws:") or key.lower() in ON_ANY_ACTION:
                continue
            for action in known:
                if key.lower() not in condition_keys(action):
                    yield f"{statement['Sid']}: {action} does not know {key}"


def _resources(
    statement: Mapping[str, Any], named: list[str], resources: list[str]
) -> Iterator[str]:
    formats = {
        pattern: {each for action in actions(pattern) for each in resource_formats(action) - {"*"}}
        for pattern in named
    }
    for pattern, of_pattern in formats.items():
        if not any(overlap(one, each) for one in of_pattern for each in resources):
            yield f"{statement['Sid']}: {pattern} is authorised on none of its resources"
    for each in resources if named else ():
        if not any(overlap(one, each) for of_pattern in formats.values() for one in of_pattern):
            yield f"{statement['Sid']}: no action of it is authorised on {each}"


@pytest.mark.parametrize("profile", PROFILES)
def test_documents_hold_what_the_reference_knows(profile: str) -> None:
    desired = rendered(profile, kms_keys=[KEY])

    found = [
        f"{name}: {each}"
        for name, document in own_documents(desired).items()
        for each in findings(document)
    ]

    assert found == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"Action": "s3:GetObjekt"}, "no action s3:GetObjekt"),
        ({"Resource": "arn:aws:s3:::bucket"}, "on none of its resources"),
        ({"Resource": ["arn:aws:s3:::b/*", "arn:aws:sqs:*:*:queue"]}, "arn:aws:sqs:*:*:queue"),
        ({"Condition": {"StringEquals": {"iam:PassedToService": "x"}}}, "iam:PassedToService"),
    ],
)
def test_the_linter_finds_what_is_wrong(changed: Mapping[str, Any], said: str) -> None:
    sound = {"Sid": "Read", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::b/*"]}

    assert list(findings({"Statement": [sound]})) == []
    assert any(said in each for each in findings({"Statement": [{**sound, **changed}]}))
