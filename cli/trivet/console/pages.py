"""What the pages share: the API, where an environment is, and pages that show progress."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, current_app, make_response, render_template, request

from trivet.api import Api, path_of

Query = dict[str, str | int | None]

_REFRESH = 4
"""Seconds after which a page that shows something under way is loaded anew."""


def use(app: Flask, api: Api) -> None:
    """Let the app's pages ask this API."""
    app.extensions["trivet"] = api
    app.jinja_env.globals["api_url"] = api.url


def call(
    method: str, path: str, body: Mapping[str, Any] | None = None, query: Query | None = None
) -> dict[str, Any]:
    """Ask the API in the operator's own name, and return its document.

    Raises:
        Problem, Unreachable: as `Api.call`; `app` shows them.
    """
    api: Api = current_app.extensions["trivet"]
    return api.call(method, path, body, query).body


@dataclass(frozen=True, slots=True)
class Place:
    """Where environments are: in one account, or (`None`) in home.

    The paths are those of the API and of the console alike.
    """

    account_id: str | None

    def path(self, *parts: str) -> str:
        """Return `/environments/...`, or `/accounts/{account_id}/environments/...`."""
        account = ("accounts", self.account_id) if self.account_id else ()
        return path_of(*account, "environments", *parts)


def asked(*names: str) -> Query:
    """Return those of the page's query parameters that are filled in."""
    given = {name: request.args.get(name, "").strip() for name in names}
    return {name: value for name, value in given.items() if value}


def next_page(document: Mapping[str, Any]) -> str | None:
    """Return the URL of the page of a listing that follows this one; `None` for the last."""
    cursor = document["next_cursor"]
    return cursor and f"{request.path}?{urlencode(request.args.to_dict() | {'cursor': cursor})}"


def under_way(template: str, **values: object) -> Response:
    """Show a page that loads itself anew, until the operator stops that (WCAG 2.2.1)."""
    refreshes = request.args.get("refresh") != "off"
    answer = make_response(render_template(template, refreshes=refreshes, **values))
    if refreshes:
        answer.headers["Refresh"] = str(_REFRESH)
    return answer
