"""Declare an environment, and make it so: POST, PUT and adopt, and the dry run of each."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import msgspec
from msgspec.structs import replace

from chalicelib.aws.accounts import Target
from chalicelib.errors import Conflict
from chalicelib.flow import boundary
from chalicelib.flow.converge import Errand, carry, converge, result_of
from chalicelib.flow.look import look, probes, read
from chalicelib.flow.plan import compare
from chalicelib.flow.result import Result
from chalicelib.installation import Installation
from chalicelib.model.actual import Actual
from chalicelib.model.environment import Declaration, Environment, Look, timestamp
from chalicelib.table.entry import Entry
from chalicelib.table.hold import Hold
from chalicelib.work import threads


class Request(msgspec.Struct, frozen=True):
    """What a call declares."""

    name: str
    given: Mapping[str, Any]
    """The fields of the declaration that the call names; the others keep the values they have."""
    adopt: bool = False
    """Take over roles and policies of that name that exist untagged."""
    dry_run: bool = False
    """Plan only; nothing is written anywhere."""
    wait: float = 20
    """Seconds to wait for the smoke test."""


class _Beside(msgspec.Struct, frozen=True):
    """What is begun beside the creation of a new environment's record."""

    probes: list[Future[Any]]
    boundary_is_missing: Future[bool]


def provision(installation: Installation, target: Target, request: Request) -> Result:
    """Declare an environment, and make it so.

    Raises:
        Invalid: its profile, parameters or boundary cannot be declared here.
        Conflict: it is protected, its name cannot stand beside another, or something under its
            names is someone else's; nothing was changed.
        Busy: another call holds it.
        TrivetError: a step failed; the environment is recorded as incomplete.
    """
    account_id, name = target.place.account_id, request.name
    boundary.check_declared(installation, target, request.given.get("permissions_boundary"))
    entry_read = threads.start(installation.environments.get, account_id, name)
    neighbours = installation.environments.neighbours(account_id, name)
    entry = entry_read.result()
    recorded = entry.environment if entry else None
    declaration = _declared(installation, recorded, request)
    if recorded is None or recorded.declaration.profile != declaration.profile:
        _check_name(installation, name, declaration.profile, neighbours)
    fresh = _new(installation, target, name, declaration)
    if request.dry_run:
        return _dry_run(installation, target, entry, fresh, request.adopt)
    existing = entry
    if existing is None:
        desired = installation.rendered(fresh)
        beside = _Beside(
            probes(target, desired), threads.start(boundary.is_missing, target, desired)
        )
        held = installation.environments.create(fresh, "adopt" if request.adopt else "create")
        if isinstance(held, Hold):
            return _make(installation, target, held, beside, request)
        existing = held

    def wanted(as_recorded: Environment) -> Environment:
        merged = _declared(installation, as_recorded, request)
        return replace(as_recorded, declaration=merged, being_deleted=False)

    errand = Errand("adopt" if request.adopt else "declare", request.adopt, request.wait)
    return converge(installation, target, existing, wanted, errand)


def _declared(
    installation: Installation, recorded: Environment | None, request: Request
) -> Declaration:
    """Return the declaration: what the call gives, over what is recorded, over the defaults.

    Raises:
        Invalid: the profile or its parameters cannot be declared.
        Conflict: it would take off the protection.
    """
    catalogue, given = installation.catalogue, dict(request.given)
    before = recorded.declaration if recorded else Declaration(profile=catalogue.default)
    if before.deletion_protection and given.get("deletion_protection") is False:
        raise Conflict(
            f"Environment {request.name} is protected from deletion. Nothing was changed. "
            f"DELETE /environments/{request.name}/deletion-protection takes the protection off."
        )
    merged = replace(before, **given)
    if "profile" in given:
        profile = catalogue.declarable(merged.profile)
        if merged.profile != before.profile and "parameters" not in given:
            known = {k: v for k, v in merged.parameters.items() if k in profile.parameters}
            merged = replace(merged, parameters=known)
    if merged.parameters != before.parameters or merged.profile != before.profile:
        catalogue.profile(merged.profile).check_parameters(request.name, merged.parameters)
    return merged


def _check_name(
    installation: Installation,
    name: str,
    profile: str,
    neighbours: Sequence[tuple[str, str]],
) -> None:
    """Refuse a name that, beside another of this account, cannot be kept apart from it.

    Raises:
        Conflict: names the other.
    """
    other = installation.catalogue.contested(name, profile, neighbours)
    if other is not None:
        raise Conflict(
            f"Environment {name} cannot stand beside environment {other}: what is named "
            f"{min(name, other, key=len)}-* would be both's, and the profile of one of them goes "
            "by that name. Nothing was changed. Choose another name, or another profile for both."
        )


def _new(
    installation: Installation, target: Target, name: str, declaration: Declaration
) -> Environment:
    place, now = target.place, timestamp(installation.operation.clock.now())
    caller = installation.operation.caller
    return Environment(
        name=name,
        account_id=place.account_id,
        partition=place.partition,
        region=place.region,
        declaration=declaration,
        created_at=now,
        created_by=caller,
        updated_at=now,
        updated_by=caller,
    )


def _make(
    installation: Installation,
    target: Target,
    hold: Hold,
    beside: "_Beside",
    request: Request,
) -> Result:
    """Make a new environment that was just recorded and is held."""
    with hold:
        fresh = hold.environment
        if installation.catalogue.owns_by_name(fresh.declaration.profile):
            # A call at the same moment, for a name like this one, may not have been there to see.
            again = installation.environments.neighbours(fresh.account_id, fresh.name)
            _check_name(installation, fresh.name, fresh.declaration.profile, again)
        desired = installation.rendered(fresh)
        # Run beside the creation of the record, the probes count only if they found nothing:
        # what they found may be what another operation was just taking away.
        found_nothing = all(found is None for found in threads.waited(beside.probes))
        actual = Actual() if found_nothing else read(target, desired, {})
        plan = compare(fresh, desired, actual, installation.settings.ignores_tag)
        plan.check_ours(request.adopt)
        if beside.boundary_is_missing.result():
            boundary.make(target)
        errand = Errand("create", request.adopt, request.wait)
        carry(installation, target, hold, plan, errand)
    return result_of(hold)


def _dry_run(
    installation: Installation,
    target: Target,
    entry: Entry | None,
    fresh: Environment,
    adopt: bool,
) -> Result:
    recorded = replace(fresh, created_at=None, updated_at=None)
    if entry is not None:
        recorded = replace(entry.environment, declaration=fresh.declaration)
    plan = look(installation, target, recorded)
    plan.check_ours(adopt)
    boundary.check_planned(target, plan)
    planned = [each.document() for each in plan.steps]
    shown = replace(recorded, status="incomplete") if planned else recorded
    return Result(shown, entry.look if entry else Look(), planned, dry_run=True)
