"""An environment's document as people read it, and what a call made of it."""

from collections.abc import Iterable, Iterator, Sized
from typing import Any

from trivet import differences, output
from trivet.output import Cell, toned, when, who

Document = dict[str, Any]


def environment(document: Document) -> None:
    """Print an environment; of its checks, those that did not pass."""
    output.pairs(_facts(document))
    shown = [each for each in document["smoke_test"]["checks"] if each["status"] != "passed"]
    if shown:
        output.line()
        checks(shown)


def checks(found: Iterable[Document]) -> None:
    """Print checks of a smoke test."""
    output.table(
        ["CHECK", "RESULT", "DETAIL"],
        [[each["name"], toned(each["status"]), each["detail"]] for each in found],
    )


def _facts(environment: Document) -> Iterator[tuple[str, Cell]]:
    yield "name", (environment["name"], "bold")
    yield "status", toned(environment["status"])
    yield "account", f"{environment['account_id']} ({environment['region']})"
    parameters = "".join(f" {name}={value}" for name, value in environment["parameters"].items())
    yield "profile", environment["profile"] + parameters
    for key, role in environment["roles"].items():
        yield key, role["arn"]
    yield "smoke test", _smoke_test(environment["smoke_test"])
    yield "last look", last_look(environment)
    if environment["tags"]:
        yield "tags", " ".join(f"{key}={value}" for key, value in environment["tags"].items())
    yield "boundary", environment["permissions_boundary"] or "none"
    yield "on extras", environment["on_extras"]
    yield "protected", "yes" if environment["deletion_protection"] else "no"
    if environment["paused_until"]:
        yield "paused until", (when(environment["paused_until"]), "yellow")
    for action in ("created", "updated"):
        yield action, f"{when(environment[f'{action}_at'])} by {who(environment[f'{action}_by'])}"


def _smoke_test(smoke_test: Document) -> Cell:
    statuses = [each["status"] for each in smoke_test["checks"]]
    counts = [f"{statuses.count(each)} {each}" for each in ("passed", "failed", "skipped")]
    return [toned(smoke_test["status"]), (f" ({', '.join(counts)})" if statuses else "", "")]


def last_look(environment: Document) -> Cell:
    """Return what the last look for drift found, and when."""
    drift = environment["drift"]
    if drift["checked_at"] is None:
        return "not yet"
    found = toned("in sync" if drift["in_sync"] else "drifted")
    return [found, (f", {when(drift['checked_at'])}", "")]


def plan(document: Document) -> None:
    """Print what a dry run said would change, each change with the lines that differ."""
    output.line([(document["name"], "bold"), (f": {_counted(document['changes'])}", "")])
    for each in differences.of(document["changes"]):
        output.line(each)


def _counted(changes: Sized) -> str:
    match len(changes):
        case 0:
            return "no changes"
        case 1:
            return "1 change"
        case many:
            return f"{many} changes"


def is_well(environment: Document) -> bool:
    """Tell whether an environment is ready and its smoke test succeeded."""
    return bool(
        environment["status"] == "ready" and environment["smoke_test"]["status"] == "succeeded"
    )


def result(document: Document) -> None:
    """Print what a call made of an environment: its changes, then itself."""
    for change in document["changes"]:
        output.line(differences.in_one_line(change))
    if document["changes"]:
        output.line()
    environment(document)


def brief_result(document: Document) -> None:
    """Print what a call made of one of many environments: its changes, then a line."""
    for change in document["changes"]:
        output.line(differences.in_one_line(change))
    told = f", {_counted(document['changes'])}, smoke test "
    status, test = toned(document["status"]), toned(document["smoke_test"]["status"])
    output.line([(document["name"], "bold"), (": ", ""), status, (told, ""), test])
