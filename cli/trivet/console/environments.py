"""Environments: the list, one of them, and what can be done to it.

Every path here is there twice, as in the API: for home, and under `/accounts/{account_id}`.
"""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from trivet import wiring
from trivet.api import path_of
from trivet.console.pages import Place, Query, asked, call, next_page, under_way
from trivet.errors import Problem
from trivet.wiring import breadth

pages = Blueprint("environments", __name__)

_UNSETTLED = ("pending", "running")

PAUSES = {1: "1 hour", 4: "4 hours", 12: "12 hours", 24: "1 day", 72: "3 days", 144: "6 days"}
"""Hours that a pause can be chosen to last. The API allows 7 days by its own clock."""


@pages.get("")
def index(account_id: str | None = None) -> str:
    """List environments, filtered as asked."""
    place = Place(account_id)
    filters = asked("status", "in_sync", "profile", "tag")
    found = call("GET", place.path(), query=filters | asked("cursor"))
    return render_template(
        "environments.html",
        place=place,
        environments=found["environments"],
        filters=filters,
        next_page=next_page(found),
    )


@pages.get("/<name>")
def show(name: str, account_id: str | None = None) -> ResponseReturnValue:
    """Show one environment: roles, wiring, declaration, and what can be done to it."""
    place = Place(account_id)
    environment = call("GET", place.path(name))
    breadths = breadth.read(environment, partial(_history_page, place, name))
    drawn = wiring.svg(environment, _profile(environment["profile"]), breadths)
    values = {
        "place": place,
        "environment": environment,
        "breadths": breadths,
        "picture": Markup(drawn),  # noqa: S704
        "pauses": PAUSES,
    }
    if environment["smoke_test"]["status"] in _UNSETTLED:
        return under_way("environment.html", **values)
    return render_template("environment.html", refreshes=False, **values)


def _history_page(place: Place, name: str, cursor: str | None) -> dict[str, Any]:
    query: Query = {"limit": breadth.PAGE_SIZE, "cursor": cursor}
    return call("GET", place.path(name, "history"), query=query)


def _profile(name: str) -> dict[str, Any] | None:
    """Return an environment's profile; `None` for one that the deployment no longer allows."""
    try:
        return call("GET", path_of("profiles", name))
    except Problem as problem:
        if problem.status == 404:
            return None
        raise


@pages.get("/<name>/drift")
def drift(name: str, account_id: str | None = None) -> str:
    """Look at an environment now, and show what differs."""
    place = Place(account_id)
    found = call("GET", place.path(name, "drift"))
    return render_template("drift.html", place=place, name=name, drift=found)


@pages.get("/<name>/history")
def history(name: str, account_id: str | None = None) -> str:
    """Show what was done to an environment, newest first."""
    place = Place(account_id)
    found = call("GET", place.path(name, "history"), query=asked("cursor"))
    return render_template(
        "history.html", place=place, name=name, entries=found["entries"], next_page=next_page(found)
    )


@pages.post("/<name>/reapply")
def reapply(name: str, account_id: str | None = None) -> str:
    """Put an environment back as declared, and show what that changed."""
    place = Place(account_id)
    environment = call("POST", place.path(name, "reapply"), {"wait": 0})
    return render_template("applied.html", place=place, environment=environment, did="Reapplied")


@pages.post("/<name>/smoke-test")
def smoke_test(name: str, account_id: str | None = None) -> ResponseReturnValue:
    """Start the smoke test; the environment's page shows how it goes on."""
    place = Place(account_id)
    call("POST", place.path(name, "smoke-test"), {"wait": 0})
    return redirect(place.path(name) + "#wiring", 303)


@pages.post("/<name>/pause")
def pause(name: str, account_id: str | None = None) -> ResponseReturnValue:
    """Have drift reported and not put back, for some hours."""
    place = Place(account_id)
    hours = request.form.get("hours", 0, type=int)
    if hours not in PAUSES:
        abort(400, "Choose how long the pause is to last.")
    until = datetime.now(UTC) + timedelta(hours=hours)
    body = {
        "until": f"{until:%Y-%m-%dT%H:%M:%SZ}",
        "reason": request.form.get("reason", "").strip(),
    }
    call("POST", place.path(name, "pause"), body)
    return redirect(place.path(name), 303)


@pages.post("/<name>/resume")
def resume(name: str, account_id: str | None = None) -> ResponseReturnValue:
    """End a pause."""
    place = Place(account_id)
    call("DELETE", place.path(name, "pause"))
    return redirect(place.path(name), 303)


@pages.get("/<name>/unprotect")
def ask_unprotect(name: str, account_id: str | None = None) -> str:
    """Ask whether the protection is really to be taken off."""
    return render_template("unprotect.html", place=Place(account_id), name=name)


@pages.post("/<name>/unprotect")
def unprotect(name: str, account_id: str | None = None) -> ResponseReturnValue:
    """Take the deletion protection off."""
    place = Place(account_id)
    call("DELETE", place.path(name, "deletion-protection"))
    return redirect(place.path(name), 303)


@pages.get("/<name>/delete")
def ask_delete(name: str, account_id: str | None = None) -> str:
    """Ask whether an environment is really to be deleted, and show what that would take away."""
    place = Place(account_id)
    return _delete_page(place, call("GET", place.path(name)))


@pages.post("/<name>/delete")
def delete(name: str, account_id: str | None = None) -> ResponseReturnValue:
    """Delete an environment, if its name was typed, and show what became of its parts."""
    place = Place(account_id)
    if request.form.get("typed", "").strip() != name:
        environment = call("GET", place.path(name))
        return _delete_page(place, environment, "Type the name exactly as it is."), 422
    deletion = call("DELETE", place.path(name))
    return render_template("deleted.html", place=place, deletion=deletion)


def _delete_page(place: Place, environment: dict[str, Any], mistake: str | None = None) -> str:
    return render_template("delete.html", place=place, environment=environment, mistake=mistake)
