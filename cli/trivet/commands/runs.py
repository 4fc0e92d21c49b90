"""Commands about drift: `drift`, `run`, `runs`."""

import sys
from typing import Any

import click

from trivet import completion, differences, output, progress
from trivet.api import path_of
from trivet.output import Cell, toned, when
from trivet.session import DRIFT, FAILED, Session, with_account_session, with_session

Document = dict[str, Any]

_REPORT_PAGE = 1000


@click.command()
@click.argument("name", required=False, shell_complete=completion.environment_names)
@with_account_session
def drift(session: Session, name: str | None) -> None:
    """Show what differs from what is declared, of one environment or of all; change nothing.

    Exit code 2 where something differs. In the lines that differ, - is what AWS has and + is what
    is declared.

    \b
    trivet drift datalake-consumer-dev
    trivet drift                            # all environments, in all accounts
    trivet drift --account 222222222222     # all of that account
    """
    if name is None:
        _run(session, {"apply": False})
        return
    found = session.get(session.environments(name, "drift"))
    if session.output == "json":
        output.document(found)
    else:
        _print_drift(found)
    sys.exit(0 if found["in_sync"] else DRIFT)


def _print_drift(found: Document) -> None:
    verdict = toned("in sync" if found["in_sync"] else "drifted")
    output.line([(f"{found['name']}: ", "bold"), verdict])
    for each in differences.of(found["changes"]):
        output.line(each)
    for each in found["foreign"]:
        output.line([("! foreign ", "yellow"), (f"{each['resource']}: {each['reason']}", "")])


@click.command()
@click.option("--preview", is_flag=True, help="Only check: exit code 2 where something differs.")
@click.option("--confirm", metavar="ID", help="Let the run repair all that this report found.")
@with_account_session
def run(session: Session, preview: bool, confirm: str | None) -> None:
    """Check all environments in all accounts, and put back what differs.

    A run that would change more than half of the fleet stops, and changes nothing; --confirm with
    the id of its report lets the next one do it.

    \b
    trivet run --preview
    trivet run
    trivet run --confirm 0f9c2f6e
    """
    if preview and confirm is not None:
        raise click.UsageError("A preview repairs nothing: leave --confirm out.")
    _run(session, {"apply": not preview, **({} if confirm is None else {"confirm": confirm})})


def _run(session: Session, body: Document) -> None:
    """Have a drift run done, show its report, and leave with the exit code that it means."""
    if session.account is not None:
        body["accounts"] = [session.account]
    with output.waiting("drift run: starting"):
        report = session.api.call("POST", "/drift-runs", body).body
    path = path_of("drift-runs", report["id"])
    finished = progress.drift_run(report, lambda: session.get(path))
    _show(session, _whole(session, path, finished))
    if finished["status"] != "finished" or not _went_well(finished, repairs=body["apply"]):
        sys.exit(FAILED)
    sys.exit(DRIFT if finished["drifted"] and not body["apply"] else 0)


def _went_well(report: Document, repairs: bool) -> bool:
    """Tell whether a report is whole: nothing failed, was left out, or stopped the run."""
    unreachable = any(each["error"] for each in report["accounts"])
    stopped = repairs and report["stopped"] is not None
    return not (report["failed"] or report["not_reached"] or unreachable or stopped)


def _whole(session: Session, path: str, report: Document) -> Document:
    """Return a report with the environments of all its pages."""
    found, cursor = list(report["environments"]), report["next_cursor"]
    while cursor is not None:
        query = {"limit": _REPORT_PAGE, "cursor": cursor}
        page = session.api.call("GET", path, query=query).body
        found += page["environments"]
        cursor = page["next_cursor"]
    return {**report, "environments": found, "next_cursor": None}


def _show(session: Session, report: Document) -> None:
    if session.output == "json":
        output.document(report)
        return
    for each in report["environments"]:
        where = f"{each['account_id']} {each['name']}: "
        output.line([(where, "bold"), toned(each["outcome"])])
        if each["error"]:
            output.line(f"    {each['error']}")
        for line in differences.of(each["changes"]):
            output.line([("  ", ""), *line])
    if report["environments"]:
        output.line()
    for each in report["accounts"]:
        if each["error"]:
            output.line([(f"account {each['account_id']}: ", "bold"), (each["error"], "red")])
    if report["not_reached"]:
        output.line(f"not reached (the next run starts there): {', '.join(report['not_reached'])}")
    if report["stopped"]:
        output.line([toned("stopped"), (f": {report['stopped']}", "")])
    output.line([(f"{report['id']}  ", "bold"), *_counts(report)])


def _counts(report: Document) -> list[tuple[str, str]]:
    styles = {"drifted": "yellow", "failed": "bold red"}
    found: list[tuple[str, str]] = []
    for key in ("checked", "in_sync", "drifted", "repaired", "failed"):
        style = styles.get(key, "") if report[key] else ""
        found.append((f"{report[key]} {key.replace('_', ' ')}  ", style))
    return found


@click.group(invoke_without_command=True)
@click.pass_context
@with_session
def runs(session: Session) -> None:
    """List drift runs, newest first, or show one.

    \b
    trivet runs
    trivet runs show latest
    """
    if click.get_current_context().invoked_subcommand is not None:
        return
    listing = session.pages("/drift-runs", "drift_runs")
    if session.output == "json":
        output.document(listing)
        return
    output.table(
        ["ID", "STARTED", "TRIGGER", "KIND", "STATUS", "CHECKED", "DRIFTED", "REPAIRED", "FAILED"],
        [_row(each) for each in listing["drift_runs"]],
    )


def _row(report: Document) -> list[Cell]:
    kind = "stopped" if report["stopped"] else "repair" if report["applied"] else "preview"
    numbers = [str(report[key]) for key in ("checked", "drifted", "repaired", "failed")]
    return [
        report["id"],
        when(report["started_at"]),
        report["trigger"],
        toned(kind),
        report["status"],
        *numbers,
    ]


@runs.command("show")
@click.argument("report_id", metavar="ID")
@with_session
def show_run(session: Session, report_id: str) -> None:
    """Show the report of a drift run; `latest` is the last that repaired.

    \b
    trivet runs show latest
    trivet runs show 0f9c2f6e -o json
    """
    path = path_of("drift-runs", report_id)
    _show(session, _whole(session, path, session.get(path)))
