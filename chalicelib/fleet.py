"""Drift runs: every declared environment compared with IAM, and put back where it differs.

The account is read in bulk, whatever number of environments there are. Nothing is written for
an environment that is in sync. A drifted one is repaired from what the bulk reading found, and
only if nobody held or changed it since: its record was read before IAM was.

A run watches the time it has left. What it does not reach is where the next run starts.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Literal

from chalicelib import compare, events, operation, read, telemetry
from chalicelib.errors import TrivetError
from chalicelib.model import Actual, ActualStateMachine, Change, Desired
from chalicelib.provisioner import Provisioner, needs_smoke_test
from chalicelib.records import timestamp
from chalicelib.store import Entry

Outcome = Literal["repaired", "drifted", "failed"]

_BATCH = 100
"""Environments between two looks at the clock."""

_RESERVE = 5
"""Seconds that a batch must have before it is begun."""


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


@dataclass(frozen=True, slots=True)
class _Case:
    entry: Entry
    desired: Desired
    actual: Actual


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
    first = store.hold_fleet()
    not_reached: list[str] = [first] if first else []
    try:
        store.ensure_table()
        findings: list[Finding] = []
        checked = 0
        not_reached = []
        for batch in _batches(provisioner, first):
            if current.time_left() < _RESERVE:
                not_reached += [case.entry.environment.name for case in batch]
                continue
            checked += len(batch)
            findings += _check(provisioner, batch, repair)
    finally:
        store.release_fleet(not_reached[0] if not_reached else None)
    repaired = sum(finding.outcome == "repaired" for finding in findings)
    failed = sum(finding.outcome == "failed" for finding in findings)
    with operation.closing():
        events.publish(provisioner.account, findings)
    telemetry.count("DriftedEnvironments", len(findings))
    telemetry.count("RepairedEnvironments", repaired)
    telemetry.count("FailedRepairs", failed)
    return DriftReport(
        id=current.id,
        trigger=trigger,
        applied=repair,
        started_at=started_at,
        finished_at=timestamp(current.clock.now()),
        checked=checked,
        in_sync=checked - len(findings),
        drifted=len(findings),
        repaired=repaired,
        failed=failed,
        not_reached=not_reached,
        aws_calls=dict(sorted(current.calls.items())),
        environments=findings,
    )


def _batches(provisioner: Provisioner, first: str | None) -> Iterator[list[_Case]]:
    """Read records, then IAM, and return all environments, the first one to check first."""
    entries = list(provisioner.store.all())
    entries.sort(key=lambda entry: (entry.environment.name < (first or ""), entry.environment.name))
    desired = [provisioner.desired(entry.environment) for entry in entries]
    actual = read.account_in_bulk(provisioner.account, desired) if desired else {}
    cases = [
        _Case(entry, wanted, actual[wanted.environment])
        for entry, wanted in zip(entries, desired, strict=True)
    ]
    for at in range(0, len(cases), _BATCH):
        yield cases[at : at + _BATCH]


def _check(provisioner: Provisioner, cases: Sequence[_Case], repair: bool) -> list[Finding]:
    """Return what is not in sync among these, repaired where possible."""
    machines = operation.side_by_side(
        partial(_state_machine, provisioner), (case.desired for case in cases)
    )
    findings: list[Finding] = []
    work = []
    for case, machine in zip(cases, machines, strict=True):
        name = case.entry.environment.name
        if isinstance(machine, TrivetError):
            findings.append(Finding(name, "failed", error=str(machine)))
            continue
        actual = case.actual.with_state_machine(machine)
        found = compare.difference(case.desired, actual)
        try:
            provisioner.check_ours(case.entry, case.desired, actual)
        except TrivetError as error:
            findings.append(Finding(name, "failed", error=str(error)))
            continue
        if found.all and not repair:
            findings.append(Finding(name, "drifted", found.all))
        elif repair:
            work.append(partial(_mend, provisioner, case.entry, case.desired, actual))
    with ThreadPoolExecutor(concurrency(), thread_name_prefix="repair") as pool:
        mended = [pool.submit(copy_context().run, each) for each in work]
    findings += [finding for each in mended if (finding := each.result()) is not None]
    return sorted(findings, key=lambda finding: finding.name)


def _state_machine(
    provisioner: Provisioner, desired: Desired
) -> ActualStateMachine | TrivetError | None:
    try:
        return read.state_machine(provisioner.account, desired.state_machine.arn)
    except TrivetError as error:
        return error


def _mend(
    provisioner: Provisioner, entry: Entry, desired: Desired, actual: Actual
) -> Finding | None:
    """Repair one environment, and carry on what is unfinished; `None` if it was in sync."""
    environment = entry.environment
    found = compare.difference(desired, actual)
    changes = found.to_apply(environment.declaration.on_extras)
    seen = environment.unique_ids | compare.unique_ids(desired, actual)
    unsettled = environment.status == "incomplete" or seen != environment.unique_ids
    try:
        if changes or unsettled:
            provisioner.repair(entry, desired, actual, changes)
        elif needs_smoke_test(environment):
            provisioner.carry_on(entry)
    except TrivetError as error:
        telemetry.LOGGER.error(
            "repair failed", extra={"environment": environment.name, "error": str(error)}
        )
        return Finding(environment.name, "failed", found.all, str(error))
    if not found.all:
        return None
    return Finding(environment.name, "repaired" if changes else "drifted", found.all)
