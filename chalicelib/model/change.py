"""A change as people and programs read it: in plans, results, history and drift reports alike."""

from typing import Any, Literal

import msgspec

Effect = Literal["widened", "narrowed", "altered", "none"]
"""What a difference found makes of what a role may do or who may assume it, against the
declaration; `altered` where it is both, or cannot be told."""


class Explanation(msgspec.Struct, frozen=True):
    """A difference in words: one line that names what differs, and what that means."""

    summary: str
    effect: Effect


class ChangeDocument(msgspec.Struct, frozen=True):
    """One difference, and at the same time what puts it right.

    `expected` and `actual` carry whole values (a document, an ARN, a map of tags), so that what a
    repair removed can be put back by hand.
    """

    kind: str
    """That of a class in `resources/`; the OpenAPI document lists them."""
    role: str
    resource: str
    summary: str
    effect: Effect
    expected: Any
    actual: Any
