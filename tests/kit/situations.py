"""What may be going on when a fault strikes: each of Trivet's operations on an account with work.

A situation prepares an account, says what is asked of Trivet, and knows how that ends when nothing
disturbs it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from . import inventory
from .account import client
from .checks import Answer
from .drifts import named
from .names import ACCOUNT, NAME, OPEN, OPEN_TRUST, POLICIES, ROLES
from .wire import Call
from .world import World, fresh

NOTEBOOK = f"{NAME}-{ROLES['notebook']}"
WORKFLOW = f"{NAME}-{ROLES['workflow_execution']}"
TRIGGER = f"{NAME}-{ROLES['lambda_trigger']}"
WORKFLOW_POLICY = f"arn:aws:iam::{ACCOUNT}:policy/{NAME}-{POLICIES['workflow_execution']}"
ENVIRONMENT = f"/environments/{NAME}"


@dataclass(frozen=True)
class Undisturbed:
    """How a situation ends when all goes well, and the calls that it takes."""

    state: dict[str, Any]
    calls: tuple[Call, ...]
    executions: int
    """How often the smoke test was started in all."""


@dataclass(frozen=True, eq=False)
class Situation:
    """Something asked of Trivet, on an account that was prepared for it."""

    name: str
    prepare: Callable[[World], None]
    ask: tuple[str, str, dict[str, Any] | None]
    """Method, path and body."""
    done: Callable[[Answer], bool]
    """Tells whether an answer says that all was done."""

    def request(self, world: World, seconds: float = 30) -> Answer:
        """Ask once."""
        return world.request(*self.ask, seconds=seconds)

    def settle(
        self, world: World, check: Callable[[Answer], None] = lambda answer: None
    ) -> list[Answer]:
        """Ask until it is done, checking each answer when it comes; return all answers."""

        def request() -> Answer:
            answer = self.request(world)
            check(answer)
            return answer

        return world.settle(request, self.done)

    def undisturbed(self) -> Undisturbed:
        """Return how this ends when all goes well."""
        return _undisturbed(self)


@cache
def _undisturbed(situation: Situation) -> Undisturbed:
    with fresh() as world:
        situation.prepare(world)
        mark = len(world.wire.calls)
        answer = situation.request(world)
        assert situation.done(answer), answer
        calls = tuple(world.wire.calls[mark:])
        world.finish()
        return Undisturbed(inventory.everything(), calls, inventory.executions())


def _nothing(world: World) -> None:
    pass


def _provisioned(world: World) -> None:
    answer = world.ask_for()
    assert answer.status == 201, answer
    world.finish()


def _protected(world: World) -> None:
    assert world.ask_for(deletion_protection=True).status == 201
    world.finish()


def _unfinished(world: World) -> None:
    assert world.ask_for().body["smoke_test"]["status"] == "running"
    world.clock.sleep(1)


def _drifted(world: World) -> None:
    """Drift of about every kind, a role that is gone and a policy with five versions included."""
    _provisioned(world)
    named("role_deleted").on(NAME, "lambda_trigger")
    for _ in range(4):
        named("policy_edited").on(NAME, "workflow_execution")
    for drift in (
        *("trust_opened", "description_changed", "session_lengthened", "tag_changed"),
        *("tag_added", "boundary_changed", "managed_policy_detached", "managed_policy_attached"),
        *("inline_policy_added", "inline_policy_deleted"),
    ):
        named(drift).on(NAME, "notebook")
    named("state_machine_edited").on(NAME, "workflow_execution")


def _made_by_hand(world: World) -> None:
    """A role and a policy of the environment's names, without tags, and not quite right."""
    iam = client("iam")
    iam.create_role(RoleName=NOTEBOOK, AssumeRolePolicyDocument=json.dumps(OPEN_TRUST))
    name = WORKFLOW_POLICY.rsplit("/", 1)[-1]
    iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(OPEN))


def _post(**fields: Any) -> tuple[str, str, dict[str, Any]]:
    return "POST", "/environments", {"name": NAME, "wait": 0, **fields}


def _is(*statuses: int) -> Callable[[Answer], bool]:
    return lambda answer: answer.status in statuses


def _all_repaired(answer: Answer) -> bool:
    return (
        answer.status == 200
        and not answer.body["not_reached"]
        and all(each["outcome"] == "repaired" for each in answer.body["environments"])
    )


def _conflict(answer: Answer) -> bool:
    return answer.status == 409 and answer.body["type"].endswith(":conflict")


POST = Situation("provision", _nothing, _post(), _is(200, 201))
POST_AND_WAIT = Situation("provision and wait", _nothing, _post(wait=20), _is(200, 201))
ADOPT = Situation(
    "adopt", _made_by_hand, ("POST", f"{ENVIRONMENT}/adopt", {"wait": 0}), _is(200, 201)
)
CONFLICT = Situation("conflict", _made_by_hand, _post(), _conflict)
PUT = Situation(
    "declare anew",
    _provisioned,
    ("PUT", ENVIRONMENT, {"tags": {"team": "lake"}, "wait": 0}),
    _is(200),
)
REAPPLY = Situation("reapply", _drifted, ("POST", f"{ENVIRONMENT}/reapply", None), _is(200))
DRIFT_RUN = Situation("drift run", _drifted, ("POST", "/drift-runs", None), _all_repaired)
DELETE = Situation("delete", _drifted, ("DELETE", ENVIRONMENT, None), _is(200, 404))
SMOKE_TEST = Situation(
    "smoke test", _provisioned, ("POST", f"{ENVIRONMENT}/smoke-test", {"wait": 20}), _is(200)
)
CARRY_ON = Situation("carry on", _unfinished, ("GET", ENVIRONMENT, None), _is(200))
UNPROTECT = Situation(
    "unprotect", _protected, ("DELETE", f"{ENVIRONMENT}/deletion-protection", None), _is(200)
)
SITUATIONS = (
    POST,
    POST_AND_WAIT,
    ADOPT,
    CONFLICT,
    PUT,
    REAPPLY,
    DRIFT_RUN,
    DELETE,
    SMOKE_TEST,
    CARRY_ON,
    UNPROTECT,
)
