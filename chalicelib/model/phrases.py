"""Policies and their differences as phrases that end up in one line."""

import json
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

from chalicelib.model.conditions import Condition
from chalicelib.model.difference import Comparison
from chalicelib.model.statements import AllBut, Element, Gap, Only, Policy, Statement

_NAMED = 4
_LONGEST = 160


def line(text: str) -> str:
    """Return the text on one line."""
    return " ".join(text.split())


def listing(texts: Iterable[str]) -> str:
    """Return the first few of a list, and how many more there are."""
    cut = [_cut(text) for text in texts]
    ends = accumulate(len(text) for text in cut)
    return _first(cut, ", ", " and {} more", sum(end <= _LONGEST for end in ends))


def joined(phrases: Iterable[str]) -> str:
    """Return phrases as one; of many the first few, and how many more there are."""
    return _first(list(dict.fromkeys(phrases)), "; ", "; and {} more differences")


def quoted(value: Any) -> str:
    """Return a value of a JSON document in its own notation."""
    return _cut(json.dumps(value, ensure_ascii=False))


def said(compared: Comparison) -> str:
    """Return how the policy found differs from the one declared; what widens it first."""
    if compared.expected.wholly_unread or compared.actual.wholly_unread:
        return joined(_unread(compared)) or "says the same"
    words = _Words(compared)
    phrases = [
        *map(words.besides, compared.allowed),
        *map(words.no_longer, compared.no_longer_denied),
        *map(words.no_longer, compared.no_longer_allowed),
        *map(words.besides, compared.denied),
        *_unread(compared),
    ]
    if compared.read_otherwise:
        phrases.append(f"{_version(compared)}, which reads policy variables otherwise")
    return joined(phrases) or _form(compared)


def contents(policy: Policy) -> str:
    """Return what an identity policy says."""
    phrases = [
        f"{_verb(each)} {_elements(each.actions)} on {_elements(each.scope)}"
        f"{_if(each.conditions)}{_sid(each)}"
        for each in policy.statements
    ]
    phrases += [f"what cannot be compared: {_cut(text)}" for text in sorted(policy.unread)]
    return joined(phrases) or "no statement"


class _Words:
    """The words for a policy of one sort: for identity policies, or for trust policies."""

    def __init__(self, compared: Comparison) -> None:
        self._trust = compared.scope == "Principal"
        self._found = compared.actual.statements

    def besides(self, gap: Gap) -> str:
        """Return what only the policy found says."""
        if gap.near is not None:
            return self._otherwise(gap, gap.near, gap.statement)
        conditions = _if(gap.statement.conditions)
        comma = "," if conditions else ""
        return f"{self._does(gap, '')} besides{comma}{conditions}{_sid(gap.statement)}"

    def no_longer(self, gap: Gap) -> str:
        """Return what only the policy declared says."""
        if gap.near is not None:
            return self._otherwise(gap, gap.statement, gap.near)
        does = f"{self._does(gap, 'no longer ')}{_if(gap.statement.conditions)}"
        return f"{does}{self._still(gap)}{_sid(gap.statement)}"

    def _otherwise(self, gap: Gap, expected: Statement, actual: Statement) -> str:
        return f"{self._does(gap, '')}{_conditions(expected, actual)}{_sid(actual)}"

    def _still(self, gap: Gap) -> str:
        same = [each for each in self._found if each.effect == gap.statement.effect]
        actions, scope = gap.parts(same)
        if scope:
            by = "by" if self._assuming(gap) else "to" if self._trust else "on"
            return f", still {by} {_elements(scope)}"
        return f", still {_elements(actions)}" if actions else ""

    def _does(self, gap: Gap, no_longer: str) -> str:
        scope = _elements(gap.scope)
        if self._assuming(gap):
            return f"may {no_longer}be assumed by {scope}"
        to = "to" if self._trust else "on"
        return f"{no_longer}{_verb(gap.statement)} {_elements(gap.actions)} {to} {scope}"

    def _assuming(self, gap: Gap) -> bool:
        allows = self._trust and gap.statement.effect == "Allow"
        return allows and all(
            isinstance(each, Only) and each.pattern in _ASSUMING for each in gap.actions
        )


_ASSUMING = {"sts:assumerole", "sts:assumerolewithsaml", "sts:assumerolewithwebidentity"}


def _verb(statement: Statement) -> str:
    return "allows" if statement.effect == "Allow" else "denies"


def _elements(elements: Iterable[Element]) -> str:
    return listing(_element(each) for each in elements)


def _element(element: Element) -> str:
    if isinstance(element, AllBut):
        return f"all but {listing(each.text for each in element.named)}"
    return element.text


def _conditions(expected: Statement, actual: Statement) -> str:
    lost = _texts(expected.conditions - actual.conditions)
    added = _texts(actual.conditions - expected.conditions)
    if lost and added:
        return f" on the condition {added}; declared: {lost}"
    return f" only on the condition {added}" if added else f" without the condition {lost}"


def _if(conditions: frozenset[Condition]) -> str:
    return f" on the condition {_texts(conditions)}" if conditions else ""


def _texts(conditions: Iterable[Condition]) -> str:
    return " and ".join(sorted(_cut(each.text) for each in conditions))


def _sid(statement: Statement) -> str:
    return f" (statement {statement.sid})" if statement.sid else ""


def _unread(compared: Comparison) -> Iterable[str]:
    for text in sorted(compared.actual.unread - compared.expected.unread):
        yield f"says what cannot be compared: {_cut(text)}"
    for text in sorted(compared.expected.unread - compared.actual.unread):
        yield f"no longer says what cannot be compared: {_cut(text)}"


def _form(compared: Comparison) -> str:
    """Name what differs between policies that say the same."""
    phrases = []
    if compared.expected.version != compared.actual.version:
        phrases.append(_version(compared))
    found, declared = _sids(compared.actual), _sids(compared.expected)
    if found != declared:
        phrases.append(f"names its statements {listing(found)}; declared: {listing(declared)}")
    return f"says the same, but {joined(phrases)}" if phrases else "says the same in other words"


def _version(compared: Comparison) -> str:
    return f"has Version {compared.actual.version}; declared: {compared.expected.version}"


def _sids(policy: Policy) -> list[str]:
    return sorted(each.sid or "(none)" for each in policy.statements)


def _first(texts: Sequence[str], between: str, more: str, fit: int = _NAMED) -> str:
    named = max(1, min(_NAMED, fit))
    # One more is named rather than counted.
    if len(texts) <= named + 1:
        return between.join(texts)
    return between.join(texts[:named]) + more.format(len(texts) - named)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
