"""A change as lines to read: `-` goes, `+` comes.

The API tells for each change what is there (`actual`) and what the declaration says (`expected`),
whole. Here both become text and are compared line by line.
"""

import difflib
import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

_CONTEXT = 2
"""Lines shown around what differs."""


class Line(NamedTuple):
    """One line of a difference; a gap stands for lines that are equal and not shown."""

    sign: Literal["+", "-", " ", "gap"]
    text: str


def lines(change: Mapping[str, Any]) -> list[Line]:
    """Return how to get from what is there to what is declared.

    Args:
        change: as the API's documents hold it, with `actual` and `expected`.
    """
    compared = difflib.unified_diff(
        _text(change["actual"]), _text(change["expected"]), n=_CONTEXT, lineterm=""
    )
    shown = [_line(line) for line in list(compared)[2:]]  # the first two are names of files
    return shown[1:] if shown and shown[0] == _GAP else shown


_GAP = Line("gap", "")


def _line(line: str) -> Line:
    match line[:1]:
        case "+":
            return Line("+", line[1:])
        case "-":
            return Line("-", line[1:])
        case "@":
            return _GAP
        case _:
            return Line(" ", line[1:])


def _text(value: object) -> list[str]:
    """Return a value line by line; nothing where there is none.

    Without the commas at the ends of lines: one more line would change the line before it, too.
    """
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    written = json.dumps(_ordered(value), indent=2, ensure_ascii=False)
    return [line.removesuffix(",") for line in written.splitlines()]


def _ordered(value: object) -> object:
    """Put keys, and lists of nothing but strings, in order: in IAM's documents it means nothing."""
    match value:
        case dict():
            return {key: _ordered(value[key]) for key in sorted(value)}
        case list() if all(isinstance(each, str) for each in value):
            return sorted(value)
        case list():
            return [_ordered(each) for each in value]
        case _:
            return value
