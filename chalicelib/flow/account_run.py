"""A drift run in one account: its environments looked at in bulk, and put back where they differ.

The account is read with IAM's bulk listings, whatever number of environments there are. Nothing is
written for an environment that is in sync. A drifted one is repaired from what the bulk reading
found, and only if nobody held or changed it since: its record was read before IAM was.

A run watches the time it has left. What it does not reach is where the next run starts.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import partial
from typing import ParamSpec, TypeVar

from msgspec import structs

from chalicelib.aws.accounts import Target
from chalicelib.aws.answers import OutOfTime, withdrawn
from chalicelib.errors import Busy, Conflict, TrivetError, Unavailable, Unreadable
from chalicelib.flow import boundary, converge, proving
from chalicelib.flow.look import in_bulk, with_policy_tags
from chalicelib.flow.plan import Plan, compare
from chalicelib.installation import Installation
from chalicelib.model.actual import Actual, ActualStateMachine
from chalicelib.model.change import ChangeDocument
from chalicelib.model.desired import Desired
from chalicelib.model.environment import Look, timestamp
from chalicelib.model.report import AccountRow, Finding, Outcome
from chalicelib.resources import policy, state_machine
from chalicelib.table import looks
from chalicelib.table.entry import Entry
from chalicelib.work import telemetry

P = ParamSpec("P")
T = TypeVar("T")

_RESERVE = 5
"""Seconds that must be left for an environment to be begun."""

_PATIENCE = 3
"""Seconds for which the repair of roles and policies waits for state machines to be read."""

_GLANCE = 0.05
"""Seconds between two looks at the clock."""

_MACHINE_UNREAD = "The state machine could not be read in time: the next run looks at it."


class _Verdict(Enum):
    """What there is to say of an environment without a finding."""

    IN_SYNC = auto()
    NOT_REACHED = auto()
    GONE = auto()
    """Deleted since the run began."""


@dataclass(frozen=True, slots=True)
class Case:
    """An environment as recorded, as declared, and as IAM's bulk listings show it."""

    entry: Entry
    desired: Desired
    actual: Actual

    @property
    def name(self) -> str:
        """The environment's name."""
        return self.desired.name


@dataclass(frozen=True, slots=True)
class AccountLook:
    """What a run saw in one account, before it repairs anything."""

    target: Target
    started_at: str
    cases: Sequence[Case]
    whole: bool = True
    """Whether all environments of the account were looked at."""
    unreadable: Sequence[Finding] = ()
    boundary_error: str | None = None


@dataclass(slots=True)
class AccountResult:
    """What a run came to in one account."""

    row: AccountRow
    findings: list[Finding] = field(default_factory=list)
    not_reached: list[str] = field(default_factory=list)


def look_at(
    installation: Installation,
    target: Target,
    names: Sequence[str] | None = None,
    first: str | None = None,
) -> AccountLook:
    """Read all records of an account, then its IAM.

    Args:
        names: the environments to look at; all of them unless given.
        first: the environment to start with, or the next after it.

    Raises:
        TrivetError: the records or the account could not be read.
    """
    account_id = target.place.account_id
    started_at = timestamp(installation.operation.clock.now())
    rows = list(installation.environments.all(account_id))
    entries = [
        row
        for row in rows
        if isinstance(row, Entry) and (names is None or row.environment.name in names)
    ]
    entries.sort(key=lambda entry: (entry.environment.name < (first or ""), entry.environment.name))
    unreadable = [
        Finding(account_id, row.name, "failed", error=str(row))
        for row in rows
        if isinstance(row, Unreadable) and (names is None or row.name in names)
    ]
    wanted = [(each, installation.rendered(each.environment)) for each in entries]
    pairs = [(entry.environment, desired) for entry, desired in wanted]
    bulk = in_bulk(target, pairs, boundary.generated(installation, target.place))
    return AccountLook(
        target,
        started_at,
        [Case(entry, desired, bulk.environments[desired.name]) for entry, desired in wanted],
        whole=names is None,
        unreadable=unreadable,
        boundary_error=boundary.out_of_date(bulk.boundary) if bulk.boundary else None,
    )


def would_change(installation: Installation, seen: AccountLook) -> int:
    """Return how many environments a repair would change, state machines apart."""
    now = installation.operation.clock.now()
    return sum(
        bool(_plan(installation, case, _as_declared(case)).steps)
        for case in seen.cases
        if not case.entry.environment.paused_until(now) and not case.entry.environment.being_deleted
    )


def _as_declared(case: Case) -> ActualStateMachine:
    machine = case.desired.state_machine
    recorded = case.entry.environment.unique_ids.get(machine.arn, "")
    return ActualStateMachine(machine.arn, recorded, machine.role_arn, machine.definition)


def _plan(installation: Installation, case: Case, machine: ActualStateMachine | None) -> Plan:
    actual = case.actual.with_state_machine(machine)
    ignored = installation.settings.ignores_tag
    return compare(case.entry.environment, case.desired, actual, ignored)


def check(
    installation: Installation, seen: AccountLook, repair: bool, record: bool
) -> AccountResult:
    """Check every environment of an account that was looked at, and repair it if asked to.

    Args:
        record: remember what was seen; a preview writes nothing but its report.
    """
    run = _AccountRun(installation, seen.target, repair, record, record and not seen.whole)
    verdicts = run.verdicts(seen.cases)
    findings = [each for each in verdicts.values() if isinstance(each, Finding)]
    findings = sorted([*findings, *seen.unreadable], key=lambda finding: finding.name)
    if not repair:
        findings = _naming_withdrawn_policies(seen.target, findings)
    not_reached = [name for name, each in verdicts.items() if each is _Verdict.NOT_REACHED]
    in_sync = sum(each is _Verdict.IN_SYNC for each in verdicts.values())
    if record and seen.whole:
        _record_run_look(installation, seen, [*not_reached, *(each.name for each in findings)])
    return AccountResult(_row(seen, findings, in_sync, len(not_reached)), findings, not_reached)


def _record_run_look(installation: Installation, seen: AccountLook, unseen: Sequence[str]) -> None:
    account_id = seen.target.place.account_id
    try:
        looks.record(installation.table, account_id, seen.started_at, unseen)
    except TrivetError as error:
        # What was done has to be reported: the next run records it.
        telemetry.LOGGER.warning("looks not recorded", extra={"reason": str(error)})


def _row(
    seen: AccountLook, findings: Sequence[Finding], in_sync: int, not_reached: int
) -> AccountRow:
    def of(outcome: Outcome) -> int:
        return sum(finding.outcome == outcome for finding in findings)

    return AccountRow(
        account_id=seen.target.place.account_id,
        checked=in_sync + len(findings),
        in_sync=in_sync,
        drifted=len(findings),
        repaired=of("repaired"),
        failed=of("failed"),
        not_reached=not_reached,
        error=seen.boundary_error,
    )


@dataclass(frozen=True, slots=True)
class _AccountRun:
    """The checks of one account's environments, each of which must not stop the others."""

    installation: Installation
    target: Target
    repair: bool
    record: bool
    record_each: bool
    """Also what was in sync before, since no word on the whole account will say it."""

    def verdicts(self, cases: Sequence[Case]) -> dict[str, Finding | _Verdict]:
        """Check environments side by side, those first whose roles or policies differ.

        State machines, which no bulk listing shows, are read beside that by threads of their own.
        """
        workers = self.installation.settings.concurrency
        urgent = {case.name: self.repair and self._differs(case) for case in cases}
        ordered = sorted(cases, key=lambda case: not urgent[case.name])
        until = self.installation.operation.clock.now() + _PATIENCE
        with (
            ThreadPoolExecutor(workers, thread_name_prefix="machine") as reading,
            ThreadPoolExecutor(workers, thread_name_prefix="repair") as pool,
        ):
            machines = {each.name: _submitted(reading, self._machine, each) for each in ordered}
            checks = {
                case.name: _submitted(
                    pool,
                    self._verdict,
                    case,
                    machines[case.name],
                    until if urgent[case.name] else None,
                )
                for case in ordered
            }
        return {case.name: checks[case.name].result() for case in cases}

    def _machine(self, case: Case) -> ActualStateMachine | None:
        return state_machine.read(self.target, case.desired.state_machine.arn)

    def _differs(self, case: Case) -> bool:
        return bool(_plan(self.installation, case, _as_declared(case)).steps)

    def _verdict(
        self, case: Case, machine: "Future[ActualStateMachine | None]", until: float | None
    ) -> Finding | _Verdict:
        """Check one environment.

        Args:
            until: when to repair its roles and policies, even if the state machine is not read by
                then. `None`: there is nothing else to repair.
        """
        current = self.installation.operation
        try:
            note, found = self._awaited(case, machine, until)
            if current.time_left() < _RESERVE:
                return _Verdict.NOT_REACHED
            checked = self._checked(case, found)
            if note and isinstance(checked, Finding):
                checked = structs.replace(checked, error=checked.error or note)
            return checked
        except TimeoutError:
            return _Verdict.NOT_REACHED
        except TrivetError as error:
            if isinstance(error.__cause__, OutOfTime):
                return _Verdict.NOT_REACHED
            return self._failed(case, (), error)
        except Exception:  # noqa: BLE001 - it is logged, and the others are checked
            telemetry.LOGGER.exception("unexpected error", extra={"environment": case.name})
            telemetry.count("UnexpectedErrors")
            reason = f"Unexpected error; the log of operation {current.id} has it."
            return self._finding(case, "failed", (), reason)

    def _awaited(
        self, case: Case, machine: "Future[ActualStateMachine | None]", until: float | None
    ) -> tuple[str | None, ActualStateMachine | None]:
        """Return the state machine, taken as declared where the rest is not to wait for it.

        Returns:
            What to say where it was not read, and the state machine.

        Raises:
            TimeoutError: it was not read in time.
            TrivetError: AWS refuses or fails, asked again after all the others.
        """
        try:
            return None, self._read_by(machine, until)
        except (TimeoutError, Unavailable):
            if until is None and machine.done():
                return None, self._machine(case)
            if until is None:
                raise
        return _MACHINE_UNREAD, _as_declared(case)

    def _read_by(
        self, machine: "Future[ActualStateMachine | None]", until: float | None
    ) -> ActualStateMachine | None:
        current = self.installation.operation
        while not machine.done():
            left = current.time_left() - _RESERVE
            left = left if until is None else min(left, until - current.clock.now())
            if left <= 0:
                raise TimeoutError
            wait([machine], min(left, _GLANCE))
        return machine.result()

    def _checked(self, case: Case, machine: ActualStateMachine | None) -> Finding | _Verdict:
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
        plan = _plan(self.installation, case, machine)
        changed = any(each.kind == "update_policy" for each in plan.differences)
        if plan.foreign or (self.repair and changed):
            # A policy whose id is not recorded may have our tags, which no bulk listing shows; one
            # that lost them has to be tagged first.
            actual = with_policy_tags(self.target, case.actual)
            plan = _plan(self.installation, replace(case, actual=actual), machine)
        plan.check_ours()
        until = environment.paused_until(now)
        if until and plan.differences:
            reason = f"Paused until {until}: {environment.pause and environment.pause.reason}"
            return self._finding(case, "paused", plan.documents, reason)
        if self.repair and not until:
            return self._mended(case, plan)
        return self._left_alone(case, plan) if plan.differences else self._in_sync(case)

    def _mended(self, case: Case, plan: Plan) -> Finding | _Verdict:
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
            return self._left_alone(case, plan) if found else _Verdict.IN_SYNC
        except TrivetError as error:
            return self._failed(case, found, error)
        done = [*found, *(each for each in hold.changes if each not in found)]
        if hold.environment.awaits_state_machine:
            reason = "The state machine cannot be made yet; the next run, or a GET, goes on."
            return self._finding(case, "drifted", done, reason)
        if not done:
            return _Verdict.IN_SYNC
        return Finding(
            recorded.account_id, case.name, "repaired" if plan.steps else "drifted", done
        )

    def _left_alone(self, case: Case, plan: Plan) -> Finding | _Verdict:
        """Return a drift that is not repaired, with the reason if another call is at work on it."""
        account_id = case.entry.environment.account_id
        entry = self.installation.environments.get(account_id, case.name)
        if entry is None:
            return _Verdict.GONE
        now = self.installation.operation.clock.now()
        if entry.is_held(now) or entry.version != case.entry.version:
            reason = "Another call works on it; if a difference stays, the next run sees it."
            return Finding(account_id, case.name, "drifted", plan.documents, reason)
        return self._finding(case, "drifted", plan.documents)

    def _in_sync(self, case: Case) -> _Verdict:
        """Record that it is in sync, where the record says otherwise."""
        if self.record_each or (self.record and case.entry.look.in_sync is not True):
            self._record_look(case, in_sync=True)
        return _Verdict.IN_SYNC

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


def _submitted(
    pool: ThreadPoolExecutor, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> "Future[T]":
    return pool.submit(copy_context().run, partial(function, *args, **kwargs))


def _naming_withdrawn_policies(target: Target, findings: Sequence[Finding]) -> list[Finding]:
    """Add to findings which AWS managed policies do not exist, so that no repair can attach them.

    A repair hears of it from IAM. Here each policy is asked for once, however many roles lack it.
    """
    asked = sorted({arn for finding in findings for arn in _lacking(finding)})
    try:
        gone = {arn for arn in asked if policy.head(target, arn) is None}
    except TrivetError as error:
        telemetry.LOGGER.warning("policies not looked up", extra={"reason": str(error)})
        return list(findings)
    named = []
    for finding in findings:
        said = [finding.error] if finding.error else []
        said += [withdrawn(arn) for arn in _lacking(finding) if arn in gone]
        named.append(structs.replace(finding, error=" ".join(said) or None))
    return named


def _lacking(finding: Finding) -> list[str]:
    """Return the AWS managed policies that a finding says are not attached."""
    return [
        change.expected
        for change in finding.changes
        if change.kind == "attach_managed_policy" and ":iam::aws:policy/" in change.expected
    ]
