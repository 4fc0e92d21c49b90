"""The environments of one account compared, and put back: the trouble of one stops no other."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import Enum, auto

import msgspec
from msgspec import structs
from msgspec.structs import replace

from chalicelib.aws.accounts import Target
from chalicelib.aws.answers import OutOfTime
from chalicelib.errors import Busy, Conflict, TrivetError
from chalicelib.flow import boundary, converge, proving
from chalicelib.flow.account_case import Case, plan_of, steps_of
from chalicelib.flow.look import with_policy_tags
from chalicelib.flow.machines import RESERVE, Machines
from chalicelib.flow.plan import Plan
from chalicelib.installation import Installation
from chalicelib.model.actual import ActualStateMachine
from chalicelib.model.change import ChangeDocument
from chalicelib.model.environment import Look, timestamp
from chalicelib.model.report import Finding, Outcome
from chalicelib.work import telemetry, threads

_PATIENCE = 3
"""Seconds for which the repair of roles and policies waits for state machines to be read."""


class Verdict(Enum):
    """What there is to say of an environment without a finding."""

    IN_SYNC = auto()
    NOT_REACHED = auto()
    GONE = auto()
    """Deleted since the run began."""


class AccountCheck(msgspec.Struct, frozen=True):
    """The checks of one account's environments, each of which must not stop the others."""

    installation: Installation
    target: Target
    repair: bool
    record: bool
    record_each: bool
    """Also what was in sync before, since no word on the whole account will say it."""

    def verdict(self, case: Case, machines: Machines, until: float | None) -> Finding | Verdict:
        """Check one environment.

        Args:
            until: when to repair its roles and policies, even if the state machine is not read by
                then. `None`: there is nothing else to repair.
        """
        current = self.installation.operation
        try:
            note, found = machines.awaited(case, until)
            if current.time_left() < RESERVE:
                return Verdict.NOT_REACHED
            checked = self._checked(case, found)
            if note and isinstance(checked, Finding):
                checked = structs.replace(checked, error=checked.error or note)
            return checked
        except TimeoutError:
            return Verdict.NOT_REACHED
        except TrivetError as error:
            if isinstance(error.__cause__, OutOfTime):
                return Verdict.NOT_REACHED
            return self._failed(case, (), error)
        except Exception:  # noqa: BLE001 - it is logged, and the others are checked
            telemetry.LOGGER.exception("unexpected error", extra={"environment": case.name})
            telemetry.count("UnexpectedErrors")
            reason = f"Unexpected error; the log of operation {current.id} has it."
            return self._finding(case, "failed", (), reason)

    def _checked(self, case: Case, machine: ActualStateMachine | None) -> Finding | Verdict:
        """Compare one environment, and repair it where that is asked for.

        Raises:
            Conflict: something is someone else's, or a deletion ended half-way.
        """
        now, environment = self.installation.operation.clock.now(), case.entry.environment
        if environment.being_deleted and not case.entry.is_held(now):
            raise Conflict(
                f"The deletion of environment {case.name} ended half-way. Call DELETE again to "
                "end it, or POST to have the environment back."
            )
        plan = plan_of(self.installation, case, machine)
        changed = any(each.kind == "update_policy" for each in plan.differences)
        if plan.foreign or (self.repair and changed):
            # A policy whose id is not recorded may have our tags, which no bulk listing shows; one
            # that lost them has to be tagged first.
            actual = with_policy_tags(self.target, case.actual)
            plan = plan_of(self.installation, replace(case, actual=actual), machine)
        plan.check_ours()
        until = environment.paused_until(now)
        if until and plan.differences:
            reason = f"Paused until {until}: {environment.pause and environment.pause.reason}"
            return self._finding(case, "paused", plan.documents, reason)
        if self.repair and not until:
            return self._mended(case, plan)
        return self._left_alone(case, plan) if plan.differences else self._in_sync(case)

    def _mended(self, case: Case, plan: Plan) -> Finding | Verdict:
        """Repair one environment, or carry on what is unfinished in it."""
        recorded, found = case.entry.environment, plan.documents
        settled = plan.settles(recorded)
        try:
            if settled:
                if proving.needs_smoke_test(recorded):
                    proving.prove(self.installation, self.target, case.entry, 0, anew=False)
                return self._finding(case, "drifted", found) if found else self._in_sync(case)
            boundary.ensure_for(self.target, plan)
            errand = converge.Errand("drift_repair")
            hold = converge.hold_for(self.installation, case.entry, plan, errand)
            if hold is None:
                raise self.installation.environments.contended(recorded.account_id, recorded.name)
            with hold:
                converge.carry(self.installation, self.target, hold, plan, errand)
        except Busy:
            return self._left_alone(case, plan) if found else Verdict.IN_SYNC
        except TrivetError as error:
            return self._failed(case, found, error)
        done = [*found, *(each for each in hold.changes if each not in found)]
        if hold.environment.awaits_state_machine:
            reason = "The state machine cannot be made yet; the next run, or a GET, goes on."
            return self._finding(case, "drifted", done, reason)
        if not done:
            return Verdict.IN_SYNC
        return Finding(
            recorded.account_id, case.name, "repaired" if plan.steps else "drifted", done
        )

    def _left_alone(self, case: Case, plan: Plan) -> Finding | Verdict:
        """Return a drift that is not repaired, with the reason if another call is at work on it."""
        account_id = case.entry.environment.account_id
        entry = self.installation.environments.get(account_id, case.name)
        if entry is None:
            return Verdict.GONE
        now = self.installation.operation.clock.now()
        if entry.is_held(now) or entry.version != case.entry.version:
            reason = "Another call works on it; if a difference stays, the next run sees it."
            return Finding(account_id, case.name, "drifted", plan.documents, reason)
        return self._finding(case, "drifted", plan.documents)

    def _in_sync(self, case: Case) -> Verdict:
        """Record that it is in sync, where the record says otherwise."""
        if self.record_each or (self.record and case.entry.look.in_sync is not True):
            self._record_look(case, in_sync=True)
        return Verdict.IN_SYNC

    def _finding(
        self,
        case: Case,
        outcome: Outcome,
        changes: Iterable[ChangeDocument],
        error: str | None = None,
    ) -> Finding:
        if self.record:
            self._record_look(case, in_sync=False)
        account_id = case.entry.environment.account_id
        return Finding(account_id, case.name, outcome, list(changes), error)

    def _record_look(self, case: Case, in_sync: bool) -> None:
        now = timestamp(self.installation.operation.clock.now())
        try:
            self.installation.environments.look(case.entry, Look(in_sync=in_sync, at=now))
        except TrivetError as error:
            # The report says it too: the next run records it.
            telemetry.LOGGER.warning("look not recorded", extra={"reason": str(error)})

    def _failed(self, case: Case, found: Iterable[ChangeDocument], error: TrivetError) -> Finding:
        reason = {"environment": case.name, "reason": str(error)}
        telemetry.LOGGER.error("check failed", extra=reason)
        return self._finding(case, "failed", found, str(error))


def verdicts(check: AccountCheck, cases: Sequence[Case]) -> dict[str, Finding | Verdict]:
    """Check environments side by side, those first whose roles or policies differ.

    State machines, which no bulk listing shows, are read beside that by threads of their own.
    """
    workers = check.installation.settings.concurrency
    urgent = {
        case.name: check.repair and bool(steps_of(check.installation, case)) for case in cases
    }
    ordered = sorted(cases, key=lambda case: not urgent[case.name])
    until = check.installation.operation.clock.now() + _PATIENCE
    with (
        ThreadPoolExecutor(workers, thread_name_prefix="machine") as reading,
        ThreadPoolExecutor(workers, thread_name_prefix="repair") as pool,
    ):
        machines = Machines.read(reading, check.installation.operation, check.target, ordered)
        checks = {
            case.name: threads.start_in(
                pool,
                check.verdict,
                case,
                machines,
                until if urgent[case.name] else None,
            )
            for case in ordered
        }
    return {case.name: checks[case.name].result() for case in cases}
