"""Statements of policies, and what some say that others do not.

A statement is split into what it says of each action on each resource (in a trust policy: to each
principal). That is also said by other statements where one of them takes in the action and the
resource, under no further conditions. Where that cannot be shown it counts as not said: so what is
found equal is equal, and what is found different may after all come to the same.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import msgspec

from chalicelib.model.conditions import Condition, all_implied, conditions
from chalicelib.model.documents import listed, principal
from chalicelib.model.wildcards import covers, disjoint


class Only(msgspec.Struct, frozen=True):
    """An action, resource or principal that a statement names, with wildcards or without."""

    text: str
    pattern: str


class AllBut(msgspec.Struct, frozen=True):
    """What NotAction, NotResource and NotPrincipal mean: everything but what they name."""

    named: tuple[Only, ...]
    principals: bool
    """Whom NotPrincipal leaves out cannot be told from names: a role is also its account."""


Element = Only | AllBut
_Pair = tuple[Element, Element]
_WILDCARD = re.compile(r"[*?]")


class Statement(msgspec.Struct, frozen=True):
    """A statement of a policy."""

    sid: str | None
    effect: Literal["Allow", "Deny"]
    actions: tuple[Element, ...]
    scope: tuple[Element, ...]
    """What they are allowed on: resources; in a trust policy to whom: principals."""
    conditions: frozenset[Condition]


class Policy(msgspec.Struct, frozen=True):
    """A policy document, read."""

    version: str | None
    """`None` where there is no document that could be read."""
    statements: tuple[Statement, ...]
    unread: frozenset[str]
    """As JSON: statements, or a whole document, that say nothing that could be understood."""
    variables: bool
    """Whether it holds policy variables, which only the newer Version knows."""

    @property
    def wholly_unread(self) -> bool:
        """Tell whether it is no policy document at all."""
        return self.version is None and bool(self.unread)

    def allows(self) -> list[Statement]:
        """Return the statements that allow."""
        return [each for each in self.statements if each.effect == "Allow"]

    def denies(self) -> list[Statement]:
        """Return the statements that deny."""
        return [each for each in self.statements if each.effect == "Deny"]


class Gap(msgspec.Struct, frozen=True):
    """What a statement says and others do not: all these actions on all this scope."""

    statement: Statement
    actions: tuple[Element, ...]
    scope: tuple[Element, ...]
    near: Statement | None
    """The other statement that says the same under other conditions, if one does."""

    def parts(self, by: Iterable[Statement]) -> tuple[tuple[Element, ...], tuple[Element, ...]]:
        """Return parts of this that others do say, under the same conditions.

        First actions on all the scope, then scope of all the actions.
        """
        actions: dict[Element, None] = {}
        scope: dict[Element, None] = {}
        for each in by:
            if each.conditions == self.statement.conditions:
                if len(_within(self.scope, each.scope)) == len(self.scope):
                    actions |= _within(each.actions, self.actions)
                if len(_within(self.actions, each.actions)) == len(self.actions):
                    scope |= _within(each.scope, self.scope)
        return tuple(actions), tuple(scope)


def read(document: Any, scope: Literal["Resource", "Principal"]) -> Policy:
    """Return what a policy document says; nothing, where it is None.

    Args:
        scope: the element that says on what, or to whom: a trust policy has `Principal`.
    """
    text = json.dumps(document, sort_keys=True)
    if document is None:
        return Policy(None, (), frozenset(), variables=False)
    if not isinstance(document, dict) or document.keys() - {"Version", "Id", "Statement"}:
        return Policy(None, (), frozenset([text]), variables=False)
    statements: list[Statement] = []
    unread: list[str] = []
    for each in listed(document.get("Statement", [])):
        try:
            statements.append(_statement(each, scope))
        except ValueError:
            unread.append(json.dumps(each, sort_keys=True))
    version = str(document.get("Version", "2008-10-17"))
    return Policy(version, tuple(statements), frozenset(unread), variables="${" in text)


def gaps(
    statements: Iterable[Statement],
    by: Sequence[Statement],
    void: Sequence[Statement] = (),
) -> list[Gap]:
    """Return what the statements say that none of `by` says.

    Args:
        void: statements that make void what they cover too: the Deny beside an Allow.
    """
    return [gap for statement in statements for gap in _gaps(statement, by, void)]


def _gaps(
    statement: Statement, by: Sequence[Statement], void: Sequence[Statement]
) -> Iterable[Gap]:
    left = [(action, scope) for action in statement.actions for scope in statement.scope]
    for other in sorted((*by, *void), key=lambda each: _distance(statement, each)):
        if left and all_implied(statement.conditions, other.conditions):
            left = _outside(left, statement, other)
    for other in sorted(by, key=lambda each: _distance(statement, each)):
        if left:
            rest = _outside(left, statement, other)
            within = set(rest)
            yield from _grouped(statement, [pair for pair in left if pair not in within], other)
            left = rest
    yield from _grouped(statement, left, None)


def _grouped(statement: Statement, pairs: Iterable[_Pair], near: Statement | None) -> Iterable[Gap]:
    """Put together the actions that have the same scope."""
    scopes: dict[Element, dict[Element, None]] = {}
    for action, scope in pairs:
        scopes.setdefault(action, {})[scope] = None
    actions: dict[tuple[Element, ...], list[Element]] = {}
    for action, scope_of_it in scopes.items():
        actions.setdefault(tuple(scope_of_it), []).append(action)
    for scope_of_them, same in actions.items():
        yield Gap(statement, tuple(same), scope_of_them, near)


def _outside(pairs: list[_Pair], statement: Statement, other: Statement) -> list[_Pair]:
    """Return those that lie not within the other statement, conditions left aside."""
    actions = _within(statement.actions, other.actions)
    if not actions:
        return pairs
    scope = _within(statement.scope, other.scope)
    return [pair for pair in pairs if pair[0] not in actions or pair[1] not in scope]


def _distance(one: Statement, other: Statement) -> tuple[int, bool, int]:
    shared = sum(
        len(frozenset(mine) & frozenset(theirs))
        for mine, theirs in ((one.actions, other.actions), (one.scope, other.scope))
    )
    return len(one.conditions ^ other.conditions), one.sid != other.sid, -shared


def _within(elements: Iterable[Element], wider: Sequence[Element]) -> dict[Element, None]:
    """Return the elements that lie within wider ones, each once and in their order."""
    # Most are named without wildcards, and often.
    named = {each.pattern for each in wider if isinstance(each, Only)}
    others = [each for each in wider if isinstance(each, AllBut) or _WILDCARD.search(each.pattern)]
    return {
        each: None
        for each in elements
        if (isinstance(each, Only) and each.pattern in named)
        or any(_takes_in(one, each) for one in others)
    }


def _takes_in(wide: Element, narrow: Element) -> bool:
    if isinstance(wide, Only):
        return covers(wide.pattern, narrow.pattern if isinstance(narrow, Only) else "*")
    if isinstance(narrow, Only):
        return not wide.principals and all(
            disjoint(left_out.pattern, narrow.pattern) for left_out in wide.named
        )
    return all(
        any(covers(each.pattern, left_out.pattern) for each in narrow.named)
        for left_out in wide.named
    )


def _statement(raw: Any, scope: Literal["Resource", "Principal"]) -> Statement:
    if not isinstance(raw, dict) or raw.get("Effect") not in ("Allow", "Deny"):
        raise ValueError("a statement has an Effect")
    known = {"Sid", "Effect", "Action", "NotAction", "Condition", scope, f"Not{scope}"}
    if raw.keys() - known:
        raise ValueError("a statement has no other elements")
    sid = raw.get("Sid")
    return Statement(
        sid=None if sid is None else str(sid),
        effect=raw["Effect"],
        actions=_elements(raw, "Action", _actions),
        scope=_elements(raw, scope, _principals if scope == "Principal" else _resources),
        conditions=conditions(raw.get("Condition", {})),
    )


def _elements(
    raw: dict[str, Any], name: str, named: Callable[[Any], tuple[Only, ...]]
) -> tuple[Element, ...]:
    if (name in raw) == (f"Not{name}" in raw):
        raise ValueError(f"a statement has either {name} or Not{name}")
    if name in raw:
        return named(raw[name])
    return (AllBut(named(raw[f"Not{name}"]), principals=name == "Principal"),)


def _actions(value: Any) -> tuple[Only, ...]:
    return tuple(Only(text, text.lower()) for text in _strings(value))


def _resources(value: Any) -> tuple[Only, ...]:
    return tuple(Only(text, text) for text in _strings(value))


def _principals(value: Any) -> tuple[Only, ...]:
    kinds = value if isinstance(value, dict) else {"AWS": value}
    return tuple(
        Only(text, _principal(kind, text)) for kind in kinds for text in _strings(kinds[kind])
    )


def _principal(kind: str, text: str) -> str:
    """Return a pattern that `*`, which is everyone but who is federated, covers."""
    if text == "*" and kind == "AWS":
        return "principal/*"
    if "*" in text or "?" in text:
        raise ValueError("no wildcard stands for a part of a principal")
    of = "federated" if kind == "Federated" else "principal"
    return f"{of}/{kind}/{principal(text)}"


def _strings(value: Any) -> list[str]:
    strings = listed(value)
    if not all(isinstance(each, str) for each in strings):
        raise ValueError("an element is a string or a list of strings")
    return strings
