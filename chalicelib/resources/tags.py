"""Tags of roles and policies alike."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_iam.type_defs import TagTypeDef

IsIgnored = Callable[[str], bool]
"""Tells whether a tag key is nobody's drift."""


def as_map(tags: "Iterable[TagTypeDef] | None") -> dict[str, str]:
    """Return IAM's list of tags as a map."""
    return {tag["Key"]: tag["Value"] for tag in tags or ()}


def as_list(tags: Mapping[str, str]) -> "list[TagTypeDef]":
    """Return a map of tags as IAM takes it."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def lacking(expected: Mapping[str, str], held: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that are missing or have another value."""
    return {key: value for key, value in expected.items() if held.get(key) != value}


def added(
    expected: Mapping[str, str], held: Mapping[str, str], ignored: IsIgnored
) -> dict[str, str]:
    """Return the tags that someone added, but for AWS's own, which nobody can remove."""
    return {
        key: value
        for key, value in held.items()
        if key not in expected and not key.startswith("aws:") and not ignored(key)
    }
