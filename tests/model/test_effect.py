"""What is said of a difference's effect holds when the policy simulator is asked.

Documents are drawn in bulk: one process of the simulator answers for many pairs.
"""

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chalicelib.model import explain
from chalicelib.model.change import Explanation
from tests.iam.authorization import AuthorizationRequest
from tests.iam.simulator import simulate

ROLE = "arn:aws:iam::123456789012:role/"
PRINCIPAL = f"{ROLE}caller"
TEAM, KEYS = "aws:PrincipalTag/team", "aws:TagKeys"
PAIRS = 30

Pair = tuple[Any, Any]
Allowed = frozenset[int]
"""Which of `REQUESTS`, by their numbers."""

REQUESTS = [
    AuthorizationRequest(action, f"{ROLE}{name}", PRINCIPAL, context)
    for action in ("iam:GetRole", "iam:DeleteRole", "iam:TagRole")
    for name in ("lake-dev", "lake-prod", "lake/dev")
    for context in ({}, {TEAM: "a"}, {TEAM: "ab"}, {TEAM: "b"})
] + [
    AuthorizationRequest("iam:TagRole", f"{ROLE}lake-dev", PRINCIPAL, {KEYS: keys, TEAM: "a"})
    for keys in (("a",), ("a", "ab"), ("b", "c"))
]

LITERAL_ACTIONS = ["iam:GetRole", "iam:DeleteRole", "iam:TagRole"]
LITERAL_RESOURCES = [f"{ROLE}lake-dev", f"{ROLE}lake-prod", f"{ROLE}lake/dev"]
ACTIONS = [
    *LITERAL_ACTIONS, "iam:*", "*", "iam:Get*", "iam:*Role", "iam:??tRole", "iam:?agrole",
    "iam:*e*", "s3:*",
]  # fmt: skip
RESOURCES = [
    *LITERAL_RESOURCES, "*", f"{ROLE}*", f"{ROLE}lake-*", f"{ROLE}lake*dev", f"{ROLE}lake?dev",
    "arn:aws:iam::*:role/lake-dev", "arn:aws:*", "arn:*:iam::*:role/*-*", "arn:aws:s3:::b",
]  # fmt: skip
STRINGS = ["StringEquals", "StringLike", "StringNotEquals", "StringNotLike",
           "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"]  # fmt: skip
ON_TEAM = [name + end for name in STRINGS for end in ("", "IfExists")]
ON_KEYS = [f"{each}:{name}" for each in ("ForAllValues", "ForAnyValue") for name in STRINGS[:4]]


def some(of: list[str], most: int = 3) -> st.SearchStrategy[Any]:
    """Some of these, or one that stands alone."""
    return st.sampled_from(of) | st.lists(
        st.sampled_from(of), min_size=1, max_size=most, unique=True
    )


def operators(names: list[str], key: str) -> st.SearchStrategy[Any]:
    values = some(["a", "ab", "b", "a*", "*", "?"])
    return st.dictionaries(
        st.sampled_from(names), st.fixed_dictionaries({key: values}), min_size=1, max_size=2
    )


conditions = operators(ON_TEAM, TEAM) | operators(ON_KEYS, KEYS)


@st.composite
def statements(draw: st.DrawFn) -> Any:
    statement = {
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        draw(st.sampled_from(["Action", "Action", "NotAction"])): draw(some(ACTIONS)),
        draw(st.sampled_from(["Resource", "Resource", "NotResource"])): draw(some(RESOURCES)),
    }
    if draw(st.booleans()):
        statement["Condition"] = draw(conditions)
    return statement


def document(*of: Any) -> Any:
    return {"Version": "2012-10-17", "Statement": [*of]}


@st.composite
def edits(draw: st.DrawFn) -> Pair:
    """A document and what one or two edits made of it."""
    before = draw(st.lists(statements(), min_size=1, max_size=3))
    after = copy.deepcopy(before)
    for _ in range(draw(st.integers(1, 2))):
        match draw(st.sampled_from(["add", "remove", "element", "condition"])):
            case "remove" if len(after) > 1:
                after.pop(draw(st.integers(0, len(after) - 1)))
            case "element":
                at = draw(st.sampled_from(after))
                name = draw(
                    st.sampled_from([key for key in at if key not in ("Effect", "Condition")])
                )
                at[name] = draw(some(ACTIONS if "Action" in name else RESOURCES))
            case "condition":
                at = draw(st.sampled_from(after))
                if at.pop("Condition", None) is None or draw(st.booleans()):
                    at["Condition"] = draw(conditions)
            case _:
                after.append(draw(statements()))
    pair = document(*before), document(*after)
    return pair if draw(st.booleans()) else pair[::-1]


def allowed(pairs: list[Pair]) -> Iterator[tuple[Allowed, Allowed]]:
    """What either document of each pair allows, of all that is asked."""
    policies = {str(at): each for at, each in enumerate(itertools.chain(*pairs))}
    decisions = simulate(policies, [(name, asked) for name in policies for asked in REQUESTS])
    of_one = (
        frozenset(at for at in range(len(REQUESTS)) if decisions[start + at].allowed)
        for start in range(0, len(decisions), len(REQUESTS))
    )
    numbers = iter(of_one)
    yield from zip(numbers, numbers, strict=True)


def check_sound(pairs: list[Pair]) -> None:
    """Nobody is told that nothing was added, or nothing lost, where the simulator shows it."""
    for (expected, actual), (before, after) in zip(pairs, allowed(pairs), strict=True):
        said = explain.policy(expected, actual)
        if said.effect in ("narrowed", "none"):
            assert after <= before, (expected, actual, said)
        if said.effect in ("widened", "none"):
            assert before <= after, (expected, actual, said)


in_bulk = given(pairs=st.lists(edits(), min_size=PAIRS, max_size=PAIRS))
unhurried = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


@in_bulk
@settings(
    max_examples=1, deadline=None, derandomize=True, phases=[Phase.generate],
    suppress_health_check=unhurried,
)  # fmt: skip
def test_effect_is_never_better_than_the_simulator_shows(pairs: list[Pair]) -> None:
    check_sound(pairs)


@pytest.mark.soak
@in_bulk
@settings(max_examples=300, deadline=None, suppress_health_check=unhurried)
def test_effect_of_very_many_edits(pairs: list[Pair]) -> None:
    check_sound(pairs)


plain_documents = st.lists(
    st.builds(
        lambda action, resource: {"Effect": "Allow", "Action": action, "Resource": resource},
        some(LITERAL_ACTIONS),
        some(LITERAL_RESOURCES),
    ),
    max_size=3,
).map(lambda of: document(*of))


@given(pairs=st.lists(st.tuples(plain_documents, plain_documents), min_size=PAIRS, max_size=PAIRS))
@settings(
    max_examples=1, deadline=None, derandomize=True, phases=[Phase.generate],
    suppress_health_check=unhurried,
)  # fmt: skip
def test_effect_of_plain_documents_is_just_what_the_simulator_shows(pairs: list[Pair]) -> None:
    for (expected, actual), (before, after) in zip(pairs, allowed(pairs), strict=True):
        shown = {
            (True, True): "none",
            (True, False): "narrowed",
            (False, True): "widened",
            (False, False): "altered",
        }[after <= before, before <= after]

        assert explain.policy(expected, actual).effect == shown, (expected, actual)


EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


NARROW_AND_WIDE: list[Pair] = [
    ({"Action": "iam:Get*"}, {"Action": "iam:*"}),
    ({"Action": ["iam:GetRole"]}, {"Action": ["iam:GetRole", "iam:TagRole"]}),
    ({"Resource": f"{ROLE}lake-dev"}, {"Resource": "*"}),
    ({"Resource": f"{ROLE}lake-*"}, {"Resource": f"{ROLE}lake*"}),
    ({"Condition": {"StringEquals": {TEAM: "a"}}}, {}),
    (
        {"Condition": {"StringEquals": {TEAM: "a"}}},
        {"Condition": {"StringEquals": {TEAM: ["a", "b"]}}},
    ),
    (
        {"Condition": {"StringEquals": {TEAM: "a"}}},
        {"Condition": {"StringLike": {TEAM: "a*"}}},
    ),
    (
        {"Condition": {"StringEquals": {TEAM: "a"}}},
        {"Condition": {"StringEqualsIfExists": {TEAM: "a"}}},
    ),
    (
        {"Condition": {"StringNotEquals": {TEAM: ["a", "b"]}}},
        {"Condition": {"StringNotEquals": {TEAM: "a"}}},
    ),
    (
        {"Condition": {"StringNotLike": {TEAM: "a*"}}},
        {"Condition": {"StringNotEquals": {TEAM: "ab"}}},
    ),
    ({"NotAction": ["iam:Get*", "iam:Tag*"]}, {"NotAction": "iam:Tag*"}),
    ({"NotAction": "iam:Tag*"}, {"Action": "*"}),
    ({"Action": "iam:GetRole"}, {"NotAction": "iam:Tag*"}),
    ({"NotResource": f"{ROLE}lake-*"}, {"NotResource": f"{ROLE}lake-dev"}),
    ({"Resource": f"{ROLE}lake-dev"}, {"NotResource": [f"{ROLE}lake/*", "arn:aws:s3:::b"]}),
]


def everything_but(effect: str, elements: Any) -> Any:
    """A statement on everything, but for these elements."""
    kept = {**EVERYTHING, "Effect": effect, **elements}
    for name in ("Action", "Resource"):
        if f"Not{name}" in elements:
            del kept[name]
    return kept


def test_what_is_wider_is_seen_to_be() -> None:
    pairs = []
    for narrow, wide in NARROW_AND_WIDE:
        allows = [document(everything_but("Allow", each)) for each in (narrow, wide)]
        denies = [document(EVERYTHING, everything_but("Deny", each)) for each in (wide, narrow)]
        pairs += [(allows[0], allows[1]), (denies[0], denies[1])]

    for (expected, actual), (before, after) in zip(pairs, allowed(pairs), strict=True):
        assert explain.policy(expected, actual).effect == "widened", (expected, actual)
        assert explain.policy(actual, expected).effect == "narrowed", (expected, actual)
        assert before < after, (expected, actual)


def test_what_a_deny_makes_void_widens_nothing() -> None:
    denying = {"Effect": "Deny", "Action": "iam:*", "Resource": "*"}
    one = document(denying)
    two = document(denying, {"Effect": "Allow", "Action": "iam:GetRole", "Resource": "*"})

    assert explain.policy(one, two).effect == "none"
    assert explain.policy(one, document(two["Statement"][1])) == Explanation(
        "allows iam:GetRole on * besides; no longer denies iam:* on *", "widened"
    )
