"""Policy documents compared by meaning.

IAM does not echo documents to the letter: equal policies differ in the order of statements
and lists, and in string versus one-element list. Rules: IAM JSON policy elements reference,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

import json
import re
from collections.abc import Hashable
from typing import Any

from chalicelib.model.desired import Document

_ROOT_ARN = re.compile(r"arn:[a-z-]+:iam::(\d{12}):root")
_SETS_OF_ACTIONS = ("Action", "NotAction")
_SETS_OF_RESOURCES = ("Resource", "NotResource")
_PRINCIPALS = ("Principal", "NotPrincipal")


def same_policy(one: Any, other: Any) -> bool:
    """Tell whether two policy documents grant and trust the same."""
    return bool(one == other) or _policy(one) == _policy(other)


def same_json(one: Document, other: Document) -> bool:
    """Tell whether two JSON documents are equal; order counts in lists, not in objects."""
    return _json(one) == _json(other)


def size(document: Document) -> int:
    """Return a document's length as IAM counts it, without white space, in characters."""
    return len(minified(document))


def minified(document: Document) -> str:
    """Return the document as JSON text without white space."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def listed(value: Any) -> list[Any]:
    """Return an element's values: IAM takes a value that stands alone for a list of one."""
    return value if isinstance(value, list) else [value]


def scalar(value: Any) -> str:
    """Return a value as IAM reads it: numbers and booleans may be written as strings."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else _json(value)


def principal(value: Any) -> str:
    """Return a principal; an account's, which can be written in two ways, by its id."""
    root = _ROOT_ARN.fullmatch(str(value))
    return root.group(1) if root else scalar(value)


def _policy(document: Any) -> Hashable:
    if not isinstance(document, dict):
        return _json(document)
    rest = {key: value for key, value in document.items() if key not in ("Statement", "Version")}
    # Without Version, IAM reads a policy as 2008-10-17.
    version = document.get("Version", "2008-10-17")
    statements = frozenset(_statement(each) for each in listed(document.get("Statement", [])))
    return (version, _json(rest), statements)


def _statement(statement: Any) -> Hashable:
    if not isinstance(statement, dict):
        return _json(statement)
    return frozenset((key, _element(key, value)) for key, value in statement.items())


def _element(key: str, value: Any) -> Hashable:
    if key in _SETS_OF_ACTIONS:
        return frozenset(str(action).lower() for action in listed(value))
    if key in _SETS_OF_RESOURCES:
        return _set(value)
    if key in _PRINCIPALS:
        return _principals(value)
    if key == "Condition" and isinstance(value, dict):
        return frozenset(
            (operator.lower(), name.lower(), _set(values))
            for operator, block in value.items()
            for name, values in (block.items() if isinstance(block, dict) else [("", block)])
        )
    return _json(value)


def _principals(value: Any) -> Hashable:
    if not isinstance(value, dict):
        # "*" alone means {"AWS": "*"}.
        value = {"AWS": value}
    return frozenset(
        (kind, frozenset(principal(each) for each in listed(values)))
        for kind, values in value.items()
    )


def _set(value: Any) -> Hashable:
    return frozenset(scalar(each) for each in listed(value))


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
