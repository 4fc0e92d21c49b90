"""Who may do what to whom in one environment, read from the API's documents alone.

The smoke test's checks carry it: each has the name of an expectation, in words, and its
result. `read` turns the names into statements about roles; a name that it cannot read is kept, to
be listed beside the picture. What else the roles' policies allow, `trivet.wiring.breadth` reads.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard, get_args

from trivet.wiring.breadth import Breadth

Result = Literal["passed", "failed", "skipped", "unknown"]

MACHINE = "state machine"
"""Stands for the environment's state machine where a role's key could stand."""

_SERVICES: Mapping[str, str] = {
    "notebook": "sagemaker.amazonaws.com",
    "workflow_execution": "states.amazonaws.com",
    "lambda_trigger": "lambda.amazonaws.com",
}
"""Who shall assume Trivet's own roles; used only where no check tells what IAM holds."""

_USUAL = (
    "notebook may pass the workflow_execution role to Step Functions",
    "workflow_execution may pass the notebook role to SageMaker",
    "lambda_trigger may start workflow executions",
)
"""What the wiring is for; drawn as unknown before the first smoke test has told anything."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One expectation and what came of its check.

    `check` is the check's name, `text` what it says of its subject ("may create workflows"),
    `forbids` whether it says "may not", `target` the role's key or `MACHINE` that it is about.
    """

    check: str
    text: str
    result: Result
    detail: str
    forbids: bool = False
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """A role, or the state machine: who may assume it, and what it may do.

    `trust` is `None` for the state machine, which nobody assumes. `breadth` is `None` where it was
    not read.
    """

    key: str
    name: str
    services: tuple[str, ...]
    trust: Statement | None
    statements: tuple[Statement, ...]
    breadth: Breadth | None = None


@dataclass(frozen=True, slots=True)
class Wiring:
    """The picture as data: the roles in their order, the state machine last."""

    environment: str
    account_id: str
    profile: str
    smoke_test: str
    cards: tuple[Card, ...]
    others: tuple[Statement, ...]
    parameters: tuple[str, ...]
    """The profile's parameters with their values, as far as the documents tell them."""

    def statements(self) -> Iterator[Statement]:
        """Yield every statement, trust included, in the order of the picture."""
        for card in self.cards:
            if card.trust is not None:
                yield card.trust
            yield from card.statements
        yield from self.others

    @property
    def failed(self) -> list[Statement]:
        """The statements whose check failed."""
        return [each for each in self.statements() if each.result == "failed"]


def read(
    environment: Mapping[str, Any],
    profile: Mapping[str, Any] | None = None,
    breadth: Mapping[str, Breadth] | None = None,
) -> Wiring:
    """Read the wiring from an environment document, and its profile's where there is one.

    Args:
        breadth: of each role, by its key, as `breadth.read` returns it.
    """
    names = {key: _line(role["name"]) for key, role in environment["roles"].items()}
    smoke_test = environment["smoke_test"]
    checks = smoke_test.get("checks") or [{"name": each} for each in _USUAL]
    keys = _ordered(names, (profile or {}).get("roles") or [])
    found = _Reader(keys)
    for check in checks:
        found.add(check)
    cards = [_role_card(key, names[key], found, (breadth or {}).get(key)) for key in keys]
    machine = _machine_card(str(smoke_test.get("state_machine_arn") or ""), found)
    return Wiring(
        environment=_line(environment["name"]),
        account_id=_line(environment.get("account_id")),
        profile=_line(environment.get("profile")),
        smoke_test=str(smoke_test.get("status") or "pending"),
        cards=(*cards, machine),
        others=tuple(found.others),
        parameters=tuple(_parameters(environment, profile or {})),
    )


def _ordered(names: Mapping[str, str], first: Sequence[str]) -> list[str]:
    return [*(key for key in first if key in names), *(key for key in names if key not in first)]


class _Reader:
    """Reads checks' names one by one, and keeps what each says where it belongs."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = keys
        self.trust: dict[str, Statement] = {}
        self.statements: dict[str, list[Statement]] = {key: [] for key in (*keys, MACHINE)}
        self.others: list[Statement] = []

    def add(self, check: Mapping[str, Any]) -> None:
        name = _line(check["name"])
        result = check.get("status")
        known: Result = result if _is_result(result) else "unknown"
        detail = _line(check.get("detail"))
        plain = Statement(name, name, known, detail)
        if match := re.fullmatch(r"(.+?) role's trust policy .+", name):
            key = self.key_of(match[1])
            if key is not None:
                self.trust[key] = plain
                return
        if match := re.fullmatch(r"a workflow runs under the (.+) role", name):
            key = self.key_of(match[1])
            if key is not None:
                runs = Statement(name, f"runs under {key}", known, detail, target=key)
                self.statements[MACHINE].append(runs)
                return
        if match := re.fullmatch(r"(.+?) (may(?: not)?) (.+)", name):
            key = self.key_of(match[1])
            if key is not None:
                text, target = self._object_of(key, match[3])
                forbids = match[2] == "may not"
                said = f"{match[2]} {text}"
                self.statements[key].append(Statement(name, said, known, detail, forbids, target))
                return
        self.others.append(plain)

    def key_of(self, said: str) -> str | None:
        """Return the role that a name means: its key, its key in words, or one word of it."""
        said = said.removeprefix("the ").removesuffix(" role").replace(" ", "_")
        if said in self.keys:
            return said
        partly = [key for key in self.keys if said in key.split("_")]
        return partly[0] if len(partly) == 1 else None

    def _object_of(self, subject: str, said: str) -> tuple[str, str | None]:
        if match := re.fullmatch(r"pass (its own|the (.+)) role to (.+)", said):
            target = subject if match[1] == "its own" else self.key_of(match[2])
            if target is not None:
                whose = "its own role" if target == subject else target
                return f"pass {whose} to {match[3]}", target
        about_workflows = re.search(r"\bworkflows?\b|\bstate machine\b", said)
        return said, MACHINE if about_workflows else None


def _is_result(value: Any) -> TypeGuard[Result]:
    return value in get_args(Result)


def _role_card(key: str, name: str, found: _Reader, breadth: Breadth | None) -> Card:
    check = f"{key} role's trust policy reads back as declared"
    trust = found.trust.get(key) or Statement(check, check, "unknown", "Not checked yet.")
    told = re.search(r"may be assumed by (.+?)\.?$", trust.detail)
    services = tuple(told[1].split(", ")) if told else (_SERVICES.get(key, "its service"),)
    return Card(key, name, services, trust, tuple(found.statements[key]), breadth)


def _machine_card(arn: str, found: _Reader) -> Card:
    name = arn.rpartition(":")[2]
    runs = found.statements[MACHINE]
    key = found.key_of("workflow_execution")
    if not runs and key is not None:
        check = f"a workflow runs under the {key} role"
        runs = [Statement(check, f"runs under {key}", "unknown", "Not run yet.", target=key)]
    return Card(MACHINE, name, (), None, tuple(runs))


def _parameters(environment: Mapping[str, Any], profile: Mapping[str, Any]) -> Iterator[str]:
    given: Mapping[str, Any] = environment.get("parameters") or {}
    declared: Mapping[str, Any] = profile.get("parameters") or {}
    for name in sorted({*given, *declared}):
        value = given.get(name, declared.get(name, {}).get("default"))
        values = value if isinstance(value, list) else [value]
        yield _line(f"{name}: {', '.join(map(str, values)) or 'none'}")


def _line(said: Any) -> str:
    """Return what a document says as one line; nothing for what it leaves out."""
    return " ".join(str(said or "").split())
