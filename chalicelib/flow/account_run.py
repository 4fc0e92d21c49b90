"""A drift run in one account: its environments looked at in bulk, and put back where they differ.

The account is read with IAM's bulk listings, whatever number of environments there are. Nothing is
written for an environment that is in sync. A drifted one is repaired from what the bulk reading
found, and only if nobody held or changed it since: its record was read before IAM was.

A run watches the time it has left. What it does not reach is where the next run starts.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import structs

from chalicelib.aws.accounts import Target
from chalicelib.aws.answers import withdrawn
from chalicelib.errors import TrivetError, Unreadable
from chalicelib.flow import account_check, boundary
from chalicelib.flow.account_case import Case, steps_of
from chalicelib.flow.account_check import AccountCheck, Verdict
from chalicelib.flow.look import in_bulk
from chalicelib.installation import Installation
from chalicelib.model.environment import timestamp
from chalicelib.model.report import AccountRow, Finding, Outcome
from chalicelib.resources import policy
from chalicelib.table import looks
from chalicelib.table.entry import Entry
from chalicelib.work import telemetry


class AccountLook(msgspec.Struct, frozen=True):
    """What a run saw in one account, before it repairs anything."""

    target: Target
    started_at: str
    cases: Sequence[Case]
    whole: bool = True
    """Whether all environments of the account were looked at."""
    unreadable: Sequence[Finding] = ()
    boundary_error: str | None = None
    contested: Mapping[str, str] = {}
    """Environments whose own resources are another's too, with that other."""


class AccountResult(msgspec.Struct):
    """What a run came to in one account."""

    row: AccountRow
    findings: list[Finding] = []
    not_reached: list[str] = []


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
    recorded = [row for row in rows if isinstance(row, Entry)]
    entries = [each for each in recorded if names is None or each.environment.name in names]
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
        contested=installation.catalogue.all_contested(
            {each.environment.name: each.environment.declaration.profile for each in recorded}
        ),
    )


def would_change(installation: Installation, seen: AccountLook) -> int:
    """Return how many environments a repair would change, state machines apart."""
    now = installation.operation.clock.now()
    return sum(
        bool(steps_of(installation, case))
        for case in seen.cases
        if not case.entry.environment.paused_until(now) and not case.entry.environment.being_deleted
    )


def check(
    installation: Installation, seen: AccountLook, repair: bool, record: bool
) -> AccountResult:
    """Check every environment of an account that was looked at, and repair it if asked to.

    Args:
        record: remember what was seen; a preview writes nothing but its report.
    """
    run = AccountCheck(installation, seen.target, repair, record, record and not seen.whole)
    verdicts = account_check.verdicts(run, seen.cases)
    for name in verdicts.keys() & seen.contested.keys():
        if verdicts[name] not in (Verdict.GONE, Verdict.NOT_REACHED):
            verdicts[name] = _contested(seen, name, verdicts[name])
    findings = [each for each in verdicts.values() if isinstance(each, Finding)]
    findings = sorted([*findings, *seen.unreadable], key=lambda finding: finding.name)
    if not repair:
        findings = _naming_withdrawn_policies(seen.target, findings)
    not_reached = [name for name, each in verdicts.items() if each is Verdict.NOT_REACHED]
    in_sync = sum(each is Verdict.IN_SYNC for each in verdicts.values())
    if record and seen.whole:
        _record_run_look(installation, seen, [*not_reached, *(each.name for each in findings)])
    return AccountResult(_row(seen, findings, in_sync, len(not_reached)), findings, not_reached)


def _contested(seen: AccountLook, name: str, verdict: Finding | Verdict) -> Finding:
    """Return what there is to say of an environment that reaches another's, or that other reaches.

    Two calls at the same moment can bring this about: each looked before the other wrote.
    """
    found = verdict if isinstance(verdict, Finding) else None
    said = [found.error] if found and found.error else []
    beside = (
        f"Environment {name} stands beside environment {seen.contested[name]}, and the profile of "
        "one of them reaches what is the other's. Delete one of the two, and declare it anew "
        "under another name."
    )
    account_id, changes = seen.target.place.account_id, found.changes if found else []
    return Finding(account_id, name, "failed", changes, " ".join([*said, beside]))


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
