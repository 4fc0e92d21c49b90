"""What every command has in common: the API it speaks to, the account, the form of its output."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from trivet.api import Api

Command = Callable[..., None]

FAILED = 1
DRIFT = 2
USAGE = 3

_LARGEST_PAGE = 100


def account_id(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Check that a value on the command line is an AWS account's id."""
    if value is None or (len(value) == 12 and value.isascii() and value.isdigit()):
        return value
    raise click.BadParameter(f"{value!r} is not an AWS account id: that has 12 digits.")


@dataclass
class Session:
    """One call of the command line: where the API is, and how to show what it answers."""

    url: str | None
    stage: str | None
    output: Literal["table", "json"] = "table"
    account: str | None = None
    timeout: float | None = None

    @cached_property
    def api(self) -> "Api":
        """The API; found by its stage where no URL is given.

        Raises:
            click.UsageError: neither is given, or the URL is none.
            Unreachable: there is no such stage, or AWS cannot be asked.
        """
        from trivet.api import Api

        url = self.url
        if self.stage is not None:
            from trivet import aws

            url = aws.find_url(self.stage)
        if url is None:
            raise click.UsageError(
                "Say where the API is: --url https://HOST/STAGE, or TRIVET_URL, or --stage STAGE."
            )
        try:
            return Api(url) if self.timeout is None else Api(url, timeout=self.timeout)
        except ValueError as error:
            raise click.UsageError(str(error)) from error

    def environments(self, *parts: str) -> str:
        """Return the path of the environments, or of one and what belongs to it."""
        from trivet.api import path_of

        prefix = () if self.account is None else ("accounts", self.account)
        return path_of(*prefix, "environments", *parts)

    def get(self, path: str) -> dict[str, Any]:
        """Return a document of the API."""
        return self.api.call("GET", path).body

    def pages(
        self,
        path: str,
        key: str,
        query: Mapping[str, str | int | None] | None = None,
        limit: int | None = None,
    ) -> dict[str, Any]:
        """Return a listing of the API, its pages put together.

        Args:
            key: of the listing's documents.
            limit: how many documents to return at most.
        """
        found: list[Any] = []
        cursor: str | None = None
        while True:
            size = _LARGEST_PAGE if limit is None else min(limit - len(found), _LARGEST_PAGE)
            asked = {**(query or {}), "limit": size, "cursor": cursor}
            page = self.api.call("GET", path, query=asked).body
            found += page[key]
            cursor = page.get("next_cursor")
            if cursor is None or (limit is not None and len(found) >= limit):
                return {**page, key: found}


def _options(with_account: bool) -> list[Callable[[Any], Any]]:
    options = [
        click.option("--url", metavar="URL", help="The API. [env: TRIVET_URL]"),
        click.option("--stage", metavar="STAGE", help="Find the API by its stage, asking AWS."),
        click.option(
            "-o",
            "--output",
            type=click.Choice(["table", "json"]),
            default="table",
            help="json: the API's own document.",
        ),
    ]
    if with_account:
        told = "The account that the environment is in, where it is not the home account."
        options.append(click.option("--account", metavar="ID", callback=account_id, help=told))
    return options


def _with(function: Command, with_account: bool) -> Command:
    @wraps(function)
    def run(*args: Any, url: str | None, stage: str | None, output: Any, **kwargs: Any) -> None:
        account = kwargs.pop("account") if with_account else None
        function(session_of(url, stage, output, account), *args, **kwargs)

    decorated: Command = run
    for option in reversed(_options(with_account)):
        decorated = option(decorated)
    return decorated


def session_of(
    url: str | None,
    stage: str | None,
    output: Literal["table", "json"] = "table",
    account: str | None = None,
) -> Session:
    """Return the session that the options ask for: an option wins over `TRIVET_URL`.

    Raises:
        click.UsageError: both options are given.
    """
    if url is not None and stage is not None:
        raise click.UsageError("Give --url or --stage, not both.")
    if url is None and stage is None:
        url = os.environ.get("TRIVET_URL") or None
    return Session(url, stage, output, account)


def with_session(function: Command) -> Command:
    """Give a command `--url`, `--stage` and `-o`, and its function a `Session` first."""
    return _with(function, with_account=False)


def with_account_session(function: Command) -> Command:
    """Do as `with_session`, and add `--account`."""
    return _with(function, with_account=True)


def confirmed(question: str, yes: bool) -> None:
    """Ask before something is taken away.

    Raises:
        click.UsageError: nobody can be asked, and `--yes` was not given.
        click.Abort: the answer was no.
    """
    if not yes:
        asking_is_possible(question)
        click.confirm(question, abort=True, err=True)


def asking_is_possible(question: str) -> None:
    """Check that there is somebody who can be asked.

    Raises:
        click.UsageError: there is no terminal.
    """
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} There is no terminal to ask on: add --yes.")


yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
