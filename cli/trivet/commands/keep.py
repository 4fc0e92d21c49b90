"""Commands that keep one environment, or let it go: `test`, `reapply`, `pause`, `delete`, ..."""

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from trivet import completion, output, progress, view
from trivet.session import FAILED, Session, confirmed, with_account_session, yes_option

Document = dict[str, Any]


def _tested(session: Session, name: str, verb: str) -> Document:
    """Call a route that runs the smoke test, and wait for the test's end."""
    with output.waiting(f"{name}: {verb}"):
        answer = session.api.call("POST", session.environments(name, verb))
    return progress.smoke_test(answer.body, lambda: session.get(session.environments(name)))


@click.command()
@completion.name_argument
@with_account_session
def test(session: Session, name: str) -> None:
    """Run the smoke test again; exit code 1 where it fails.

    \b
    trivet test datalake-consumer-dev
    """
    environment = _tested(session, name, "smoke-test")
    if session.output == "json":
        output.document(environment)
    else:
        smoke_test = environment["smoke_test"]
        view.checks(smoke_test["checks"])
        output.line([(f"{name}: smoke test ", "bold"), output.toned(smoke_test["status"])])
    if environment["smoke_test"]["status"] != "succeeded":
        sys.exit(FAILED)


@click.command()
@completion.name_argument
@with_account_session
def reapply(session: Session, name: str) -> None:
    """Put one environment back as declared.

    \b
    trivet drift datalake-consumer-dev      # what it would change
    trivet reapply datalake-consumer-dev
    """
    environment = _tested(session, name, "reapply")
    if session.output == "json":
        output.document(environment)
    else:
        view.result(environment)
    if not view.is_well(environment):
        sys.exit(FAILED)


_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def _until(_: click.Context, __: click.Parameter, value: str) -> str:
    """Return the time that `2026-11-25T18:00` or `4h` means, as RFC 3339 in UTC."""
    span = re.fullmatch(r"(\d{1,6})([mhd])", value)
    try:
        if span:
            time = datetime.now(UTC) + timedelta(**{_UNITS[span[2]]: int(span[1])})
        else:
            time = datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            f"{value!r} is neither a time (2026-11-25T18:00, yours; 2026-11-25T18:00:00Z) nor a "
            "span (30m, 4h, 2d)."
        ) from error
    return time.replace(microsecond=0).isoformat().replace("+00:00", "Z")


def _declared(session: Session, method: str, name: str, part: str, body: Any = None) -> None:
    """Call a route that changes what is declared, and show what came of it."""
    environment = session.api.call(method, session.environments(name, part), body).body
    if session.output == "json":
        output.document(environment)
    else:
        view.environment(environment)


@click.command()
@completion.name_argument
@click.option("--until", required=True, metavar="TIME", callback=_until, help="A time, or a span.")
@click.option("--reason", required=True, help="Why, for those who look later.")
@with_account_session
def pause(session: Session, name: str, until: str, reason: str) -> None:
    """Let drift stay for a while, at most 7 days: it is reported and not put back.

    \b
    trivet pause datalake-consumer-dev --until 4h --reason "debugging access to the lake"
    trivet pause datalake-consumer-dev --until 2026-11-25T18:00 --reason "migration"
    """
    _declared(session, "POST", name, "pause", {"until": until, "reason": reason})


@click.command()
@completion.name_argument
@with_account_session
def resume(session: Session, name: str) -> None:
    """End a pause: the next drift run puts back what differs.

    \b
    trivet resume datalake-consumer-dev
    """
    _declared(session, "DELETE", name, "pause")


@click.command()
@completion.name_argument
@yes_option
@with_account_session
def unprotect(session: Session, name: str, yes: bool) -> None:
    """Take the deletion protection off.

    \b
    trivet unprotect datalake-consumer-prod
    """
    confirmed(f"Take the deletion protection off {name}?", yes)
    _declared(session, "DELETE", name, "deletion-protection")


@click.command()
@completion.name_argument
@yes_option
@with_account_session
def delete(session: Session, name: str, yes: bool) -> None:
    """Remove an environment: its own roles, policies and state machine, and nothing else.

    \b
    trivet delete datalake-consumer-dev
    trivet delete datalake-consumer-dev --yes
    """
    confirmed(f"Delete {name}: its roles, its policies, its state machine?", yes)
    answer = session.api.call("DELETE", session.environments(name)).body
    if session.output == "json":
        output.document(answer)
        return
    for arn in answer["deleted"]:
        output.line([("- deleted ", "red"), (arn, "")])
    for each in answer["detached"]:
        output.line([("- detached ", "red"), (f"{each['policy']} from {each['role']}", "")])
    for each in answer["left"]:
        output.line([("  left ", "yellow"), (f"{each['resource']}: {each['reason']}", "")])
    output.line(f"{answer['name']} is deleted.")
