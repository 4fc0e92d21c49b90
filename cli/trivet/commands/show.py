"""Commands that look at environments: `list`, `show`, `history`, `wiring`."""

from functools import partial
from typing import Any

import click

from trivet import completion, differences, output, view
from trivet.api import Problem, path_of
from trivet.output import toned, when, who
from trivet.session import Session, with_account_session

Document = dict[str, Any]


def _tag_filter(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    key, equals, wanted = value.partition("=")
    if not equals or not key:
        raise click.BadParameter(f"{value!r} has not the form key=value.")
    return f"{key}:{wanted}"


@click.command("list")
@click.option("--status", type=click.Choice(["ready", "incomplete", "drifted"]), help="Only these.")
@click.option("--tag", metavar="K=V", callback=_tag_filter, help="Only those with this tag.")
@with_account_session
def list_(session: Session, status: str | None, tag: str | None) -> None:
    """List environments with their state.

    \b
    trivet list
    trivet list --status drifted --tag team=datalake
    trivet list --account 222222222222 -o json
    """
    listing = session.pages(session.environments(), "environments", {"status": status, "tag": tag})
    if session.output == "json":
        output.document(listing)
        return
    found = listing["environments"]
    if not found:
        output.line("There are no such environments. `trivet apply NAME` makes one.")
        return
    output.table(
        ["NAME", "STATUS", "PROFILE", "LAST LOOK", "SMOKE TEST", "UPDATED"],
        [
            [
                each["name"],
                toned(each["status"]),
                each["profile"],
                view.last_look(each),
                toned(each["smoke_test"]["status"]),
                when(each["updated_at"]),
            ]
            for each in found
        ],
    )


@click.command()
@completion.name_argument
@with_account_session
def show(session: Session, name: str) -> None:
    """Show one environment: roles, ARNs, smoke test.

    \b
    trivet show datalake-consumer-dev
    trivet show datalake-consumer-dev -o json | jq -r .roles.notebook.arn
    """
    environment = session.get(session.environments(name))
    if session.output == "json":
        output.document(environment)
    else:
        view.environment(environment)


@click.command()
@completion.name_argument
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="The newest.")
@with_account_session
def history(session: Session, name: str, limit: int) -> None:
    """Show what was done to an environment, newest first; to a deleted one too.

    \b
    trivet history datalake-consumer-dev
    trivet history datalake-consumer-dev --limit 100 -o json
    """
    listing = session.pages(session.environments(name, "history"), "entries", limit=limit)
    if session.output == "json":
        output.document(listing)
        return
    for each in listing["entries"]:
        what = f"  {each['operation']} by {who(each['by'])}  "
        output.line([(when(each["at"]), "bold"), (what, ""), toned(each["outcome"])])
        if each["cause"]:
            cause = each["cause"]
            output.line(f"    after {cause['event_name']} by {who(cause['actor'])}")
        if "pause" in each:
            output.line(f"    until {when(each['pause']['until'])}: {each['pause']['reason']}")
        if each["error"]:
            output.line(f"    {each['error']}")
        for change in each["changes"]:
            output.line([("    ", ""), *differences.in_one_line(change)])


@click.command("wiring")
@completion.name_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "svg", "mermaid"]),
    default="text",
    help="How to draw it.",
)
@with_account_session
def wiring_(session: Session, name: str, form: str) -> None:
    """Draw who may do what to whom, with each check's result and each role's breadth.

    \b
    trivet wiring datalake-consumer-dev
    trivet wiring datalake-consumer-dev --format svg > wiring.svg
    """
    from trivet import wiring
    from trivet.wiring import breadth

    environment = session.get(session.environments(name))
    if session.output == "json":
        output.document(environment)
        return
    profile = _profile(session, environment["profile"])
    breadths = breadth.read(environment, partial(_history_page, session, name))
    match form:
        case "svg":
            click.echo(wiring.svg(environment, profile, breadths), nl=False)
        case "mermaid":
            click.echo(wiring.mermaid(environment, profile, breadths), nl=False)
        case _:
            _print_wiring(wiring.text(environment, profile, breadths))


def _history_page(session: Session, name: str, cursor: str | None) -> Document:
    from trivet.wiring import breadth

    query = {"limit": breadth.PAGE_SIZE, "cursor": cursor}
    return session.api.call("GET", session.environments(name, "history"), query=query).body


def _profile(session: Session, name: str) -> Document | None:
    """Return the profile's document; none where the deployment does not allow it any more."""
    try:
        return session.get(path_of("profiles", name))
    except Problem as problem:
        if problem.status == 404:
            return None
        raise


_MARK_STYLES = {"✓": "green", "✗": "bold red", "-": "yellow", "?": "dim"}


def _print_wiring(drawn: str) -> None:
    for each in drawn.splitlines():
        mark = each[2:3] if each.startswith("  ") and each[3:4] == " " else ""
        style = _MARK_STYLES.get(mark, "" if each.startswith(" ") else "bold")
        output.line([(each[:3], style), (each[3:], style if mark == "✗" or not mark else "")])
