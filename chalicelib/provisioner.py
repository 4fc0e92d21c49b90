"""The flow of one environment: declared, read, compared, changed, smoke-tested, answered.

Every operation on an environment goes the same way:

1. the declaration is rendered through the templates (`templates`),
2. what AWS holds is read (`read`), and whose it is, is looked at before anything is written,
3. the two are compared (`compare`); a dry run or a drift report ends here,
4. the environment is held in the table (`store`), so that no other operation works on it,
5. the changes are carried out (`apply`), and the smoke test started (`smoke_test`),
6. what became of it is recorded, and the environment let go.

Reading comes before holding: a call that changes nothing writes nothing. The hold is only
given for the very version of the record that was read before AWS was, so that nothing Trivet
does in between goes unnoticed.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from msgspec.structs import replace

from chalicelib import boundary, compare, errors, operation, read, telemetry
from chalicelib import remove as removal
from chalicelib import smoke_test as smoke
from chalicelib.apply import Applied, apply
from chalicelib.aws import Account
from chalicelib.errors import (
    Busy,
    Conflict,
    Invalid,
    NotFound,
    QuotaReached,
    Refused,
    Rejected,
    Stale,
    TrivetError,
    Unavailable,
)
from chalicelib.model import Actual, Change, Desired, Difference
from chalicelib.operation import Operation
from chalicelib.records import Declaration, Environment, SmokeTest, timestamp
from chalicelib.store import Entry, Store
from chalicelib.templates import Templates

_ROUNDS = 3
"""How often what was read may turn out stale before the caller is told to come again."""

DEFAULT_WAIT = 20
"""Seconds to wait for a smoke test unless the caller says otherwise."""


@dataclass(frozen=True, slots=True)
class Result:
    """An environment, what this call changed in it (or would), and whether it is new."""

    environment: Environment
    changes: Sequence[Change] = ()
    created: bool = False


@dataclass(slots=True)
class _Held:
    """An environment that this operation holds, and what it did to it."""

    desired: Desired
    environment: Environment
    version: int
    is_new: bool = False
    removed: bool = False
    changes: list[Change] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Provisioner:
    """Trivet's work on single environments, for one operation in one account."""

    account: Account
    store: Store
    templates: Templates
    operation: Operation
    permissions_boundary: str | None = None
    """The boundary that this deployment demands of every environment, if any."""

    def provision(
        self, name: str, declaration: Declaration, adopt: bool, dry_run: bool, wait: float
    ) -> Result:
        """Declare an environment, and make it so.

        Args:
            adopt: take over roles and policies that exist untagged.
            dry_run: plan only; nothing is written anywhere.
            wait: seconds to wait for the smoke test.

        Raises:
            Conflict: something under its names is someone else's; nothing was changed.
            Busy: another call holds it.
            TrivetError: a step failed; the environment is recorded as incomplete.
        """
        boundary.check_declared(
            declaration.permissions_boundary, self.permissions_boundary, self.account
        )
        recorded = operation.start(self.store.get, name)
        fresh = self._new(name, declaration)
        desired = self.desired(fresh)
        if dry_run:
            return self._dry_run(fresh, desired, recorded.result(), adopt)
        existing = recorded.result()
        if existing is None:
            probe = operation.start(read.anything, self.account, desired)
            existing = self.store.create(fresh)
        if existing is not None:
            return self._converge(existing, declaration, adopt, wait)
        held = _Held(desired, fresh, version=1, is_new=True)
        with self._letting_go(held):
            # Run beside the creation of the record, the probe counts only if it found nothing:
            # what it found may be what another operation was just taking away.
            actual = read.environment(self.account, desired) if probe.result() else Actual()
            compare.check_ours(desired, actual, {}, adopt)
            boundary.check_exists(desired, self.account)
            changes = compare.difference(desired, actual).to_apply(declaration.on_extras)
            self._carry_out(held, actual, changes, adopt, wait)
        telemetry.count("Provisions")
        return Result(held.environment, held.changes, created=True)

    def show(self, name: str) -> Result:
        """Return an environment, its smoke test brought up to date.

        Raises:
            NotFound: there is none of this name.
        """
        entry = self.entry(name)
        if not needs_smoke_test(entry.environment) or entry.is_held(self.operation.clock.now()):
            return Result(entry.environment)
        return self._test(entry, wait=0, anew=False)

    def drift(self, name: str) -> Difference:
        """Return what differs from the templates; changes nothing.

        Raises:
            NotFound: there is none of this name.
            Conflict: something under its names is someone else's.
        """
        environment = self.entry(name).environment
        desired = self.desired(environment)
        actual = read.environment(self.account, desired)
        compare.check_ours(desired, actual, environment.unique_ids, adopt=False)
        return compare.difference(desired, actual)

    def reapply(self, name: str) -> Result:
        """Put an environment back as declared.

        Raises:
            NotFound: there is none of this name.
            TrivetError: as `provision`.
        """
        entry = self.entry(name)
        return self._converge(entry, None, adopt=False, wait=DEFAULT_WAIT)

    def run_smoke_test(self, name: str, wait: float) -> Result:
        """Run the smoke test anew.

        Raises:
            NotFound: there is none of this name.
            Busy: another call holds it.
        """
        entry = self.entry(name)
        self._check_free(entry)
        return self._test(entry, wait, anew=True)

    def delete(self, name: str) -> list[str]:
        """Remove an environment, and return the ARNs of what was deleted.

        Raises:
            NotFound: there is none of this name.
            Conflict: it is protected, or its policy limits someone else.
            Busy: another call holds it.
        """
        for _ in range(_ROUNDS):
            entry = self.entry(name)
            if entry.environment.declaration.deletion_protection:
                raise Conflict(
                    f"Environment {name} is protected from deletion. Nothing was deleted. Declare "
                    "it with deletion_protection false first."
                )
            self._check_free(entry)
            ending = replace(entry.environment, status="incomplete", being_deleted=True)
            if self.store.hold(entry, ending):
                break
        else:
            raise self._contended(name)
        held = _Held(self.desired(ending), ending, entry.version + 1)
        with self._letting_go(held):
            try:
                deleted = removal.remove(self.account, held.desired, ending.unique_ids)
            except Conflict:
                # Found before anything was deleted.
                held.environment = entry.environment
                raise
            self.store.remove(name)
            held.removed = True
        telemetry.count("Deletions")
        return deleted

    def entry(self, name: str) -> Entry:
        """Return an environment as recorded.

        Raises:
            NotFound: there is none of this name.
        """
        if not self.templates.is_name(name):
            raise NotFound(f"There is no environment {name!r}, and none can have that name.")
        entry = self.store.get(name)
        if entry is None:
            raise NotFound(f"There is no environment {name}.")
        return entry

    def desired(self, environment: Environment) -> Desired:
        """Render an environment as it is declared."""
        declaration = environment.declaration
        return self.templates.render(
            environment.name,
            self.account.place,
            declaration.tags,
            self.permissions_boundary or declaration.permissions_boundary,
        )

    def repair(
        self, entry: Entry, desired: Desired, actual: Actual, changes: Sequence[Change]
    ) -> Result:
        """Carry out changes found by a drift run; the smoke test is started, not waited for.

        Args:
            entry: as recorded before `actual` was read.

        Raises:
            Busy: another call holds the environment, or worked on it since it was read.
            TrivetError: a step failed; the environment is recorded as incomplete.
        """
        held = self._hold(entry, entry.environment, desired, changes)
        if held is None:
            raise self._contended(entry.environment.name)
        with self._letting_go(held):
            self._carry_out(held, actual, changes, adopt=False, wait=0)
        return Result(held.environment, held.changes)

    def carry_on(self, entry: Entry) -> Result:
        """Carry an unfinished smoke test on, as far as it gets without waiting."""
        return self._test(entry, wait=0, anew=False)

    def recheck(self, name: str, changed_at: str) -> Result | None:
        """Put an environment back as declared, since IAM reported a change to it.

        Args:
            changed_at: when the change was made, RFC 3339 in UTC.

        Returns:
            `None` if there is no such environment, it is being deleted, or it was checked after
            the change already.

        Raises:
            TrivetError: as `reapply`.
        """
        entry = self.store.get(name) if self.templates.is_name(name) else None
        if (
            entry is None
            or entry.environment.being_deleted
            or (entry.environment.checked_at or "") > changed_at
        ):
            return None
        self._check_free(entry)
        recorded = entry.environment
        checked = replace(recorded, checked_at=timestamp(self.operation.clock.now()))
        # Held before IAM is read, not after: of many calls at once, one reads.
        if not self.store.hold(entry, checked):
            raise self._contended(name)
        held = _Held(self.desired(checked), checked, entry.version + 1)
        with self._letting_go(held):
            try:
                self._recheck(held)
            except (Unavailable, Stale):
                # It is worth another try, for which this one must not count.
                held.environment = replace(held.environment, checked_at=recorded.checked_at)
                raise
        return Result(held.environment, held.changes)

    def _recheck(self, held: _Held) -> None:
        environment, desired = held.environment, held.desired
        actual = read.environment(self.account, desired)
        compare.check_ours(desired, actual, environment.unique_ids, adopt=False)
        on_extras = environment.declaration.on_extras
        changes = compare.difference(desired, actual).to_apply(on_extras)
        seen = environment.unique_ids | compare.unique_ids(desired, actual)
        if not changes and environment.status == "ready" and seen == environment.unique_ids:
            return
        held.environment = replace(
            environment,
            status="incomplete",
            updated_at=timestamp(self.operation.clock.now()),
            updated_by=self.operation.caller,
        )
        self._carry_out(held, actual, changes, adopt=False, wait=0)

    def _new(self, name: str, declaration: Declaration) -> Environment:
        place, now = self.account.place, timestamp(self.operation.clock.now())
        return Environment(
            name=name,
            account_id=place.account_id,
            partition=place.partition,
            region=place.region,
            declaration=declaration,
            created_at=now,
            created_by=self.operation.caller,
            updated_at=now,
            updated_by=self.operation.caller,
        )

    def _dry_run(
        self, fresh: Environment, desired: Desired, entry: Entry | None, adopt: bool
    ) -> Result:
        recorded = entry.environment if entry else replace(fresh, created_at=None, updated_at=None)
        actual = read.environment(self.account, desired)
        compare.check_ours(desired, actual, recorded.unique_ids if entry else {}, adopt)
        boundary.check_exists(desired, self.account)
        planned = compare.difference(desired, actual).to_apply(fresh.declaration.on_extras)
        status = "incomplete" if planned else recorded.status
        return Result(replace(recorded, declaration=fresh.declaration, status=status), planned)

    def _converge(
        self, entry: Entry, declaration: Declaration | None, adopt: bool, wait: float
    ) -> Result:
        """Bring an environment that exists to its declaration: the new one, if there is one."""
        name = entry.environment.name
        for _ in range(_ROUNDS):
            self._check_free(entry)
            recorded = entry.environment
            wanted = replace(
                recorded,
                declaration=declaration or recorded.declaration,
                being_deleted=False,
            )
            desired = self.desired(wanted)
            actual = read.environment(self.account, desired)
            with self._forgetting_if_unmade(entry, desired, actual):
                compare.check_ours(desired, actual, recorded.unique_ids, adopt)
            changes = compare.difference(desired, actual).to_apply(wanted.declaration.on_extras)
            seen = recorded.unique_ids | compare.unique_ids(desired, actual)
            if (
                not changes
                and (wanted, seen) == (recorded, recorded.unique_ids)
                and recorded.status == "ready"
            ):
                if recorded.smoke_test.status == "succeeded" or (
                    recorded.smoke_test.status == "running" and wait == 0
                ):
                    return Result(recorded)
                return self._test(entry, wait, anew=recorded.smoke_test.status == "failed")
            with self._forgetting_if_unmade(entry, desired, actual):
                boundary.check_exists(desired, self.account)
            held = self._hold(entry, wanted, desired, changes)
            if held is not None:
                with self._letting_go(held):
                    self._carry_out(held, actual, changes, adopt, wait)
                telemetry.count("Provisions")
                return Result(held.environment, held.changes)
            again = self.store.get(name)
            if again is None:
                break
            entry = again
        raise self._contended(name)

    @contextmanager
    def _forgetting_if_unmade(
        self, entry: Entry, desired: Desired, actual: Actual
    ) -> Iterator[None]:
        """Remove the record of an environment that is refused and of which nothing was ever made.

        The call that recorded it died before it could. A refused new environment is not recorded.
        """
        try:
            yield
        except (Conflict, Invalid):
            found = len(actual.roles) + len(actual.policies) + (actual.state_machine is not None)
            unmade = found == len(compare.foreign(desired, actual, {}))
            recorded = entry.environment
            if unmade and not recorded.unique_ids and self.store.hold(entry, recorded):
                self.store.remove(recorded.name)
            raise

    def _hold(
        self, entry: Entry, wanted: Environment, desired: Desired, changes: Sequence[Change]
    ) -> _Held | None:
        now = self.operation.clock.now()
        environment = replace(
            wanted,
            status="incomplete",
            updated_at=timestamp(now),
            updated_by=self.operation.caller,
            # What the last one said holds no more, even if this operation dies half-way.
            smoke_test=_anew(wanted.smoke_test, changes, now) if changes else wanted.smoke_test,
        )
        if not self.store.hold(entry, environment):
            return None
        return _Held(desired, environment, entry.version + 1)

    def _carry_out(
        self, held: _Held, actual: Actual, changes: Sequence[Change], adopt: bool, wait: float
    ) -> None:
        """Apply changes to a held environment, run its smoke test, and set what it came to.

        Raises:
            TrivetError: a step failed.
        """
        until = self.operation.clock.now() + wait
        ids = held.environment.unique_ids | compare.unique_ids(held.desired, actual)
        smoke_test = held.environment.smoke_test
        rerun = bool(changes) or smoke_test.status in ("failed", "pending")
        if rerun:
            smoke_test = _anew(smoke_test, changes, self.operation.clock.now())
        held.environment = replace(held.environment, unique_ids=ids, smoke_test=smoke_test)
        started: list[str] = []

        def start_smoke_test() -> None:
            if rerun and not started:
                arn = smoke.start(self.account, held.desired, self.operation.id)
                started.extend([arn] if arn else [])

        applied = self._apply(held, changes, adopt, start_smoke_test)
        if started:
            smoke_test = replace(smoke_test, status="running", execution_arn=started[0])
        pending = next((each for each in applied.left if "state_machine" in each.kind), None)
        held.environment = replace(
            held.environment,
            status="incomplete" if pending else "ready",
            awaits_state_machine=pending is not None,
            smoke_test=smoke_test,
        )
        if (wait > 0 or pending) and not smoke_test.finished:
            self._advance(held, smoke.Progress(smoke_test, pending), until)

    def _apply(
        self, held: _Held, changes: Sequence[Change], adopt: bool, then: Callable[[], None]
    ) -> Applied:
        """Apply changes; where AWS's state moved meanwhile, compare again and go on."""
        for _ in range(_ROUNDS):
            applied = apply(self.account, held.desired, changes, then)
            held.changes += applied.changes
            held.environment = replace(
                held.environment, unique_ids=held.environment.unique_ids | applied.unique_ids
            )
            stale = bool(applied.errors) and all(isinstance(e, Stale) for e in applied.errors)
            if not stale and (applied.errors or not applied.look_again):
                break
            actual = read.environment(self.account, held.desired)
            compare.check_ours(
                held.desired, actual, held.environment.unique_ids, adopt, held.changes
            )
            on_extras = held.environment.declaration.on_extras
            changes = compare.difference(held.desired, actual).to_apply(on_extras)
        if applied.errors:
            raise _worst(applied)
        return applied

    def _test(self, entry: Entry, wait: float, anew: bool) -> Result:
        """Hold an environment for its smoke test alone, and carry that on or begin it anew."""
        until = self.operation.clock.now() + wait
        desired = self.desired(entry.environment)
        recorded = entry.environment.smoke_test
        now = self.operation.clock.now()
        smoke_test = (
            _anew(recorded, (), now) if anew else replace(recorded, since=recorded.since or now)
        )
        to_make = None
        if smoke_test.status == "pending":
            there = read.state_machine(self.account, desired.state_machine.arn)
            to_make = next(iter(compare.state_machine(desired.state_machine, there)), None)
            compare.check_ours(
                desired,
                Actual(state_machine=there),
                entry.environment.unique_ids,
                adopt=False,
            )
        if not self.store.hold(entry, entry.environment):
            if anew:
                raise self._contended(desired.environment)
            return Result(entry.environment)
        held = _Held(desired, replace(entry.environment, smoke_test=smoke_test), entry.version + 1)
        with self._letting_go(held):
            self._advance(held, smoke.Progress(smoke_test, to_make), until)
        return Result(held.environment, held.changes)

    def _advance(self, held: _Held, progress: smoke.Progress, until: float) -> None:
        try:
            smoke.advance(self.account, held.desired, progress, self.operation, until)
        except Unavailable as error:
            # No verdict: the next GET or drift run carries the smoke test on.
            telemetry.LOGGER.warning("smoke test interrupted", extra={"reason": str(error)})
        finally:
            held.changes += progress.made
            complete = held.environment.awaits_state_machine and progress.to_make is None
            held.environment = replace(
                held.environment,
                smoke_test=progress.smoke_test,
                unique_ids=held.environment.unique_ids | progress.unique_ids,
                status="ready" if complete else held.environment.status,
                awaits_state_machine=held.environment.awaits_state_machine and not complete,
            )

    @contextmanager
    def _letting_go(self, held: _Held) -> Iterator[None]:
        """Let go of a held environment at the end, with whatever it came to recorded.

        Not where the process is ending: then the lease runs out by itself.
        """
        try:
            yield
        except (Conflict, Invalid) as error:
            if held.is_new and not held.changes and not isinstance(error, QuotaReached):
                self.store.remove(held.environment.name)
            else:
                self._let_go(held)
            raise
        except Exception:
            self._let_go(held)
            raise
        else:
            self._let_go(held)

    def _let_go(self, held: _Held) -> None:
        if not held.removed:
            self.store.release(held.version, held.environment)

    def _check_free(self, entry: Entry) -> None:
        now = self.operation.clock.now()
        if entry.is_held(now):
            raise Busy(
                f"Another call holds environment {entry.environment.name}. Call again when it has "
                "ended.",
                retry_after=max(1, math.ceil(entry.lease_until - now)),
            )

    def _contended(self, name: str) -> Busy:
        """Return the error of a call that came too late: the environment is another's by now."""
        entry = self.store.get(name)
        if entry is not None:
            self._check_free(entry)
        return Busy(f"Other calls work on environment {name}. Call again.", retry_after=1)


def needs_smoke_test(environment: Environment) -> bool:
    """Tell whether a smoke test is to be carried on, and can be."""
    complete = environment.status == "ready" or environment.awaits_state_machine
    return complete and not environment.being_deleted and not environment.smoke_test.finished


def _anew(smoke_test: SmokeTest, changes: Sequence[Change], now: float) -> SmokeTest:
    """Return a smoke test to begin anew, with or after these changes.

    One that still waits for its role, of which nothing is changed, has waited since it first did.
    """
    waits = all("state_machine" in change.kind for change in changes)
    waited = smoke_test.since if waits and smoke_test.status == "pending" else None
    return SmokeTest(since=waited or now)


_BY_WEIGHT = (Refused, QuotaReached, Rejected, Conflict, Unavailable, Stale, TrivetError)


def _worst(applied: Applied) -> TrivetError:
    """Return the error that most needs a person, saying too what else is left to do."""
    error = min(
        applied.errors,
        key=lambda each: next(at for at, kind in enumerate(_BY_WEIGHT) if isinstance(each, kind)),
    )
    error.args = (f"{error} {errors.left_to_do(applied.left)}",)
    return error
