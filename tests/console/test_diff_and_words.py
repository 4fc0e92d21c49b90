"""The pure parts: a change as lines, states and times in words."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet import diff
from trivet.console import words

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
DOCUMENTS = st.none() | st.text(min_size=1) | st.dictionaries(st.text(), VALUES)


def of(actual: Any, expected: Any) -> list[tuple[str, str]]:
    return [(line.sign, line.text) for line in diff.lines({"actual": actual, "expected": expected})]


def test_what_is_there_goes_and_what_is_declared_comes() -> None:
    assert of("old", "new") == [("-", "old"), ("+", "new")]
    assert of(None, {"a": 1}) == [("+", "{"), ("+", '  "a": 1'), ("+", "}")]
    assert of(["x"], None) == [("-", "["), ("-", '  "x"'), ("-", "]")]


def test_order_that_means_nothing_is_no_difference() -> None:
    assert of({"Action": ["b", "a"], "Sid": "s"}, {"Sid": "s", "Action": ["a", "b"]}) == []


def test_what_is_added_at_the_end_of_a_list_is_one_line() -> None:
    lines = of(["a", "b", "c"], ["a", "b"])
    assert [line for line in lines if line[0] != " "] == [("-", '  "c"')]


def test_a_statement_that_moved_is_a_difference() -> None:
    assert of([{"a": 1}, {"b": 2}], [{"b": 2}, {"a": 1}])


def test_equal_lines_far_from_a_difference_are_left_out() -> None:
    there = {f"k{number:02}": number for number in range(30)}
    lines = of(there, {**there, "k03": "x", "k25": "y"})
    assert ("gap", "") in lines
    assert lines[0] == (" ", '  "k01": 1')
    assert len(lines) == 13


@given(DOCUMENTS)
def test_nothing_differs_from_itself(value: Any) -> None:
    assert of(value, json.loads(json.dumps(value))) == []


@given(DOCUMENTS, DOCUMENTS)
def test_a_diff_backwards_has_its_signs_turned(actual: Any, expected: Any) -> None:
    there, back = of(actual, expected), of(expected, actual)
    assert len([1 for sign, _ in there if sign == "gap"]) == len(
        [1 for sign, _ in back if sign == "gap"]
    )
    assert bool(there) == bool(back)
    if actual is None and expected is not None:
        assert {sign for sign, _ in there} == {"+"}


NOW = datetime(2026, 11, 24, 22, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("past", "said"),
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(minutes=3, seconds=20), "3 min ago"),
        (timedelta(hours=26), "1 day ago"),
        (timedelta(hours=23), "23 h ago"),
        (timedelta(days=400), "400 days ago"),
        (-timedelta(seconds=5), "in less than a minute"),
        (-timedelta(hours=2, minutes=1), "in 2 h"),
    ],
)
def test_times_are_told_from_now(past: timedelta, said: str) -> None:
    assert words.ago((NOW - past).isoformat(), NOW) == said


def test_times_of_any_offset_are_shown_in_utc() -> None:
    assert words.moment("2026-11-24T23:00:00+01:00") == "2026-11-24 22:00:00 UTC"
    assert words.ago(None) == "never"


def test_what_is_bad_looks_bad() -> None:
    tones = {state: words.tone(state) for state in ("ready", "failed", "drifted", "running", "?")}
    assert list(tones.values()) == ["good", "bad", "warn", "busy", "quiet"]
    assert [words.plural(number, "change") for number in (0, 1, 2)] == [
        "No changes",
        "1 change",
        "2 changes",
    ]
    assert words.counted(["passed", "failed", "passed"]) == "1 failed, 2 passed"
