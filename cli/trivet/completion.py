"""Completion of environments' names and of accounts, asked of the API as one types.

It stays silent whatever happens: a shell that completes nothing is better than one that prints
errors into the line.
"""

from collections.abc import Callable, Iterable
from typing import Any

import click

from trivet.errors import Problem, Unreachable
from trivet.session import Session, session_of

_PATIENCE = 3.0
"""Seconds that somebody waits after a tab."""

Completer = Callable[[click.Context, click.Parameter, str], list[str]]


def _completer(
    path: Callable[[Session], str], key: str, names: Callable[[Any], Iterable[str]]
) -> Completer:
    def complete(context: click.Context, _: click.Parameter, begun: str) -> list[str]:
        given = context.params
        try:
            session = session_of(given.get("url"), given.get("stage"), account=given.get("account"))
            session.timeout = _PATIENCE
            found = session.pages(path(session), key)[key]
            return [name for each in found for name in names(each) if name.startswith(begun)]
        except (Problem, Unreachable, click.UsageError, LookupError, TypeError):
            return []

    return complete


environment_names = _completer(
    lambda session: session.environments(), "environments", lambda each: [each["name"]]
)
account_ids = _completer(lambda _: "/accounts", "accounts", lambda each: [each["account_id"]])
profile_names = _completer(lambda _: "/profiles", "profiles", lambda each: [each["name"]])

name_argument = click.argument("name", shell_complete=environment_names)
