"""Commands that declare environments: `plan`, `apply`, `adopt`."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from trivet import completion, declarations, output, progress, view
from trivet.declarations import Declaration
from trivet.errors import Problem, Unreachable
from trivet.session import (
    DRIFT,
    FAILED,
    Session,
    asking_is_possible,
    confirmed,
    with_account_session,
    yes_option,
)

Document = dict[str, Any]


def _pairs(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str] | None:
    """Return the map that `--tag k=v` spells, `None` where it was not given."""
    found: dict[str, str] = {}
    for value in values:
        key, equals, content = value.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"{value!r} has not the form key=value.")
        if key in found:
            raise click.BadParameter(f"{key!r} is given twice.")
        found[key] = content
    return found or None


def _parameters(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, Any] | None:
    """Return what `--parameter k=v` spells; a value in brackets is a list, in JSON."""
    found: dict[str, Any] = dict(_pairs(context, parameter, values) or {})
    for key, content in found.items():
        if content.startswith("["):
            try:
                found[key] = json.loads(content)
            except ValueError as error:
                raise click.BadParameter(f"{key}: {content!r} is not a JSON list.") from error
    return found or None


_FIELDS: list[Callable[[Any], Any]] = [
    click.option("--profile", metavar="NAME", shell_complete=completion.profile_names),
    click.option(
        "--parameter",
        "parameters",
        metavar="K=V",
        multiple=True,
        callback=_parameters,
        help="What the profile asks for; a list as 'buckets=[\"a-*\"]'. Replaces all.",
    ),
    click.option(
        "--tag",
        "tags",
        metavar="K=V",
        multiple=True,
        callback=_pairs,
        help="A tag of your own; replaces all that are there.",
    ),
    click.option("--permissions-boundary", metavar="ARN"),
    click.option("--on-extras", type=click.Choice(["remove", "report"])),
    click.option(
        "--deletion-protection", is_flag=True, default=None, help="Protect it from deletion."
    ),
]


def _declared(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each field of a declaration."""
    for option in reversed(_FIELDS):
        function = option(function)
    return function


_file_option = click.option(
    "--file",
    "path",
    type=click.Path(exists=True, path_type=Path),
    help="Declarations: a JSON or YAML file, or a directory of them.",
)
_optional_name = click.argument("name", required=False, shell_complete=completion.environment_names)


def _wanted(name: str | None, path: Path | None, fields: dict[str, Any]) -> list[Declaration]:
    """Return the declarations that the command line asks for.

    Raises:
        click.UsageError: it asks for none, or in two ways at once.
    """
    given = {field: value for field, value in fields.items() if value is not None}
    if path is None:
        if name is None:
            raise click.UsageError("Name an environment, or a file of them with --file.")
        return [{"name": name, **given}]
    if given:
        raise click.UsageError("With --file, what is declared stands in the file, not in options.")
    found = declarations.read(path)
    if name is None:
        return found
    named = [each for each in found if each["name"] == name]
    if not named:
        raise click.UsageError(f"{path} declares no {name}.")
    return named


@click.command()
@_optional_name
@_file_option
@_declared
@with_account_session
def plan(session: Session, name: str | None, path: Path | None, **fields: Any) -> None:
    """Show what apply would change, and change nothing.

    Exit code 2 where something would change. In the lines that differ, - is what AWS has and + is
    what is declared.

    \b
    trivet plan datalake-consumer-dev
    trivet plan datalake-consumer-dev --profile scoped --parameter 'buckets=["lake-*"]'
    trivet plan --file environments/
    """
    wanted = _wanted(name, path, fields)
    documents, failed = _each(session, wanted, lambda each: _put(session, each, dry_run=True))
    if session.output == "json":
        output.document(documents if path else documents[0]) if documents else None
    else:
        for document in documents:
            view.plan(document)
    if failed:
        sys.exit(FAILED)
    sys.exit(DRIFT if any(each["changes"] for each in documents) else 0)


@click.command()
@_optional_name
@_file_option
@_declared
@with_account_session
def apply(session: Session, name: str | None, path: Path | None, **fields: Any) -> None:
    """Make environments, or change them, as declared; then wait for their smoke tests.

    What you leave out keeps the value it has. The same call again changes nothing. Exit code 1
    where an environment is not ready afterwards, or its smoke test failed.

    \b
    trivet apply datalake-consumer-dev --tag team=datalake --tag stage=dev
    trivet apply datalake-consumer-prod --profile scoped --deletion-protection
    trivet apply --file environments/
    trivet apply --account 222222222222 --file environment.json
    """
    wanted = _wanted(name, path, fields)
    documents, failed = _each(session, wanted, lambda each: _applied(session, each))
    _finish(session, documents, failed, many=path is not None)


@click.command()
@completion.name_argument
@_declared
@yes_option
@with_account_session
def adopt(session: Session, name: str, yes: bool, **fields: Any) -> None:
    """Take over roles and policies of an environment's names that were made by hand.

    From then on they are kept as declared: what the profile does not name is removed from them.
    What would change is shown before anything does.

    \b
    trivet adopt datalake-consumer-dev
    trivet adopt datalake-consumer-dev --on-extras report --yes
    """
    path = session.environments(name, "adopt")
    body = {field: value for field, value in fields.items() if value is not None}
    question = f"Take over what exists under the names of {name}, and change it as declared?"
    if not yes:
        asking_is_possible(question)
        view.plan(session.api.call("POST", path, {**body, "dry_run": True}).body)
        confirmed(question, yes)
    with output.waiting(f"{name}: adopting"):
        first = session.api.call("POST", path, body).body
    adopted = progress.smoke_test(first, lambda: session.get(session.environments(name)))
    _finish(session, [adopted], failed=False, many=False)


def _put(session: Session, declaration: Declaration, dry_run: bool) -> Document:
    body = {field: value for field, value in declaration.items() if field != "name"}
    if dry_run:
        body["dry_run"] = True
    return session.api.call("PUT", session.environments(declaration["name"]), body).body


def _applied(session: Session, declaration: Declaration) -> Document:
    path = session.environments(declaration["name"])
    with output.waiting(f"{declaration['name']}: applying"):
        first = _put(session, declaration, dry_run=False)
    return progress.smoke_test(first, lambda: session.get(path))


def _each(
    session: Session, wanted: list[Declaration], do: Callable[[Declaration], Document]
) -> tuple[list[Document], bool]:
    """Do something with each declaration; where there are many, one that fails stops no other.

    Returns:
        What came of those that did not fail, and whether one failed.
    """
    if len(wanted) == 1:
        return [do(wanted[0])], False
    session.api  # noqa: B018  # found once, before anything is done
    documents, failed = [], False
    for each in wanted:
        try:
            documents.append(do(each))
        except (Problem, Unreachable) as error:
            output.error(error, about=each["name"])
            failed = True
    return documents, failed


def _finish(session: Session, documents: list[Document], failed: bool, many: bool) -> None:
    """Print what came of applying, and leave with 1 where not all is well."""
    if session.output == "json":
        if documents:
            output.document(documents if many else documents[0])
    else:
        for document in documents:
            (view.brief_result if len(documents) > 1 else view.result)(document)
    if failed or not all(view.is_well(each) for each in documents):
        sys.exit(FAILED)
