"""Puts the console's pages together."""

from http import HTTPStatus

import jinja2
from flask import Flask, redirect, render_template, request
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.wrappers import Response

from trivet import diff
from trivet.api import Api
from trivet.console import accounts, declare, drift_runs, environments, pages, words
from trivet.console.guard import Guard
from trivet.errors import Problem, Unreachable

_LONGEST_FORM = 128 * 1024
"""Bytes: the API takes bodies of up to 64 KB."""


def create_app(api: Api, guard: Guard) -> Flask:
    """Return the console for one API.

    Args:
        api: asked in the operator's own name.
        guard: who may use the console.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = _LONGEST_FORM
    app.jinja_env.undefined = jinja2.StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        tone=words.tone,
        moment=words.moment,
        ago=words.ago,
        drift_state=words.drift_state,
        counted=words.counted,
        plural=words.plural,
        diff=diff.lines,
    )
    guard.protect(app)
    pages.use(app, api)
    app.add_url_rule("/", view_func=_home)
    app.register_blueprint(environments.pages, url_prefix="/environments")
    app.register_blueprint(
        environments.pages,
        name="environments_in_account",
        url_prefix="/accounts/<account_id>/environments",
    )
    for each in (declare, drift_runs, accounts):
        app.register_blueprint(each.pages)
    app.register_error_handler(Problem, _problem)
    app.register_error_handler(Unreachable, _unreachable)
    app.register_error_handler(HTTPException, _own_error)
    return app


def _home() -> Response:
    return redirect("/environments")


def _problem(error: Problem) -> tuple[str, int]:
    return _error_page(error.status, error.title, error.detail, problem=error, again=_fields())


def _unreachable(error: Unreachable) -> tuple[str, int]:
    return _error_page(502, "No answer from Trivet's API", str(error), again=_fields())


def _own_error(error: HTTPException) -> tuple[str, int]:
    """Show an error of the console's own: no such page, or one of its defects."""
    status = HTTPStatus(error.code or 500)
    if isinstance(error, InternalServerError):
        detail = (
            "The console has a defect, or the API is of another version than the console. What "
            "happened is in the terminal that it runs in."
        )
    else:
        detail = error.description or status.description
    return _error_page(status, status.phrase, detail)


def _fields() -> list[tuple[str, str]]:
    """Return the fields of the form that was sent, to send them again."""
    return [(key, value) for key, value in request.form.items(multi=True) if key != "form_token"]


def _error_page(
    status: int,
    title: str,
    detail: str,
    *,
    problem: Problem | None = None,
    again: list[tuple[str, str]] | None = None,
) -> tuple[str, int]:
    """Show what went wrong and what to do next.

    Args:
        again: the fields to send the same request again with, where that can help.
    """
    page = render_template(
        "error.html", status=status, title=title, detail=detail, problem=problem, again=again
    )
    return page, status
