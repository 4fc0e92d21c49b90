"""`make licences`: the licences of everything that is installed, and which of them are all right.

What the Lambda package holds must carry no duty beyond a notice; what only develops and tests may
be under a licence that binds changes to its own files (MPL 2.0), since none of it is handed on.
"""

import re
import sys
from collections.abc import Iterable, Mapping
from email.message import Message
from importlib.metadata import distributions

NOTICE_ONLY = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CNRI-Python", "ISC"),
        *("MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "ZPL-2.1", "Zlib"),
    }
)
DEVELOPMENT_ONLY = frozenset({"MPL-2.0"})
"""SPDX identifiers: https://spdx.org/licenses/."""

_BY_CLASSIFIER = {
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "Zope Public License": "ZPL-2.1",
}
_BY_HAND = {"axe-playwright-python": "MIT"}
"""Packages whose metadata says nothing; looked up in their source."""


def licence_of(metadata: Message) -> str:
    """Return a package's licence as an SPDX expression; empty where its metadata does not tell.

    Args:
        metadata: the package's core metadata
            (https://packaging.python.org/en/latest/specifications/core-metadata/).
    """
    if expression := metadata.get("License-Expression"):
        return str(expression)
    prefix = "License :: "
    classifiers = [
        str(each).rpartition(" :: ")[2]
        for each in metadata.get_all("Classifier") or ()
        if str(each).startswith(prefix)
    ]
    if classifiers:
        # Several classifiers do not say whether one may choose: all of them must be all right.
        return " AND ".join(_BY_CLASSIFIER.get(each, each) for each in classifiers)
    named = str(metadata.get("License") or _BY_HAND.get(str(metadata["Name"]), ""))
    first_line = named.partition("\n")[0].strip()
    return _BY_CLASSIFIER.get(first_line, first_line)


def is_allowed(expression: str, allowed: Iterable[str]) -> bool:
    """Tell whether an SPDX expression can be met with these licences: `AND`, `OR`, parentheses."""
    if not expression:
        return False
    known = set(allowed)
    tokens = re.findall(r"\(|\)|\bAND\b|\bOR\b|[^()\s]+(?: (?!AND\b|OR\b)[^()\s]+)*", expression)
    words = {"AND": "and", "OR": "or", "(": "(", ")": ")"}
    return _holds([words.get(token, token in known) for token in tokens])


def _holds(tokens: list[str | bool]) -> bool:
    """Evaluate: `or` binds weaker than `and`, as in SPDX."""

    def alternatives() -> bool:
        value = combined()
        while tokens and tokens[0] == "or":
            tokens.pop(0)
            value = combined() or value
        return value

    def combined() -> bool:
        value = single()
        while tokens and tokens[0] == "and":
            tokens.pop(0)
            value = single() and value
        return value

    def single() -> bool:
        first = tokens.pop(0) if tokens else False
        if first == "(":
            value = alternatives()
            return bool(tokens) and tokens.pop(0) == ")" and value
        return first is True

    return alternatives() and not tokens


def refused(licences: Mapping[str, str]) -> list[str]:
    """Return the packages whose licence is not on the list, with it.

    Args:
        licences: SPDX expressions by package.
    """
    allowed = NOTICE_ONLY | DEVELOPMENT_ONLY
    return [
        f"{name}: {expression or 'its metadata names no licence'}"
        for name, expression in sorted(licences.items())
        if not is_allowed(expression, allowed)
    ]


def installed() -> dict[str, str]:
    """Return the licences of all installed packages, by name."""
    return {
        str(each.metadata["Name"]): licence_of(_message(each.metadata)) for each in distributions()
    }


def _message(metadata: object) -> Message:
    assert isinstance(metadata, Message)
    return metadata


def _main() -> int:
    licences = installed()
    for name, expression in sorted(licences.items(), key=lambda each: each[0].lower()):
        print(f"{name:32} {expression}")
    found = refused(licences)
    for each in found:
        print(f"make licences: {each}: not on the list in tools/licences.py", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(_main())
