"""An environment brought to its declaration: planned, held, carried out, proved.

AWS is read before the environment is held: a call that changes nothing writes nothing. The hold is
only given for the very version of the record that was read before AWS was, so that nothing Trivet
does in between goes unnoticed.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from msgspec.structs import replace

from chalicelib.aws.accounts import Target
from chalicelib.errors import Conflict, Invalid
from chalicelib.flow import boundary, proving
from chalicelib.flow import smoke_test as smoke
from chalicelib.flow.carry_out import Applied, carry_out
from chalicelib.flow.look import look, read
from chalicelib.flow.plan import Plan, compare, shown
from chalicelib.flow.result import Result
from chalicelib.installation import Installation
from chalicelib.model.environment import Environment, Look, timestamp
from chalicelib.model.history import Cause, Operation
from chalicelib.resources.change import AnyChange
from chalicelib.table.environments import Entry
from chalicelib.table.hold import Hold
from chalicelib.work import telemetry

ROUNDS = 3
"""How often what was read may turn out stale before the caller is told to come again."""


@dataclass(frozen=True, slots=True)
class Errand:
    """Why an environment is brought to its declaration, and what that may do."""

    operation: Operation
    adopt: bool = False
    """Take over what exists under its names without Trivet's tags."""
    wait: float = 0
    """Seconds to wait for the smoke test."""
    cause: Cause | None = None


def converge(
    installation: Installation,
    target: Target,
    entry: Entry,
    wanted: Callable[[Environment], Environment],
    errand: Errand,
) -> Result:
    """Bring an environment that exists to its declaration.

    Args:
        wanted: returns the environment as it shall be from what is recorded.

    Raises:
        Conflict: something under its names is someone else's; nothing was changed.
        Busy: another call holds it.
        TrivetError: a step failed; the environment is recorded as incomplete.
    """
    environments, name = installation.environments, entry.environment.name
    account_id = entry.environment.account_id
    for _ in range(ROUNDS):
        environments.check_free(entry)
        recorded = entry.environment
        plan = look(installation, target, wanted(recorded))
        with _forgetting_if_unmade(installation, entry, plan):
            plan.check_ours(errand.adopt)
            if plan.settles(recorded):
                return _settled(installation, target, entry, errand)
            boundary.ensure_for(target, plan)
        hold = hold_for(installation, entry, plan, errand)
        if hold is not None:
            with hold:
                carry(installation, target, hold, plan, errand)
            return result_of(hold)
        again = environments.get(account_id, name)
        if again is None:
            break
        entry = again
    raise environments.contended(account_id, name)


def _settled(
    installation: Installation, target: Target, entry: Entry, errand: Errand
) -> Result:
    """Answer where nothing is left to change: the smoke test is carried on, or run again."""
    test = entry.environment.smoke_test
    if test.status == "succeeded" or (test.status == "running" and errand.wait == 0):
        return Result(entry.environment, entry.look)
    return proving.prove(installation, target, entry, errand.wait, anew=test.status == "failed")


@contextmanager
def _forgetting_if_unmade(installation: Installation, entry: Entry, plan: Plan) -> Iterator[None]:
    """Remove the record of an environment that is refused and of which nothing was ever made.

    The call that recorded it died before it could. A refused new environment is not recorded.
    """
    try:
        yield
    except (Conflict, Invalid):
        recorded = entry.environment
        if plan.found_nothing_ours() and not recorded.unique_ids:
            hold = installation.environments.hold(entry, recorded, "create")
            if hold is not None:
                hold.forget()
        raise


def hold_for(
    installation: Installation, entry: Entry, plan: Plan, errand: Errand
) -> Hold | None:
    """Hold an environment to carry out a plan; `None` where it changed since it was read."""
    now, steps = installation.operation.clock.now(), plan.steps
    test = plan.environment.smoke_test
    environment = replace(
        plan.environment,
        status="incomplete",
        updated_at=timestamp(now),
        updated_by=installation.operation.caller,
        # What the last one said holds no more, even if this operation dies half-way.
        smoke_test=proving.begun_anew(test, steps, now) if steps else test,
    )
    environments = installation.environments
    hold = environments.hold(entry, environment, errand.operation, shown(steps), errand.cause)
    if hold is not None:
        hold.wanted_history = plan.environment.declaration != entry.environment.declaration
    return hold


def carry(
    installation: Installation, target: Target, hold: Hold, plan: Plan, errand: Errand
) -> None:
    """Carry out a plan for an environment that is held, and set what it came to.

    Raises:
        TrivetError: a step failed; the environment is to be recorded as incomplete.
    """
    _carry_out(installation, target, hold, plan, errand)
    if hold.environment.status == "ready":
        now = timestamp(installation.operation.clock.now())
        hold.look = Look(in_sync=_all_done(plan), at=now)
    telemetry.count("Provisions")


def result_of(hold: Hold) -> Result:
    """Return what became of an environment that was held."""
    return Result(hold.environment, hold.look, hold.changes, created=hold.is_new)


def _all_done(plan: Plan) -> bool:
    """Tell whether the plan left nothing that differs."""
    return len(plan.steps) == len(plan.differences)


def _carry_out(
    installation: Installation, target: Target, hold: Hold, plan: Plan, errand: Errand
) -> None:
    clock = installation.operation.clock
    until, steps, desired = clock.now() + errand.wait, plan.steps, plan.desired
    test = hold.environment.smoke_test
    rerun = bool(steps) or test.status in ("failed", "pending")
    if rerun:
        test = proving.begun_anew(test, steps, clock.now())
    hold.environment = replace(
        hold.environment,
        unique_ids=plan.unique_ids,
        made=_with_declared(hold.environment, plan),
        smoke_test=test,
    )
    started: list[str] = []

    def start_smoke_test() -> None:
        if rerun and not started:
            arn = smoke.start(target, desired, installation.operation.id)
            started.extend([arn] if arn else [])

    applied = _apply(installation, target, hold, plan, errand.adopt, start_smoke_test)
    if started:
        test = replace(
            test, status="running", execution_arn=started[0], started=clock.now()
        )
    pending = next((each for each in applied.left if each.kind in proving.MACHINE_KINDS), None)
    hold.environment = replace(
        hold.environment,
        status="incomplete" if pending else "ready",
        awaits_state_machine=pending is not None,
        made=_declared(plan),
        unique_ids=_without_gone(hold.environment.unique_ids, applied),
        smoke_test=test,
    )
    # The handler of IAM's events has no right to what the smoke test asks: a GET or a run does.
    carried_on = errand.wait > 0 or (pending and errand.operation != "event_repair")
    if carried_on and not test.finished:
        progress = smoke.Progress(test, pending, runs=len(started))
        proving.advance(installation, target, desired, hold, progress, until)


def _apply(
    installation: Installation,
    target: Target,
    hold: Hold,
    plan: Plan,
    adopt: bool,
    then: Callable[[], None],
) -> Applied:
    """Carry out the steps; where AWS's state moved meanwhile, compare again and go on."""
    steps: Sequence[AnyChange] = plan.steps
    for _ in range(ROUNDS):
        applied = carry_out(target, plan.desired, steps, then)
        telemetry.count("ChangesApplied", len(applied.changes))
        hold.changes += shown(applied.changes)
        ids = hold.environment.unique_ids | applied.unique_ids
        hold.environment = replace(hold.environment, unique_ids=ids)
        if not applied.is_stale and (applied.errors or not applied.look_again):
            break
        actual = read(target, plan.desired, ids)
        ignored = installation.settings.ignores_tag
        again = compare(hold.environment, plan.desired, actual, ignored)
        again.check_ours(adopt, changed=bool(hold.changes))
        steps = again.steps
    if applied.errors:
        raise applied.worst()
    return applied


def _declared(plan: Plan) -> dict[str, list[str]]:
    """Return what the declaration puts on each role: see `Environment.made`."""
    return {
        each.name: sorted([*each.managed_policies, *each.inline_policies])
        for each in plan.desired.roles
    }


def _with_declared(environment: Environment, plan: Plan) -> dict[str, list[str]]:
    """Return what Trivet put on each role, and is about to."""
    declared = _declared(plan)
    return {
        name: sorted({*environment.made.get(name, ()), *declared.get(name, ())})
        for name in {*environment.made, *declared}
    }


def _without_gone(unique_ids: dict[str, str], applied: Applied) -> dict[str, str]:
    gone = {each.resource for each in applied.changes if each.kind == "delete_policy"}
    return {arn: unique_id for arn, unique_id in unique_ids.items() if arn not in gone}
