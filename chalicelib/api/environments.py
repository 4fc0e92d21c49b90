"""The routes of environments, of home and again of every registered account."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from chalice.app import Blueprint, Response

from chalicelib.api import documents, schemas
from chalicelib.api.endpoints import Answer, Call, endpoint
from chalicelib.errors import FieldError, Invalid, NotFound
from chalicelib.model.environment import timestamp
from chalicelib.table.listing import Filters
from chalicelib.verbs.amend import pause, resume, unprotect
from chalicelib.verbs.delete import delete
from chalicelib.verbs.provision import Request, provision
from chalicelib.verbs.reapply import reapply
from chalicelib.verbs.show import drift, show
from chalicelib.verbs.smoke_test import run_smoke_test

blueprint = Blueprint(__name__)

_LONGEST_PAUSE = timedelta(days=7)
_SHOWN = {200: schemas.Environment}
_MADE = {200: schemas.Environment, 201: schemas.Environment}


def _in_every_account(
    method: str,
    path: str,
    name: str,
    *,
    problems: tuple[int, ...] = (),
    **described: Any,
) -> Callable[[Callable[..., Answer]], Callable[..., Response]]:
    """Register a function as a route of home's environments, and of each account's."""

    def register(view: Callable[..., Answer]) -> Callable[..., Response]:
        at_home = endpoint(blueprint, method, path, name=name, problems=problems, **described)
        in_account = endpoint(
            blueprint,
            method,
            f"/accounts/{{account_id}}{path}",
            name=f"{name}InAccount",
            problems=(*problems, 404),
            **described,
        )
        in_account(view)
        return at_home(view)

    return register


@_in_every_account(
    "POST",
    "/environments",
    "provisionEnvironment",
    body=schemas.Provision,
    answers=_MADE,
    problems=(409,),
)
def post_environment(call: Call, account_id: str | None = None) -> Answer:
    """Provision the environment named in the body."""
    return _provision(call, account_id, call.body.name)


@_in_every_account(
    "PUT",
    "/environments/{name}",
    "putEnvironment",
    body=schemas.Declare,
    answers=_MADE,
    problems=(409,),
    validated_path=("name",),
)
def put_environment(call: Call, name: str, account_id: str | None = None) -> Answer:
    """Provision the environment named in the path."""
    return _provision(call, account_id, name)


@_in_every_account(
    "POST",
    "/environments/{name}/adopt",
    "adoptEnvironment",
    body=schemas.Declare,
    answers=_MADE,
    problems=(409,),
    validated_path=("name",),
)
def adopt_environment(call: Call, name: str, account_id: str | None = None) -> Answer:
    """Provision an environment, and take over what exists under its names untagged."""
    return _provision(call, account_id, name, adopt=True)


@_in_every_account(
    "GET",
    "/environments",
    "listEnvironments",
    query=schemas.ListQuery,
    answers={200: schemas.EnvironmentPage},
)
def list_environments(call: Call, account_id: str | None = None) -> Answer:
    """List environments by name."""
    installation, asked = call.installation, call.query
    key, _, value = (asked.tag or "").partition(":")
    filters = Filters(
        status=asked.status,
        profile=asked.profile,
        in_sync=None if asked.in_sync is None else asked.in_sync == "true",
        tag=(key, value) if asked.tag else None,
    )
    found, cursor = installation.environments.page(
        installation.registered(account_id), asked.limit, asked.cursor, filters
    )
    shown = [documents.summary_of(installation, each.environment, each.look) for each in found]
    return Answer(schemas.EnvironmentPage(shown, cursor))


@_in_every_account(
    "GET",
    "/environments/{name}",
    "getEnvironment",
    answers=_SHOWN,
    problems=(404,),
)
def get_environment(call: Call, name: str, account_id: str | None = None) -> Answer:
    """Show an environment, its smoke test brought up to date."""
    installation = call.installation
    return documents.environment(installation, show(installation, account_id, name))


@_in_every_account(
    "GET",
    "/environments/{name}/drift",
    "getEnvironmentDrift",
    answers={200: schemas.Drift},
    problems=(404,),
)
def get_drift(call: Call, name: str, account_id: str | None = None) -> Answer:
    """Show what differs from the templates, foreign resources included; changes nothing."""
    installation = call.installation
    plan = drift(installation, installation.target(account_id), name)
    return Answer(documents.drift(plan))


@_in_every_account(
    "POST",
    "/environments/{name}/reapply",
    "reapplyEnvironment",
    body=schemas.Reapply,
    answers=_SHOWN,
    problems=(404, 409),
)
def post_reapply(call: Call, name: str, account_id: str | None = None) -> Answer:
    """Put an environment back as declared, even one that is paused."""
    installation = call.installation
    target = installation.target(account_id)
    result = reapply(installation, target, name, call.body.dry_run, call.body.wait)
    return documents.environment(installation, result)


@_in_every_account(
    "POST",
    "/environments/{name}/smoke-test",
    "runSmokeTest",
    body=schemas.RunSmokeTest,
    answers=_SHOWN,
    problems=(404, 409),
)
def post_smoke_test(call: Call, name: str, account_id: str | None = None) -> Answer:
    """Run the smoke test again."""
    installation = call.installation
    target = installation.target(account_id)
    result = run_smoke_test(installation, target, name, call.body.wait)
    return documents.environment(installation, result)


@_in_every_account(
    "GET",
    "/environments/{name}/history",
    "getEnvironmentHistory",
    query=schemas.PageQuery,
    answers={200: schemas.HistoryPage},
    problems=(404,),
)
def get_history(call: Call, name: str, account_id: str | None = None) -> Answer:
    """Show what was done to an environment, newest first; also to one that was deleted."""
    installation, asked = call.installation, call.query
    account = installation.registered(account_id)
    page = installation.history.page(account, name, asked.limit, asked.cursor)
    if page is None:
        raise NotFound(f"There is no environment {name[:100]}, and there never was one.")
    return Answer(schemas.HistoryPage(*page))


@_in_every_account(
    "POST",
    "/environments/{name}/pause",
    "pauseEnvironment",
    body=schemas.PauseUntil,
    answers=_SHOWN,
    problems=(404, 409),
)
def post_pause(call: Call, name: str, account_id: str | None = None) -> Answer:
    """Have drift reported and not put back for a while."""
    installation = call.installation
    until = _end_of_pause(call.body.until, installation.operation.clock.now())
    account = installation.registered(account_id)
    result = pause(installation, account, name, until, call.body.reason)
    return documents.environment(installation, result)


@_in_every_account(
    "DELETE",
    "/environments/{name}/pause",
    "resumeEnvironment",
    answers=_SHOWN,
    problems=(404, 409),
)
def delete_pause(call: Call, name: str, account_id: str | None = None) -> Answer:
    """End the pause of an environment."""
    installation = call.installation
    result = resume(installation, installation.registered(account_id), name)
    return documents.environment(installation, result)


@_in_every_account(
    "DELETE",
    "/environments/{name}/deletion-protection",
    "unprotectEnvironment",
    answers=_SHOWN,
    problems=(404, 409),
)
def delete_protection(call: Call, name: str, account_id: str | None = None) -> Answer:
    """Take the protection from deletion off."""
    installation = call.installation
    result = unprotect(installation, installation.registered(account_id), name)
    return documents.environment(installation, result)


@_in_every_account(
    "DELETE",
    "/environments/{name}",
    "deleteEnvironment",
    answers={200: schemas.Deleted},
    problems=(404, 409),
)
def delete_environment(call: Call, name: str, account_id: str | None = None) -> Answer:
    """Remove an environment: its own roles, policies and state machine, and nothing else."""
    installation = call.installation
    removed = delete(installation, installation.target(account_id), name)
    return Answer(
        schemas.Deleted(
            name,
            removed.deleted,
            [schemas.DetachedPolicy(each.policy, each.role) for each in removed.detached],
            [schemas.ForeignResource(each.resource, each.reason) for each in removed.left],
        )
    )


def _provision(call: Call, account_id: str | None, name: str, adopt: bool = False) -> Answer:
    installation, body = call.installation, call.body
    request = Request(name, schemas.declared(body), adopt, body.dry_run, body.wait)
    result = provision(installation, installation.target(account_id), request)
    return documents.environment(installation, result)


def _end_of_pause(given: str, now: float) -> str:
    """Return the end of a pause as it is recorded.

    Raises:
        Invalid: it is no time in UTC or with an offset, past, or more than 7 days ahead.
    """
    try:
        until = datetime.fromisoformat(given)
        ahead = until.timestamp() - now
    except (ValueError, OverflowError):
        until, ahead = None, 0.0
    if until is None or until.tzinfo is None:
        raise _wrong_end("must be a time as RFC 3339 in UTC, such as 2026-11-25T18:00:00Z")
    if not 0 < ahead <= _LONGEST_PAUSE.total_seconds():
        raise _wrong_end(f"must be in the future, at most {_LONGEST_PAUSE.days} days ahead")
    return timestamp(until.timestamp()).replace(".000Z", "Z")


def _wrong_end(message: str) -> Invalid:
    return Invalid([FieldError("until", message)])
