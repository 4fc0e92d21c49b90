"""An environment brought to its declaration: planned, held, carried out, proved.

AWS is read before the environment is held: a call that changes nothing writes nothing. The hold is
only given for the very version of the record that was read before AWS was, so that nothing Trivet
does in between goes unnoticed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
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
from chalicelib.table.entry import Entry
from chalicelib.table.hold import Hold
from chalicelib.work import telemetry

ROUNDS = 3
"""How often what was read may turn out stale before the caller is told to come again."""

_PAUSE = 1.5
"""Seconds before what turned out stale is read again: three between first round and last."""


class Errand(msgspec.Struct, frozen=True):
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
        entry.check_free(installation.operation.clock.now())
        recorded = entry.environment
        plan = look(installation, target, wanted(recorded))
        with _forgetting_if_unmade(installation, entry, plan):
            plan.check_ours(errand.adopt)
            if plan.settles(recorded):
                return _settled(installation, target, _looked(installation, entry, plan), errand)
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


def _looked(installation: Installation, entry: Entry, plan: Plan) -> Entry:
    """Record what a look found that changes nothing, if the last one found otherwise."""
    environments, recorded = installation.environments, entry.environment
    found = Look(in_sync=_all_done(plan), at=timestamp(installation.operation.clock.now()))
    if found.in_sync == entry.look.in_sync:
        return entry
    environments.look(entry, found)
    return environments.get(recorded.account_id, recorded.name) or entry


def _settled(installation: Installation, target: Target, entry: Entry, errand: Errand) -> Result:
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


def hold_for(installation: Installation, entry: Entry, plan: Plan, errand: Errand) -> Hold | None:
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
    _Carrying(installation, target, hold, plan, errand).run()
    if hold.environment.status == "ready":
        now = timestamp(installation.operation.clock.now())
        hold.look = Look(in_sync=_all_done(plan), at=now)
    telemetry.count("Provisions")


def result_of(hold: Hold) -> Result:
    """Return what became of an environment that was held."""
    return Result(hold.environment, hold.entry.look, hold.changes, created=hold.is_new)


def _all_done(plan: Plan) -> bool:
    """Tell whether the plan left nothing that differs."""
    return len(plan.steps) == len(plan.differences)


class _Carrying(msgspec.Struct, frozen=True):
    """A plan being carried out for an environment that is held."""

    installation: Installation
    target: Target
    hold: Hold
    plan: Plan
    errand: Errand
    started: list[str] = []
    """The execution of the smoke test, once it is started."""

    def run(self) -> None:
        """Carry it out, start the smoke test, and set what the environment came to."""
        hold, plan, clock = self.hold, self.plan, self.installation.operation.clock
        until, test = clock.now() + self.errand.wait, hold.environment.smoke_test
        rerun = bool(plan.steps) or test.status in ("failed", "pending")
        if rerun:
            test = proving.begun_anew(test, plan.steps, clock.now())
        hold.environment = replace(
            hold.environment,
            unique_ids=plan.unique_ids,
            made=_with_declared(hold.environment, plan),
            smoke_test=test,
        )
        applied = self._applied(self._start_smoke_test if rerun else _start_nothing)
        if self.started:
            execution = self.started[0]
            test = replace(test, status="running", execution_arn=execution, started=clock.now())
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
        carried_on = self.errand.wait > 0 or (pending and self.errand.operation != "event_repair")
        if carried_on and not test.finished:
            progress = smoke.Progress(plan.desired, test, pending, runs=len(self.started))
            proving.advance(self.installation, self.target, hold, progress, until)

    def _start_smoke_test(self) -> None:
        if not self.started:
            operation_id = self.installation.operation.id
            arn = smoke.start(self.target, self.plan.desired, operation_id)
            self.started.extend([arn] if arn else [])

    def _applied(self, then: Callable[[], None]) -> Applied:
        """Carry out the steps; where AWS's state moved meanwhile, compare again and go on."""
        hold, desired, steps = self.hold, self.plan.desired, self.plan.steps
        for rounds_left in reversed(range(ROUNDS)):
            applied = carry_out(self.target, desired, steps, then)
            telemetry.count("ChangesApplied", len(applied.changes))
            hold.changes += shown(applied.changes)
            ids = hold.environment.unique_ids | applied.unique_ids
            hold.environment = replace(hold.environment, unique_ids=ids)
            to_compare = applied.is_stale or (applied.look_again and not applied.errors)
            if not rounds_left or not to_compare:
                break
            if applied.is_stale:
                # AWS may show, or hold on to, what was before for some seconds.
                operation = self.installation.operation
                operation.clock.sleep(min(_PAUSE, operation.time_left()))
            actual = read(self.target, desired, ids)
            ignored = self.installation.settings.ignores_tag
            again = compare(hold.environment, desired, actual, ignored)
            again.check_ours(self.errand.adopt, changed=bool(hold.changes))
            steps = again.steps
        if applied.errors:
            raise applied.worst()
        return applied


def _start_nothing() -> None:
    """Start no smoke test: the last one's word still holds."""


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
