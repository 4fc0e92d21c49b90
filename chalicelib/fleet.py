"""Drift runs: every declared environment compared with IAM, and put back where it differs.

The account is read in bulk, whatever number of environments there are. Nothing is written for
an environment that is in sync. A drifted one is repaired from what the bulk reading found, and
only if nobody held or changed it since: its record was read before IAM was.

A run watches the time it has left. What it does not reach is where the next run starts.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Literal

import msgspec

from chalicelib import compare, errors, events, operation, read, telemetry
from chalicelib.aws import Account
from chalicelib.errors import Busy, Conflict, OutOfTime, TrivetError
from chalicelib.model import Actual, ActualStateMachine, Change, Desired
from chalicelib.provisioner import Provisioner, needs_smoke_test
from chalicelib.records import timestamp
from chalicelib.store import Entry

Outcome = Literal["repaired", "drifted", "failed"]

_BATCH = 100
"""Environments whose state machines are read before the first of them is repaired."""

_RESERVE = 5
"""Seconds that must be left for an environment to be begun."""


def concurrency() -> int:
    """How many environments are repaired side by side: `TRIVET_CONCURRENCY`, 8 by default.

    IAM's rates are unpublished; each environment changes up to five resources at once.
    """
    return int(os.environ.get("TRIVET_CONCURRENCY", "8"))


@dataclass(frozen=True, slots=True)
class Finding:
    """An environment that was not in sync, and what became of it."""

    name: str
    outcome: Outcome
    changes: Sequence[Change] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What a drift run found and did."""

    id: str
    trigger: Literal["schedule", "request"]
    applied: bool
    started_at: str
    finished_at: str
    checked: int
    in_sync: int
    drifted: int
    repaired: int
    failed: int
    not_reached: Sequence[str]
    aws_calls: Mapping[str, int]
    environments: Sequence[Finding]


class _Verdict(Enum):
    """What there is to say of an environment without a finding."""

    IN_SYNC = auto()
    NOT_REACHED = auto()
    GONE = auto()
    """Deleted since the run began."""


@dataclass(frozen=True, slots=True)
class _Case:
    entry: Entry
    desired: Desired
    actual: Actual

    @property
    def name(self) -> str:
        return self.desired.environment


def run(
    provisioner: Provisioner, trigger: Literal["schedule", "request"], repair: bool
) -> DriftReport:
    """Check the whole fleet, and repair it unless told not to.

    Raises:
        Busy: another run is going on.
        TrivetError: the fleet could not be read; nothing was changed.
    """
    current, store = provisioner.operation, provisioner.store
    started_at = timestamp(current.clock.now())
    first = next_start = store.hold_fleet()
    try:
        store.ensure_table()
        verdicts = dict(_verdicts(provisioner, first, repair))
        not_reached = [name for name, v in verdicts.items() if v is _Verdict.NOT_REACHED]
        next_start = not_reached[0] if not_reached else None
    finally:
        _release(provisioner, next_start)
    in_sync = sum(verdict is _Verdict.IN_SYNC for verdict in verdicts.values())
    findings = sorted(
        (verdict for verdict in verdicts.values() if isinstance(verdict, Finding)),
        key=lambda finding: finding.name,
    )
    with operation.closing():
        if not repair:
            findings = _naming_withdrawn_policies(provisioner.account, findings)
        tell(provisioner.account, findings)
    return DriftReport(
        id=current.id,
        trigger=trigger,
        applied=repair,
        started_at=started_at,
        finished_at=timestamp(current.clock.now()),
        checked=in_sync + len(findings),
        in_sync=in_sync,
        drifted=len(findings),
        repaired=_count(findings, "repaired"),
        failed=_count(findings, "failed"),
        not_reached=not_reached,
        aws_calls=dict(sorted(current.calls.items())),
        environments=findings,
    )


def keep(provisioner: Provisioner, report: DriftReport) -> bytes:
    """Keep a report in the table, and return it as JSON.

    Raises:
        TrivetError: the report of a scheduled run could not be kept: nobody else has it.
    """
    encoded = msgspec.json.encode(report)
    try:
        with operation.closing():
            provisioner.store.add_report(report.id, report.finished_at, encoded)
    except TrivetError as error:
        # It is the one account of what was undone: the log and whoever asked get it all the same.
        reason = {"reason": str(error), "report": encoded.decode()}
        telemetry.LOGGER.error("drift report not kept", extra=reason)
        if report.trigger == "schedule":
            raise
    return encoded


def tell(account: Account, findings: Sequence[Finding]) -> None:
    """Tell EventBridge and CloudWatch of what was not in sync."""
    events.publish(account, findings)
    telemetry.count("DriftedEnvironments", len(findings))
    telemetry.count("RepairedEnvironments", _count(findings, "repaired"))
    telemetry.count("FailedRepairs", _count(findings, "failed"))


def _count(findings: Sequence[Finding], outcome: Outcome) -> int:
    return sum(finding.outcome == outcome for finding in findings)


def _release(provisioner: Provisioner, next_start: str | None) -> None:
    try:
        provisioner.store.release_fleet(next_start)
    except TrivetError as error:
        # What was found and done still has to be reported; the lease runs out by itself.
        telemetry.LOGGER.error("fleet not released", extra={"reason": str(error)})


def _verdicts(
    provisioner: Provisioner, first: str | None, repair: bool
) -> Iterator[tuple[str, Finding | _Verdict]]:
    """Check all environments, batch by batch, the first one to check first."""
    cases, account = _cases(provisioner, first), provisioner.account
    for at in range(0, len(cases), _BATCH):
        batch = cases[at : at + _BATCH]
        machines = [
            operation.start(read.state_machine, account, case.desired.state_machine.arn, True)
            for case in batch
        ]
        with ThreadPoolExecutor(concurrency(), thread_name_prefix="repair") as pool:
            checks = [
                pool.submit(copy_context().run, _verdict, provisioner, case, machine, repair)
                for case, machine in zip(batch, machines, strict=True)
            ]
        yield from ((case.name, check.result()) for case, check in zip(batch, checks, strict=True))


def _cases(provisioner: Provisioner, first: str | None) -> list[_Case]:
    """Read all records, then IAM; the environment to start with, or the next after it, first."""
    entries = list(provisioner.store.all())
    entries.sort(key=lambda entry: (entry.environment.name < (first or ""), entry.environment.name))
    desired = [provisioner.desired(entry.environment) for entry in entries]
    actual = read.account_in_bulk(provisioner.account, desired) if desired else {}
    return [
        _Case(entry, wanted, actual[wanted.environment])
        for entry, wanted in zip(entries, desired, strict=True)
    ]


def _verdict(
    provisioner: Provisioner,
    case: _Case,
    machine: "Future[ActualStateMachine | None]",
    repair: bool,
) -> Finding | _Verdict:
    """Check one environment, whose failure must not stop the others."""
    try:
        # botocore may hold the reading back to keep to a rate: no longer than there is time.
        found = machine.result(timeout=provisioner.operation.time_left())
        seen = replace(case, actual=case.actual.with_state_machine(found))
        if provisioner.operation.time_left() < _RESERVE:
            return _Verdict.NOT_REACHED
        return _checked(provisioner, seen, repair)
    except TimeoutError:
        return _Verdict.NOT_REACHED
    except TrivetError as error:
        if isinstance(error.__cause__, OutOfTime):
            return _Verdict.NOT_REACHED
        return _failed(case, (), error)
    except Exception:  # noqa: BLE001 - it is logged, and the others are checked
        telemetry.LOGGER.exception("unexpected error", extra={"environment": case.name})
        telemetry.count("UnexpectedErrors")
        reason = f"Unexpected error; the log of run {provisioner.operation.id} has it."
        return Finding(case.name, "failed", error=reason)


def _checked(provisioner: Provisioner, case: _Case, repair: bool) -> Finding | _Verdict:
    """Compare one environment, and repair it where that is asked for.

    Raises:
        Conflict: something is someone else's, or a deletion ended half-way.
    """
    now = provisioner.operation.clock.now()
    if case.entry.environment.being_deleted and not case.entry.is_held(now):
        raise Conflict(
            f"The deletion of environment {case.name} ended half-way. Call DELETE again to end it, "
            "or POST to have the environment back."
        )
    ids = case.entry.environment.unique_ids
    if compare.foreign(case.desired, case.actual, ids):
        # A policy whose id is not recorded may have our tags, which no bulk listing shows.
        actual = read.with_policy_tags(provisioner.account, case.actual)
        case = replace(case, actual=actual)
        compare.check_ours(case.desired, actual, ids)
    if repair:
        return _mended(provisioner, case)
    found = compare.difference(case.desired, case.actual).all
    return _left_alone(provisioner, case, found) if found else _Verdict.IN_SYNC


def _mended(provisioner: Provisioner, case: _Case) -> Finding | _Verdict:
    """Repair one environment, or carry on what is unfinished in it."""
    environment = case.entry.environment
    found = compare.difference(case.desired, case.actual)
    try:
        if any(change.kind == "update_policy" for change in found.changes):
            # One that lost its tags, which no bulk listing shows, has to be tagged first.
            actual = read.with_policy_tags(provisioner.account, case.actual)
            case = replace(case, actual=actual)
            found = compare.difference(case.desired, actual)
        changes = found.to_apply(environment.declaration.on_extras)
        ids = environment.unique_ids | compare.unique_ids(case.desired, case.actual)
        unsettled = environment.status == "incomplete" or ids != environment.unique_ids
        if not changes and not unsettled:
            if needs_smoke_test(environment):
                provisioner.carry_on(case.entry)
            return Finding(case.name, "drifted", found.all) if found.all else _Verdict.IN_SYNC
        result = provisioner.repair(case.entry, case.desired, case.actual, changes)
    except Busy:
        return _left_alone(provisioner, case, found.all) if found.all else _Verdict.IN_SYNC
    except TrivetError as error:
        return _failed(case, found.all, error)
    done = found.all + tuple(change for change in result.changes if change not in found.all)
    if result.environment.awaits_state_machine:
        reason = "Step Functions cannot assume the role yet; the next run, or a GET, goes on."
        return Finding(case.name, "drifted", done, reason)
    if not done:
        return _Verdict.IN_SYNC
    return Finding(case.name, "repaired" if changes else "drifted", done)


def _left_alone(
    provisioner: Provisioner, case: _Case, found: Sequence[Change]
) -> Finding | _Verdict:
    """Return a drift that is not repaired, with the reason if another call is at work on it."""
    entry = provisioner.store.get(case.name)
    if entry is None:
        return _Verdict.GONE
    now = provisioner.operation.clock.now()
    if entry.is_held(now) or entry.version != case.entry.version:
        reason = "Another call works on this environment; if a difference stays, the next run sees."
        return Finding(case.name, "drifted", found, reason)
    return Finding(case.name, "drifted", found)


def _failed(case: _Case, found: Sequence[Change], error: TrivetError) -> Finding:
    telemetry.LOGGER.error("check failed", extra={"environment": case.name, "reason": str(error)})
    return Finding(case.name, "failed", found, str(error))


def _naming_withdrawn_policies(account: Account, findings: Sequence[Finding]) -> list[Finding]:
    """Add to findings which AWS managed policies do not exist, so that no repair can attach them.

    A repair hears of it from IAM. Here each policy is asked for once, however many roles lack it.
    """
    lacking = {
        change.expected
        for finding in findings
        for change in finding.changes
        if change.kind == "attach_managed_policy" and ":iam::aws:policy/" in change.expected
    }
    try:
        gone = {arn for arn in sorted(lacking) if read.policy_head(account, arn) is None}
    except TrivetError as error:
        telemetry.LOGGER.warning("policies not looked up", extra={"reason": str(error)})
        return list(findings)
    named = []
    for finding in findings:
        withdrawn = [
            errors.withdrawn(change.expected)
            for change in finding.changes
            if change.kind == "attach_managed_policy" and change.expected in gone
        ]
        said = " ".join([*([finding.error] if finding.error else []), *withdrawn])
        named.append(replace(finding, error=said or None))
    return named
