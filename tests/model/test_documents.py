"""Policy documents are compared by meaning: what is equal to IAM is equal here, and no more."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.model import documents

ACTIONS = ["s3:GetObject", "s3:Put*", "iam:PassRole", "states:StartExecution", "*"]
RESOURCES = ["*", "arn:aws:s3:::a/*", "arn:aws:s3:::B", "arn:aws:iam::123456789012:role/x"]
ACCOUNTS = ["123456789012", "arn:aws:iam::210987654321:root"]
USERS = ["arn:aws:iam::123456789012:user/a", "AROAEXAMPLE", "*"]
SERVICES = ["states.amazonaws.com", "lambda.amazonaws.com"]

lists_of_actions = st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=3, unique=True)
lists_of_resources = st.lists(st.sampled_from(RESOURCES), min_size=1, max_size=3, unique=True)
principals = st.dictionaries(
    st.sampled_from(["AWS", "Service"]), st.just(None), min_size=1
).flatmap(
    lambda kinds: st.fixed_dictionaries(
        {
            kind: st.lists(
                st.sampled_from(ACCOUNTS + USERS if kind == "AWS" else SERVICES),
                min_size=1,
                max_size=3,
                unique=True,
            )
            for kind in kinds
        }
    )
)
conditions = st.dictionaries(
    st.sampled_from(["StringEquals", "StringLike", "Bool"]),
    st.dictionaries(
        st.sampled_from(["iam:PassedToService", "aws:SourceArn", "aws:SecureTransport"]),
        st.lists(st.sampled_from(["a", "b", "true"]), min_size=1, max_size=2, unique=True),
        min_size=1,
        max_size=2,
    ),
    max_size=2,
)
statements = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"]), "Action": lists_of_actions},
    optional={
        "Sid": st.sampled_from(["One", "Two"]),
        "Resource": lists_of_resources,
        "Principal": principals,
        "Condition": conditions,
    },
)
policies = st.fixed_dictionaries(
    {
        "Version": st.just("2012-10-17"),
        "Statement": st.lists(statements, min_size=1, max_size=3),
    }
)

bounded = settings(max_examples=40, derandomize=True, database=None, deadline=None)


def rewritten(value: Any, draw: Any, key: str = "") -> Any:
    """Return the same policy said otherwise: reordered, lone strings for lists, other spelling."""
    if isinstance(value, dict):
        items = draw(st.permutations(list(value.items())))
        return {name: rewritten(each, draw, name) for name, each in items}
    if isinstance(value, list):
        said = [rewritten(each, draw, key) for each in draw(st.permutations(value))]
        if key != "Statement" and draw(st.booleans()):
            said += said[:1]  # a set has it once
        return said[0] if len(said) == 1 and draw(st.booleans()) else said
    if key == "Action" and draw(st.booleans()):
        return value.upper()
    if key == "AWS" and value in ACCOUNTS:
        account = "".join(filter(str.isdigit, value))
        return draw(st.sampled_from([account, f"arn:aws:iam::{account}:root"]))
    if value == "true" and draw(st.booleans()):
        return True
    return value


@bounded
@given(policy=policies, data=st.data())
def test_said_otherwise_is_the_same(policy: Any, data: st.DataObject) -> None:
    other = rewritten(policy, data.draw)

    assert documents.same_policy(policy, other)
    assert documents.same_policy(other, policy)


@bounded
@given(policy=policies, data=st.data())
def test_any_real_change_is_seen(policy: Any, data: st.DataObject) -> None:
    changed = copy.deepcopy(policy)
    statement = data.draw(st.sampled_from(changed["Statement"]))
    change = data.draw(
        st.sampled_from(["effect", "action", "resource", "sid", "condition", "more", "not"])
    )
    if change == "effect":
        statement["Effect"] = {"Allow": "Deny", "Deny": "Allow"}[statement["Effect"]]
    elif change == "action":
        statement["Action"] = [*statement["Action"], "sqs:SendMessage"]
    elif change == "resource":
        statement["Resource"] = [*statement.get("Resource", []), "arn:aws:sqs:::q"]
    elif change == "sid":
        statement["Sid"] = "Other"
    elif change == "condition":
        statement["Condition"] = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    elif change == "more":
        changed["Statement"].append({"Effect": "Deny", "Action": "sqs:*", "Resource": "*"})
    else:
        statement["NotAction"] = statement.pop("Action")

    other = rewritten(changed, data.draw)
    if _sets(policy) != _sets(changed):
        assert not documents.same_policy(policy, other)
        assert not documents.same_policy(other, policy)


def _sets(policy: Any) -> set[str]:
    return {json.dumps(each, sort_keys=True) for each in policy["Statement"]}


def statement(**elements: Any) -> Any:
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", **elements}],
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (statement(Principal="*"), statement(Principal={"AWS": "*"})),
        (
            statement(Principal={"AWS": "123456789012"}),
            statement(Principal={"AWS": ["arn:aws-cn:iam::123456789012:root"]}),
        ),
        ({"Statement": []}, {"Version": "2008-10-17", "Statement": []}),
        (statement(), {**statement(), "Statement": statement()["Statement"][0]}),
        (
            statement(Condition={"StringEquals": {"AWS:SourceAccount": 123456789012}}),
            statement(Condition={"stringequals": {"aws:sourceaccount": ["123456789012"]}}),
        ),
    ],
)
def test_equal_to_iam(one: Any, other: Any) -> None:
    assert documents.same_policy(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (statement(Resource="a"), statement(Resource="A")),
        (statement(Resource="a"), statement(NotResource="a")),
        (statement(Resource="a"), statement()),
        (statement(Principal={"AWS": "a"}), statement(Principal={"Service": "a"})),
        (statement(Principal={"AWS": "AROA1"}), statement(Principal={"AWS": "123456789012"})),
        (statement(Principal="*"), statement(NotPrincipal="*")),
        (
            statement(Principal={"AWS": "arn:aws:iam::123456789012:root"}),
            statement(Principal={"AWS": "arn:aws:iam::123456789012:user/root"}),
        ),
        (
            statement(Condition={"StringEquals": {"a": "b"}}),
            statement(Condition={"StringLike": {"a": "b"}}),
        ),
        (
            statement(Condition={"StringEquals": {"a": "b"}}),
            statement(Condition={"StringEquals": {"a": ["b", "c"]}}),
        ),
        (
            statement(Condition={"StringEquals": {"a": "b"}}),
            statement(Condition={"StringEquals": {"a": "B"}}),
        ),
        (statement(), {**statement(), "Version": "2008-10-17"}),
        (statement(), {"Version": "2012-10-17", "Statement": []}),
    ],
)
def test_not_equal_to_iam(one: Any, other: Any) -> None:
    assert not documents.same_policy(one, other)


def test_size_is_counted_without_white_space_in_characters() -> None:
    assert documents.size({"a": ["é", 1]}) == len('{"a":["é",1]}')
