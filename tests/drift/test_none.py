"""Drifts that are none: other words for the same thing are no difference."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model import documents
from tests.kit.drifts import Target
from tests.kit.names import ACCOUNT, NAME, ROLES, ROOT
from tests.kit.world import World

from .support import drift, provision, requested_run, writes

LISTS = ("Action", "Resource", "Service")


def turned(document: Any) -> Any:
    """Return the document with its statements and lists in reverse, nothing else changed."""
    if isinstance(document, dict):
        return {
            key: turned(value)[::-1] if isinstance(value, list) else turned(value)
            for key, value in document.items()
        }
    return [turned(each) for each in document] if isinstance(document, list) else document


def listed(document: Any) -> Any:
    """Return the document with a list of one wherever IAM takes a lone string as well."""
    if isinstance(document, dict):
        return {
            key: [value] if key in LISTS and isinstance(value, str) else listed(value)
            for key, value in document.items()
        }
    return [listed(each) for each in document] if isinstance(document, list) else document


def lone(document: Any) -> Any:
    """Return the document with a lone string or statement wherever there is a list of one."""
    if isinstance(document, dict):
        return {key: lone(value) for key, value in document.items()}
    if isinstance(document, list):
        return lone(document[0]) if len(document) == 1 else [lone(each) for each in document]
    return document


@pytest.mark.parametrize("reworded", [turned, listed, lone])
def test_documents_in_other_words_are_in_sync(
    world: World, iam: Any, reworded: Callable[[Any], Any]
) -> None:
    provision(world, NAME)
    changed = 0
    for key in ROLES:
        target = Target(NAME, key)
        trust = iam.get_role(RoleName=target.role)["Role"]["AssumeRolePolicyDocument"]
        iam.update_assume_role_policy(
            RoleName=target.role, PolicyDocument=json.dumps(reworded(trust))
        )
        changed += reworded(trust) != trust
        for name in target.inline():
            found = iam.get_role_policy(RoleName=target.role, PolicyName=name)["PolicyDocument"]
            iam.put_role_policy(
                RoleName=target.role, PolicyName=name, PolicyDocument=json.dumps(reworded(found))
            )
            changed += reworded(found) != found
        for arn in target.attached():
            if ACCOUNT in arn:
                found = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]
                document = reworded(found["Document"])
                iam.create_policy_version(
                    PolicyArn=arn, PolicyDocument=json.dumps(document), SetAsDefault=True
                )
                changed += document != found["Document"]
    assert changed >= 2

    assert_in_sync(world)


def test_space_that_aws_trims_is_no_drift(world: World, iam: Any) -> None:
    provision(world, NAME)
    role = Target(NAME, "notebook").role
    description = iam.get_role(RoleName=role)["Role"]["Description"]
    iam.update_role(RoleName=role, Description=f"{description} \n", MaxSessionDuration=3600)

    assert_in_sync(world)


def test_another_version_with_the_same_document_is_no_drift(world: World, iam: Any) -> None:
    provision(world, NAME)
    arn = Target(NAME, "lambda_trigger").policy
    document = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(document), SetAsDefault=True)

    assert_in_sync(world)


def test_what_others_attach_our_policy_to_is_no_drift(world: World, iam: Any) -> None:
    provision(world, NAME)
    iam.create_role(RoleName="theirs", AssumeRolePolicyDocument="{}")
    iam.attach_role_policy(RoleName="theirs", PolicyArn=Target(NAME, "lambda_trigger").policy)

    assert_in_sync(world)


def assert_in_sync(world: World) -> None:
    assert drift(world, NAME) == {
        "name": NAME,
        "in_sync": True,
        "changes": [],
        "foreign": [],
    }
    with world.wire.recording() as made:
        report = requested_run(world)
    assert (report["checked"], report["in_sync"], report["environments"]) == (1, 1, [])
    assert not writes(made)


ROOT_ARN = f"arn:aws:iam::{ACCOUNT}:root"


def trusting(principal: Any, **more: Any) -> Any:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}
        ],
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (trusting({"AWS": ROOT_ARN}), trusting({"AWS": ACCOUNT})),
        (trusting({"AWS": [ROOT_ARN, "*"]}), trusting({"AWS": ["*", ACCOUNT]})),
        (trusting("*"), trusting({"AWS": "*"})),
        (
            trusting({"AWS": "*"}, Condition={"Bool": {"aws:MultiFactorAuthPresent": True}}),
            trusting({"AWS": "*"}, Condition={"Bool": {"aws:multifactorauthpresent": "true"}}),
        ),
    ],
)
def test_the_same_principals_in_other_words(one: Any, other: Any) -> None:
    assert documents.same_policy(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (trusting({"AWS": ROOT_ARN}), trusting({"AWS": "210987654321"})),
        (trusting({"AWS": ACCOUNT}), trusting({"Federated": ACCOUNT})),
        (trusting({"AWS": "*"}), trusting({"AWS": "*"}, Condition={"Bool": {"a:b": "true"}})),
        (trusting({"AWS": "*"}), trusting({"AWS": "*"}) | {"Version": "2008-10-17"}),
        (trusting({"AWS": "*"}), trusting({"AWS": "*"}) | {"Statement": []}),
    ],
)
def test_other_principals_and_conditions_are_a_difference(one: Any, other: Any) -> None:
    assert not documents.same_policy(one, other)


DECLARED = [
    json.loads(file.read_text())
    for file in sorted((ROOT / "policies").glob("*/*/*.json"))
    if file.name != "role.json"
]


@given(st.data())
def test_any_rewording_of_what_is_declared_is_the_same_and_any_edit_is_not(
    data: st.DataObject,
) -> None:
    document = data.draw(st.sampled_from(DECLARED))
    same = _shuffled(data, document)
    assert documents.same_policy(document, same)

    edited = copy.deepcopy(same)
    statement = data.draw(st.sampled_from(edited["Statement"]))
    edit = data.draw(st.sampled_from(["effect", "more actions", "one statement less"]))
    if edit == "effect":
        statement["Effect"] = "Allow" if statement["Effect"] == "Deny" else "Deny"
    elif edit == "more actions":
        actions = statement.get("Action", [])
        statement["Action"] = [*(actions if isinstance(actions, list) else [actions]), "iam:*"]
    else:
        edited["Statement"].remove(statement)
    assert not documents.same_policy(document, edited)


def _shuffled(data: st.DataObject, value: Any) -> Any:
    if isinstance(value, dict):
        keys = data.draw(st.permutations(list(value)))
        return {key: _respelt(data, key, _shuffled(data, value[key])) for key in keys}
    if isinstance(value, list):
        return [_shuffled(data, each) for each in data.draw(st.permutations(value))]
    return value


def _respelt(data: st.DataObject, key: str, value: Any) -> Any:
    if key not in LISTS:
        return value
    if isinstance(value, str) and data.draw(st.booleans()):
        return [value]
    if isinstance(value, list) and len(value) == 1 and data.draw(st.booleans()):
        return value[0]
    return value
