"""Expectations are put together into few questions, and each is still answered by its own."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.model.desired import Expectation
from chalicelib.model.simulation import grouped

KEY = "iam:PassedToService"


def expectation(
    action: str, resource: str = "*", role: str = "notebook", **context: str
) -> Expectation:
    named = {key.replace("_", ":", 1): value for key, value in context.items()}
    return Expectation("n", role, action, resource, named, "allowed")


def test_a_context_is_shared_with_what_it_does_not_concern() -> None:
    [question] = grouped(
        [
            expectation("states:StartExecution", "machine"),
            expectation("iam:PassRole", "role", iam_PassedToService="states"),
            expectation("cloudwatch:PutMetricData", cloudwatch_namespace="lake"),
        ]
    )

    assert question.context == {KEY: "states", "cloudwatch:namespace": "lake"}
    assert set(question.actions) == {
        "states:StartExecution",
        "iam:PassRole",
        "cloudwatch:PutMetricData",
    }


def test_what_the_context_concerns_is_asked_apart() -> None:
    told = expectation("iam:PassRole", "role", iam_PassedToService="states")
    other = expectation("iam:PassRole", "role", iam_PassedToService="lambda")
    untold = expectation("iam:PassRole", "role")

    assert len(grouped([told, other, untold])) == 3


def test_roles_are_asked_apart() -> None:
    assert len(grouped([expectation("a:B"), expectation("a:B", role="lambda_trigger")])) == 2


expectations = st.lists(
    st.builds(
        Expectation,
        name=st.uuids().map(str),
        role=st.sampled_from(["notebook", "trigger"]),
        action=st.sampled_from(["iam:PassRole", "iam:GetRole", "s3:GetObject", "a:B"]),
        resource=st.sampled_from(["*", "one", "two"]),
        context=st.dictionaries(
            st.sampled_from([KEY, "aws:ResourceAccount"]), st.sampled_from(["x", "y"]), max_size=2
        ),
        expect=st.sampled_from(["allowed", "denied"]),
    ),
    max_size=20,
)


@settings(max_examples=60, derandomize=True, database=None, deadline=None)
@given(asked=expectations)
def test_every_expectation_is_answered_once_in_its_own_context(asked: list[Expectation]) -> None:
    questions = grouped(asked)

    answered = Counter(each.name for question in questions for each in question.expectations)
    assert answered == Counter(each.name for each in asked)
    told = {(each.action, key) for each in asked for key in each.context}
    for question in questions:
        for each in question.expectations:
            assert each.role == question.role
            assert each.action in question.actions
            assert each.resource in question.resources
            # Whatever else is in the context is of no concern to the action.
            for key, value in question.context.items():
                assert each.context.get(key) == value or (each.action, key) not in told
            assert each.context.items() <= question.context.items()
