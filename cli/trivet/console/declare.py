"""Declaring an environment: the form, then the plan (a dry run), then applying it."""

import json
from typing import Any

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue

from trivet.console import declaration
from trivet.console.declaration import Form
from trivet.console.pages import Place, call
from trivet.errors import Problem

pages = Blueprint("declare", __name__)


@pages.get("/declare")
def form() -> str:
    """Show the form: for a new environment, or filled with the one that `name` names."""
    name, account_id = request.args.get("name"), request.args.get("account_id", "")
    if name is None:
        return _form_page(Form(account_id=account_id))
    environment = call("GET", Place(account_id).path(name))
    return _form_page(declaration.of_environment(environment, account_id))


@pages.post("/declare/plan")
def plan() -> ResponseReturnValue:
    """Show what declaring it would change; nothing is changed."""
    filled = declaration.of_fields(request.form)
    if not filled.name:
        filled.errors = [{"field": "name", "message": "A name is needed."}]
        return _form_page(filled), 422
    body = filled.body(_profiles())
    try:
        return _plan_page(filled, body)
    except Problem as problem:
        if problem.status != 422:
            raise
        filled.errors = problem.errors or [{"field": "name", "message": problem.detail}]
        return _form_page(filled), 422


@pages.post("/declare/adopt")
def plan_adoption() -> str:
    """Show what taking over for an environment, declared as it is, would change."""
    name, account_id = request.form["name"], request.form["account_id"]
    return _plan_page(Form(name=name, account_id=account_id, exists=True, adopt=True), {})


@pages.post("/declare/apply")
def apply() -> str:
    """Declare what was planned, and show what that changed."""
    place = Place(request.form["account_id"])
    body, adopt = request.form["declaration"], "adopt" in request.form
    if not declaration.is_object(body):
        abort(400, "The declaration is not a JSON object: begin anew at Declare.")
    environment = _declare(place, request.form["name"], json.loads(body), adopt)
    did = "Adopted" if adopt else "Declared"
    return render_template("applied.html", place=place, environment=environment, did=did)


def _declare(
    place: Place, name: str, body: dict[str, Any], adopt: bool, *, dry_run: bool = False
) -> dict[str, Any]:
    body = {**body, "dry_run": dry_run, "wait": 0}
    if adopt:
        return call("POST", place.path(name, "adopt"), body)
    return call("PUT", place.path(name), body)


def _plan_page(filled: Form, body: dict[str, Any]) -> str:
    place = Place(filled.account_id)
    planned = _declare(place, filled.name, body, filled.adopt, dry_run=True)
    return render_template(
        "plan.html", place=place, filled=filled, body=body, changes=planned["changes"]
    )


def _form_page(filled: Form) -> str:
    profiles = _profiles()
    if not filled.profile:
        filled.profile = next(each["name"] for each in profiles if each["default"])
    return render_template("declare.html", filled=filled, profiles=profiles)


def _profiles() -> list[dict[str, Any]]:
    profiles: list[dict[str, Any]] = call("GET", "/profiles")["profiles"]
    return profiles
