"""Differences in words: one line for a person, and what the difference makes of a role.

Every function takes what is declared and what was found. Policies are compared by what they say:
see `statements`. What was found is called wider only if it is shown to allow all that is declared,
and narrower only if it is shown to allow nothing else; whatever is neither is `altered`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chalicelib.model.change import Effect, Explanation
from chalicelib.model.desired import Document
from chalicelib.model.difference import Comparison, compare
from chalicelib.model.phrases import contents, joined, line, listing, quoted, said

_NOTHING = "nothing differs"


def policy(expected: Document | None, actual: Document | None) -> Explanation:
    """Explain an identity policy's document; `None` is one that does not exist."""
    compared = compare(expected, actual, "Resource")
    if expected is None and actual is not None:
        return _explained(f"exists besides: {contents(compared.actual)}", compared)
    if actual is None and expected is not None:
        return _explained(f"does not exist; declared: {contents(compared.expected)}", compared)
    return _explained(said(compared), compared)


def inline(name: str, expected: Document | None, actual: Document | None) -> Explanation:
    """Explain an inline policy; `None` is one that does not exist."""
    compared = compare(expected, actual, "Resource")
    if expected is None and actual is not None:
        summary = f"inline policy {name} is there besides: {contents(compared.actual)}"
    elif actual is None and expected is not None:
        summary = f"lacks inline policy {name}: {contents(compared.expected)}"
    else:
        summary = f"inline policy {name}: {said(compared)}"
    return _explained(summary, compared)


def trust(expected: Document, actual: Document) -> Explanation:
    """Explain a trust policy: who may assume the role, and under which conditions."""
    compared = compare(expected, actual, "Principal")
    return _explained(said(compared), compared)


_ONLY_DENY = {
    "AWSCompromisedKeyQuarantine",
    "AWSCompromisedKeyQuarantineV2",
    "AWSCompromisedKeyQuarantineV3",
    "AWSDenyAll",
    "AWSIAMIdentityCenterAllowListForIdentityContext",
}
"""The AWS managed policies at path / that allow nothing."""


def attachment(expected: str | None, actual: str | None) -> Explanation:
    """Explain a managed policy, by its ARN, that is not attached or is attached besides.

    What the policy says is not looked at: all but a few of AWS's own allow something.
    """
    if expected == actual:
        return _plain(_NOTHING, "none")
    if actual is None:
        return _plain(f"{_name(expected)} is not attached", "narrowed")
    if expected is None:
        only_denies = actual.split(":")[4] == "aws" and _name(actual) in _ONLY_DENY
        effect: Effect = "narrowed" if only_denies else "widened"
        return _plain(f"{_name(actual)} is attached besides", effect)
    return _plain(f"{_name(actual)} is attached; declared: {_name(expected)}", "altered")


def boundary(expected: str | None, actual: str | None) -> Explanation:
    """Explain a permissions boundary, by its ARN: `None` is a role without one."""
    if expected == actual:
        return _plain(_NOTHING, "none")
    if actual is None:
        return _plain(f"has no permissions boundary; declared: {_name(expected)}", "widened")
    if expected is None:
        return _plain(f"has the permissions boundary {_name(actual)}; declared: none", "narrowed")
    names = _name(actual), _name(expected)
    found, declared = names if names[0] != names[1] else (actual, expected)
    return _plain(f"has the permissions boundary {found}; declared: {declared}", "altered")


def tags(
    expected: Mapping[str, str], actual: Mapping[str, str], of: Sequence[str] | None = None
) -> Explanation:
    """Explain tags.

    Args:
        of: the keys that are looked at; all by default, but for AWS's own (`aws:...`).
    """
    keys = dict.fromkeys((*expected, *actual)) if of is None else dict.fromkeys(of)
    phrases = [
        _tag(key, expected.get(key), actual.get(key))
        for key in keys
        if expected.get(key) != actual.get(key) and (of is not None or not key.startswith("aws:"))
    ]
    return _plain(joined(phrases) or _NOTHING, "none")


def settings(expected: Mapping[str, object], actual: Mapping[str, object]) -> Explanation:
    """Explain a role's settings: its description, the length of its sessions."""
    phrases = [
        f"{key} is {quoted(actual.get(key))}; declared: {quoted(expected.get(key))}"
        for key in dict.fromkeys((*expected, *actual))
        if expected.get(key) != actual.get(key)
    ]
    return _plain(joined(phrases) or _NOTHING, "none")


def state_machine(expected: Mapping[str, Any], actual: Mapping[str, Any] | None) -> Explanation:
    """Explain a state machine: a map of its `definition` and its `role_arn`."""
    if actual is None:
        return _plain("does not exist", "none")
    phrases = []
    if expected.get("role_arn") != actual.get("role_arn"):
        runs, should = _name(actual.get("role_arn")), _name(expected.get("role_arn"))
        phrases.append(f"runs under the role {runs}; declared: {should}")
    phrases += _definition(expected.get("definition"), actual.get("definition"))
    return _plain(joined(phrases) or _NOTHING, "none")


def _definition(expected: Any, actual: Any) -> Iterable[str]:
    if not isinstance(expected, Mapping) or not isinstance(actual, Mapping):
        if expected != actual:
            yield f"its definition is {quoted(actual)}"
        return
    states, others = expected.get("States"), actual.get("States")
    if isinstance(states, Mapping) and isinstance(others, Mapping):
        yield from _states(states, others)
        expected = {key: value for key, value in expected.items() if key != "States"}
        actual = {key: value for key, value in actual.items() if key != "States"}
    for key in _differing(expected, actual):
        yield f"{key} is {quoted(actual.get(key))}; declared: {quoted(expected.get(key))}"


def _states(expected: Mapping[str, Any], actual: Mapping[str, Any]) -> Iterable[str]:
    for name in _differing(expected, actual):
        if name not in actual:
            yield f"lacks state {name}"
        elif name not in expected:
            yield f"has state {name} besides"
        else:
            fields = _differing(expected[name], actual[name])
            yield f"state {name} differs" + (f" in {listing(fields)}" if fields else "")


def _differing(expected: Any, actual: Any) -> list[str]:
    """Return the keys under which two maps differ; none, where either is no map."""
    if not isinstance(expected, Mapping) or not isinstance(actual, Mapping):
        return []
    keys = dict.fromkeys((*expected, *actual))
    return [
        key
        for key in keys
        if (key in expected) != (key in actual)
        or json.dumps(expected[key], sort_keys=True) != json.dumps(actual[key], sort_keys=True)
    ]


def _tag(key: str, expected: str | None, actual: str | None) -> str:
    if actual is None:
        return f"lacks tag {key}={expected}"
    if expected is None:
        return f"has tag {key}={actual} besides"
    return f"has tag {key}={actual}; declared: {key}={expected}"


def _name(arn: Any) -> str:
    """Return the name at the end of an ARN."""
    return str(arn).rsplit("/", 1)[-1]


def _explained(summary: str, compared: Comparison) -> Explanation:
    return _plain(summary, compared.effect)


def _plain(summary: str, effect: Effect) -> Explanation:
    return Explanation(line(summary), effect)
