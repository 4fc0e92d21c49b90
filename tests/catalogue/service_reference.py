"""AWS's Service Authorization Reference, as policy_sentry ships it, and ARNs held against it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from policy_sentry.querying.actions import get_action_data, get_actions_for_service


@cache
def actions(pattern: str) -> tuple[str, ...]:
    """The actions that a pattern such as `sagemaker:Describe*` stands for."""
    service = pattern.partition(":")[0]
    return tuple(each for each in get_actions_for_service(service) if matches(pattern, each, True))


@cache
def resource_formats(action: str) -> frozenset[str]:
    """The ARNs that an action is authorised on, with `*` for what varies; `*` where on none."""
    service, _, name = action.partition(":")
    rows = get_action_data(service, name)[service]
    return frozenset(re.sub(r"\$\{[^}]*\}", "*", row["resource_arn_format"]) for row in rows)


@cache
def condition_keys(action: str) -> frozenset[str]:
    """The condition keys that an action knows, in lower case, `/*` for a tag's key."""
    service, _, name = action.partition(":")
    return frozenset(
        re.sub(r"/\$\{.*", "/*", key).lower()
        for row in get_action_data(service, name)[service]
        for key in row["condition_keys"]
    )


@cache
def _pattern(glob: str, ignore_case: bool) -> re.Pattern[str]:
    text = re.escape(glob).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(text, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def matches(glob: str, text: str, ignore_case: bool = False) -> bool:
    """Tell whether a pattern of IAM's, with `*` and `?`, stands for this text."""
    return _pattern(glob, ignore_case).fullmatch(text) is not None


def is_of(format_: str, arn: str) -> bool:
    """Tell whether an ARN has this format; no part of it holds a colon but those of the format."""
    return re.fullmatch(re.escape(format_).replace(r"\*", "[^:]*"), arn) is not None


def overlap(one: str, other: str) -> bool:
    """Tell whether some ARN fits both patterns, part by part."""
    parts = zip(one.split(":", 5), other.split(":", 5), strict=True)
    return all(_overlap(*both) for both in parts)


@cache
def _overlap(one: str, other: str) -> bool:
    if not one or not other:
        return set(one + other) <= {"*"}
    if one[0] == "*":
        return _overlap(one[1:], other) or _overlap(one, other[1:])
    if other[0] == "*":
        return _overlap(other, one)
    return (one[0] == other[0] or "?" in (one[0], other[0])) and _overlap(one[1:], other[1:])


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def keys_of(statement: Mapping[str, Any]) -> Iterator[str]:
    """The condition keys of a statement."""
    for block in statement.get("Condition", {}).values():
        yield from block
