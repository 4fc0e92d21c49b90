"""What one pattern is said to take in of another holds for every text that is tried."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model.wildcards import covers, disjoint

TEXTS = ["".join(each) for size in range(5) for each in itertools.product("a:", repeat=size)]


def patterns(longest: int) -> list[str]:
    sizes = range(longest + 1)
    return ["".join(each) for size in sizes for each in itertools.product("a:*?", repeat=size)]


def fitting(pattern: str, inside: str) -> frozenset[str]:
    """The texts that fit; `inside` is what a wildcard that does not end its part stands for."""
    expression = re.sub(r"\*+(?=:|$)", "\0", pattern)
    expression = re.sub(r"\*+", "\1", expression)
    expression = expression.replace("?", inside).replace("\0", ".*").replace("\1", f"{inside}*")
    return frozenset(each for each in TEXTS if re.fullmatch(expression, each))


@pytest.mark.parametrize("longest", [3, pytest.param(4, marks=pytest.mark.soak)])
@pytest.mark.parametrize("inside", [".", "[^:]"], ids=["beyond colons", "within parts"])
def test_patterns_are_covered_and_disjoint_as_their_texts_are(inside: str, longest: int) -> None:
    texts = {pattern: fitting(pattern, inside) for pattern in patterns(longest)}

    for one, other in itertools.product(texts, repeat=2):
        if covers(one, other):
            assert texts[one] >= texts[other], (one, other)
        if disjoint(one, other):
            assert not texts[one] & texts[other], (one, other)


@given(pattern=st.text(alphabet="ab*?", max_size=8), data=st.data())
def test_every_text_that_fits_is_covered(pattern: str, data: st.DataObject) -> None:
    text = "".join(
        data.draw(st.text(alphabet="ab", max_size=3)) if each == "*"
        else data.draw(st.sampled_from("ab")) if each == "?"
        else each
        for each in pattern
    )  # fmt: skip

    assert covers(pattern, text)
    assert not disjoint(pattern, text)


@pytest.mark.parametrize(
    ("wide", "narrow", "covered"),
    [
        ("*", "arn:aws:s3:::a", True),
        ("s3:*", "s3:get*", True),
        ("s3:get*", "s3:*", False),
        ("s3:get?bject", "s3:getobject", True),
        ("s3:get?bject", "s3:get*bject", False),
        ("arn:aws:s3:::lake-*", "arn:aws:s3:::lake-*/in/*", True),
        ("arn:aws:iam::*:role/a", "arn:aws:iam::123456789012:role/a", True),
        ("arn:aws:s3:::*b", "arn:aws:s3:::a:b", False),
        ("arn:aws:s3:::${aws:username}/*", "arn:aws:s3:::${aws:username}/a", True),
        ("arn:aws:s3:::*", "arn:aws:s3:::${aws:username}", True),
        ("arn:aws:s3:::*/a", "arn:aws:s3:::${aws:username}/a", False),
        ("arn:aws:s3:::${aws:username}", "arn:aws:s3:::${aws:userid}", False),
        ("a?", "a${aws:userid}", False),
        ("a", "A", False),
    ],
)
def test_patterns_of_policies(wide: str, narrow: str, covered: bool) -> None:
    assert covers(wide, narrow) is covered


def test_disjoint_patterns() -> None:
    assert disjoint("iam:*", "s3:get*")
    assert disjoint("iam:*role", "iam:*policy")
    assert not disjoint("iam:*", "iam:getrole")
    assert not disjoint("arn:aws:s3:::${aws:username}", "arn:aws:s3:::eve")
