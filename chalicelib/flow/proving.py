"""The smoke test of a held environment: begun anew, carried on, and what it came to recorded."""

from collections.abc import Sequence

from msgspec.structs import replace

from chalicelib.aws.accounts import Target
from chalicelib.errors import Unavailable
from chalicelib.flow import smoke_test as smoke
from chalicelib.flow.plan import compare, shown
from chalicelib.flow.result import Result
from chalicelib.installation import Installation
from chalicelib.model.actual import Actual
from chalicelib.model.desired import Desired
from chalicelib.model.environment import Environment, SmokeTest
from chalicelib.model.history import Operation
from chalicelib.resources import state_machine
from chalicelib.resources.change import AnyChange
from chalicelib.table.entry import Entry
from chalicelib.table.hold import Hold
from chalicelib.work import telemetry

MACHINE_KINDS = tuple(each.kind for each in state_machine.CHANGES)


def needs_smoke_test(environment: Environment) -> bool:
    """Tell whether a smoke test is to be carried on, and can be."""
    complete = environment.status == "ready" or environment.awaits_state_machine
    return complete and not environment.being_deleted and not environment.smoke_test.finished


def begun_anew(smoke_test: SmokeTest, changes: Sequence[AnyChange], now: float) -> SmokeTest:
    """Return a smoke test to begin anew, with or after these changes.

    One that still waits for its state machine, with nothing else changed, has waited since it
    first did.
    """
    waits = all(change.kind in MACHINE_KINDS for change in changes)
    waited = smoke_test.since if waits and smoke_test.status == "pending" else None
    updated = any(change.kind == "update_state_machine" for change in changes)
    return SmokeTest(since=waited or now, after_update=updated)


def prove(
    installation: Installation, target: Target, entry: Entry, wait: float, anew: bool
) -> Result:
    """Hold an environment for its smoke test alone, and carry that on or begin it anew.

    Raises:
        Busy: it is to be begun anew, and another call holds the environment.
        TrivetError: AWS refuses or fails.
    """
    now, recorded = installation.operation.clock.now(), entry.environment
    until = now + wait
    desired = installation.rendered(recorded)
    test = recorded.smoke_test
    test = begun_anew(test, (), now) if anew else replace(test, since=test.since or now)
    to_make = _to_make(installation, target, recorded, desired) if _is_pending(test) else None
    operation: Operation = "smoke_test"
    hold = installation.environments.hold(entry, recorded, operation)
    if hold is None:
        if anew:
            raise installation.environments.contended(recorded.account_id, recorded.name)
        return Result(recorded, entry.look)
    hold.wanted_history = anew
    with hold:
        hold.environment = replace(recorded, smoke_test=test)
        progress = smoke.Progress(desired, test, to_make)
        advance(installation, target, hold, progress, until)
    return Result(hold.environment, entry.look, hold.changes)


def _is_pending(smoke_test: SmokeTest) -> bool:
    return smoke_test.status == "pending"


def _to_make(
    installation: Installation, target: Target, recorded: Environment, desired: Desired
) -> AnyChange | None:
    """Return the change that the state machine needs before it can run, if any.

    Raises:
        Conflict: what has its name is someone else's.
    """
    there = state_machine.read(target, desired.state_machine.arn)
    ignored = installation.settings.ignores_tag
    machine_alone = compare(recorded, desired, Actual(state_machine=there), ignored)
    machine_alone.check_ours()
    return next(state_machine.differences(desired.state_machine, there), None)


def advance(
    installation: Installation,
    target: Target,
    hold: Hold,
    progress: smoke.Progress,
    until: float,
) -> None:
    """Carry the smoke test of a held environment on, and set what it came to."""
    try:
        smoke.advance(target, progress, installation.operation, until)
    except Unavailable as error:
        # No verdict: the next GET or drift run carries the smoke test on.
        telemetry.LOGGER.warning("smoke test interrupted", extra={"reason": str(error)})
    finally:
        hold.changes += shown(progress.made)
        environment = hold.environment
        complete = environment.awaits_state_machine and progress.to_make is None
        hold.environment = replace(
            environment,
            smoke_test=progress.smoke_test,
            unique_ids=environment.unique_ids | progress.unique_ids,
            status="ready" if complete else environment.status,
            awaits_state_machine=environment.awaits_state_machine and not complete,
        )
