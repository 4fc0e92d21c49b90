"""How the demo shows documents and wiring: pure functions from API documents to lines of text."""

import json
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import IO, Any

WIDTH = 96

Document = Mapping[str, Any]
Paint = Callable[[str, str], str]
"""Takes a text and the name of a style (`bold`, `good`, `bad`, `faint`); returns it painted."""

_ESCAPES = {"bold": "1", "good": "32", "bad": "31", "faint": "2"}
_MARKS = {"passed": ("PASS", "good"), "failed": ("FAIL", "bad"), "skipped": ("SKIP", "faint")}


@dataclass(frozen=True)
class PassGrant:
    """A right to pass roles, as a policy document grants it."""

    roles: tuple[str, ...]
    services: tuple[str, ...]
    policy: str


@dataclass(frozen=True)
class RoleWiring:
    """How one role is wired, as IAM holds it."""

    key: str
    name: str
    trusted_services: tuple[str, ...]
    pass_grants: tuple[PassGrant, ...]
    managed_policies: tuple[str, ...]
    own_policies: tuple[str, ...]


def plain(text: str, _style: str) -> str:
    """Paint nothing."""
    return text


def coloured(text: str, style: str) -> str:
    """Paint with ANSI escapes."""
    return f"\x1b[{_ESCAPES[style]}m{text}\x1b[0m"


def paint_for(stream: IO[str], environment: Mapping[str, str]) -> Paint:
    """Choose colour for terminals, and none for pipes, files, NO_COLOR and dumb terminals."""
    wanted = not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
    return coloured if wanted and stream.isatty() else plain


def document_lines(document: Document) -> list[str]:
    """Show an environment document as JSON, its changes and checks reduced to counts."""
    shown = dict(document)
    if "changes" in shown:
        shown["changes"] = f"{len(document['changes'])}, shown below"
    if "checks" in (smoke_test := document.get("smoke_test") or {}):
        shown["smoke_test"] = {**smoke_test, "checks": f"{len(smoke_test['checks'])}, shown below"}
    return json.dumps(shown, indent=2, ensure_ascii=False).splitlines()


def role_lines(document: Document, paint: Paint) -> list[str]:
    """Show the ARN of each role."""
    return [
        line
        for key, role in document["roles"].items()
        for line in (key, "  " + paint(role["arn"], "bold"))
    ]


def change_count_lines(changes: Sequence[Document]) -> list[str]:
    """Count changes by role and kind, in the order in which they were made."""
    if not changes:
        return ["nothing was changed"]
    counts: dict[str, Counter[str]] = {}
    for change in changes:
        counts.setdefault(change["role"] or "-", Counter())[change["kind"]] += 1
    margin = max(map(len, counts)) + 2
    lines: list[str] = []
    for role, kinds in counts.items():
        text = ", ".join(kind if count == 1 else f"{count} {kind}" for kind, count in kinds.items())
        lines += _hanging(role.ljust(margin), text)
    return lines


def change_lines(changes: Iterable[Document]) -> list[str]:
    """Show each change in full."""
    return [line for change in changes for line in _change(change)]


def check_lines(smoke_test: Document, paint: Paint) -> list[str]:
    """Show the checks of a smoke test with their marks; a detail that repeats is shown once."""
    lines: list[str] = []
    for (status, detail), group in groupby(
        smoke_test["checks"], key=lambda check: (check["status"], check["detail"])
    ):
        mark, style = _MARKS.get(status, (str(status), "bold"))
        names = [check["name"] for check in group]
        lines += [f"{paint(mark, style)}  {name}" for name in names]
        if detail:
            lines += _hanging(
                "      ", f"(all {len(names)}) {detail}" if len(names) > 1 else detail
            )
    return lines


def check_totals(smoke_test: Document) -> str:
    """Count the checks of a smoke test by status, such as `5 passed, 2 skipped`."""
    counts = Counter(check["status"] for check in smoke_test["checks"])
    return ", ".join(f"{count} {status}" for status, count in counts.items()) or "no checks"


def wiring_lines(wiring: Iterable[RoleWiring], paint: Paint) -> list[str]:
    """Show who trusts whom and who may pass which role to which service."""
    roles = list(wiring)
    keys = {role.name: role.key for role in roles}
    lines: list[str] = []
    for role in roles:
        lines += ["", f"{paint(role.key, 'bold')}  {role.name}"]
        for service in role.trusted_services:
            lines.append(f"  assumed by   {service}")
        for grant in role.pass_grants:
            passed = ", ".join(keys.get(name, name) for name in grant.roles)
            services = ", ".join(grant.services) or "any service"
            lines.append(f"  may pass     {paint(passed, 'bold')} to {services}")
            lines.append(f"               (by {grant.policy})")
        if not role.pass_grants:
            lines.append("  may pass     no role, by its own policies")
        lines += _hanging("  own policy   ", ", ".join(role.own_policies) or "none")
        lines += _hanging("  AWS managed  ", ", ".join(role.managed_policies) or "none")
    return lines[1:]


def trusted_services(trust_policy: Document) -> tuple[str, ...]:
    """Return the services that a trust policy allows to assume the role."""
    return tuple(
        service
        for statement in _allowing(trust_policy, "sts:AssumeRole")
        for service in _as_list(statement.get("Principal", {}).get("Service", []))
    )


def pass_grants(document: Document, policy: str) -> tuple[PassGrant, ...]:
    """Return what a policy document says about passing roles.

    Args:
        document: the policy document.
        policy: how to name the policy in the grants.
    """
    return tuple(
        PassGrant(
            roles=tuple(
                resource.rpartition("/")[2] for resource in _as_list(statement["Resource"])
            ),
            services=tuple(
                service
                for condition in statement.get("Condition", {}).values()
                for service in _as_list(condition.get("iam:PassedToService", []))
            ),
            policy=policy,
        )
        for statement in _allowing(document, "iam:PassRole")
    )


def indented(lines: Iterable[str]) -> str:
    """Join lines into an indented block."""
    return "\n".join(f"  {line}".rstrip() for line in lines)


def _change(change: Document) -> Iterator[str]:
    yield f"{change['kind']}  {change['role'] or ''}".rstrip()
    yield f"  on        {change['resource']}"
    for side in ("expected", "actual"):
        value = change[side]
        text = value if isinstance(value, str) else json.dumps(value)
        yield from _hanging(f"  {side:<9} ", "nothing" if value is None else text)


def _hanging(first: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH - 2,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _allowing(document: Document, action: str) -> Iterator[Document]:
    for statement in _as_list(document["Statement"]):
        if statement["Effect"] == "Allow" and action in _as_list(statement.get("Action", [])):
            yield statement


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
