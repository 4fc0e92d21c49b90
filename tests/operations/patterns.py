"""EventBridge's event patterns, as far as Trivet's rules use them.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from fnmatch import fnmatchcase
from typing import Any

_MISSING: list[Any] = []


def matches(pattern: dict[str, Any], event: Any) -> bool:
    """Return whether an event matches a pattern; in a list, one element that does suffices."""
    if isinstance(event, list):
        return any(matches(pattern, each) for each in event)
    for key, wanted in pattern.items():
        if key == "$or":
            if not any(matches(each, event) for each in wanted):
                return False
        elif isinstance(wanted, dict):
            if not matches(wanted, event.get(key, {}) if isinstance(event, dict) else {}):
                return False
        elif not _leaf(wanted, event.get(key, _MISSING) if isinstance(event, dict) else _MISSING):
            return False
    return True


def _leaf(allowed: list[Any], value: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    return any(_one(each, values) for each in allowed)


def _one(rule: Any, values: list[Any]) -> bool:
    if not isinstance(rule, dict):
        return rule in values
    [(operator, operand)] = rule.items()
    if operator == "exists":
        return bool(values) is operand
    return any(_holds(operator, operand, each) for each in values)


def _holds(operator: str, operand: Any, value: str) -> bool:
    if operator == "anything-but":
        [(inner, operands)] = operand.items()
        listed = operands if isinstance(operands, list) else [operands]
        return not any(_holds(inner, each, value) for each in listed)
    if operator == "suffix":
        return value.endswith(operand)
    assert operator == "wildcard", operator
    return fnmatchcase(value, operand)
