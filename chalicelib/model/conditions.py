"""Conditions of policy statements: whether meeting one means meeting another.

Operators: IAM JSON policy elements reference,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
Of the values of one key any is enough, or under a negated operator none may fit; all operators and
keys of a statement must be met.
"""

import operator
import re
from collections.abc import Callable
from typing import Any

import msgspec

from chalicelib.model.documents import listed, scalar
from chalicelib.model.wildcards import covers

_Fits = Callable[[str, str], bool]
_OPERATOR = re.compile(r"(for(?:all|any)values?:)?(\w+?)(ifexists)?", re.IGNORECASE)


class Condition(msgspec.Struct, frozen=True):
    """One operator on one key, with all its values."""

    operator: str
    """In lower case, as `key` is: IAM reads both without regard to case."""
    key: str
    values: frozenset[str]
    text: str
    """For people, such as `StringEquals iam:PassedToService states.amazonaws.com`."""

    def __eq__(self, other: object) -> bool:
        """Tell whether both say the same, however they spell it."""
        return isinstance(other, Condition) and self._said == other._said

    def __hash__(self) -> int:
        return hash(self._said)

    @property
    def _said(self) -> tuple[str, str, frozenset[str]]:
        return self.operator, self.key, self.values


class _Operator(msgspec.Struct, frozen=True):
    """What an operator compares, and how: `fits` takes a policy's value and a more special one."""

    family: str
    negated: bool
    fits: _Fits


def conditions(block: Any) -> frozenset[Condition]:
    """Return a statement's conditions.

    Raises:
        ValueError: it is not a map of operators to maps of keys to values.
    """
    if not isinstance(block, dict) or not all(isinstance(keys, dict) for keys in block.values()):
        raise ValueError("a Condition is a map of maps")
    return frozenset(
        _condition(name, key, [scalar(each) for each in listed(values)])
        for name, keys in block.items()
        for key, values in keys.items()
    )


def all_implied(by: frozenset[Condition], wanted: frozenset[Condition]) -> bool:
    """Tell whether a request that meets all of `by` certainly meets all of `wanted`."""
    return all(any(_implies(one, other) for one in by) for other in wanted)


def _condition(name: str, key: str, values: list[str]) -> Condition:
    text = f"{name} {key} {' or '.join(values)}"
    return Condition(name.lower(), key.lower(), frozenset(values), text)


def _implies(one: Condition, other: Condition) -> bool:
    if one == other:
        return True
    ours, theirs = _OPERATOR.fullmatch(one.operator), _OPERATOR.fullmatch(other.operator)
    if one.key != other.key or not (one.values and other.values and ours and theirs):
        return False
    if ours[1] != theirs[1] or (ours[3] and not theirs[3]):
        # What need not be there says nothing of what must be.
        return False
    return _fit(_OPERATORS.get(ours[2]), one.values, _OPERATORS.get(theirs[2]), other.values)


def _fit(
    one: _Operator | None, ours: frozenset[str], other: _Operator | None, theirs: frozenset[str]
) -> bool:
    if one is None or other is None:
        return False
    if (one.family, one.negated) != (other.family, other.negated):
        return False
    wide, narrow = (one, other) if one.negated else (other, one)
    if wide.fits is operator.eq and narrow.fits is not operator.eq:
        return False
    values, special = (ours, theirs) if one.negated else (theirs, ours)
    return all(any(wide.fits(value, each) for value in values) for each in special)


def _arn_covers(wide: str, narrow: str) -> bool:
    # The six parts of an ARN are compared each by itself; a variable could hold several.
    parts, others = wide.split(":", 5), narrow.split(":", 5)
    if wide == narrow or "${" in wide + narrow or len(parts) != 6 or len(others) != 6:
        return wide == narrow
    return all(covers(part, another) for part, another in zip(parts, others, strict=True))


_LITERAL = (
    "StringEqualsIgnoreCase NumericEquals NumericLessThan NumericLessThanEquals NumericGreaterThan "
    "NumericGreaterThanEquals DateEquals DateLessThan DateLessThanEquals DateGreaterThan "
    "DateGreaterThanEquals Bool BinaryEquals IpAddress"
)
_LITERAL_NEGATED = "StringNotEqualsIgnoreCase NumericNotEquals DateNotEquals NotIpAddress"

_OPERATORS = {
    "stringequals": _Operator("string", False, operator.eq),
    "stringlike": _Operator("string", False, covers),
    "stringnotequals": _Operator("string", True, operator.eq),
    "stringnotlike": _Operator("string", True, covers),
    "arnequals": _Operator("arn", False, _arn_covers),
    "arnlike": _Operator("arn", False, _arn_covers),
    "arnnotequals": _Operator("arn", True, _arn_covers),
    "arnnotlike": _Operator("arn", True, _arn_covers),
    **{name: _Operator(name, False, operator.eq) for name in _LITERAL.lower().split()},
    **{name: _Operator(name, True, operator.eq) for name in _LITERAL_NEGATED.lower().split()},
}
