"""Changes as people read them."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cli import documents
from trivet import diff, differences

DOCUMENTS = st.none() | st.recursive(
    st.text(max_size=5) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)


def _told(change: dict[str, Any]) -> list[str]:
    return ["".join(text for text, _ in line) for line in differences.of([change])]


def _change(actual: Any, expected: Any) -> dict[str, Any]:
    return {**documents.widened(), "actual": actual, "expected": expected}


@settings(deadline=None)
@given(actual=DOCUMENTS, expected=DOCUMENTS)
def test_what_is_shown_as_gone_and_as_new_is(actual: Any, expected: Any) -> None:
    lines = [line[6:] for line in _told(_change(actual, expected))[2:]]

    gone = {line[2:] for line in lines if line.startswith("- ")}
    new = {line[2:] for line in lines if line.startswith("+ ")}
    assert gone <= set(diff._text(actual))
    assert new <= set(diff._text(expected))
    assert bool(gone | new) == (diff._text(actual) != diff._text(expected))


def test_a_change_has_a_sign_and_its_effect_a_colour() -> None:
    signs = {
        differences.headline(_change(actual, expected))[0][0][0]
        for actual, expected in ((None, "a"), ("a", None), ("a", "b"))
    }
    assert signs == {"+", "-", "~"}
    assert differences.headline(documents.widened())[-1] == ("  widened", "bold red")
    assert len(differences.headline({**documents.widened(), "effect": "none"})) == 2


def test_lines_far_from_a_difference_are_left_out() -> None:
    many = {f"key-{number:02}": number for number in range(40)}
    change = _change({**many, "key-02": "x", "key-35": "y"}, many)

    told = _told(change)

    assert len(told) < 20
    assert told.count("        ...") == 1
