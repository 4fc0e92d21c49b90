"""The command `trivet doctor`."""

import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal

import click


@click.command()
@click.option("--stage", required=True, metavar="STAGE", help="The stage to look at.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table")
def doctor(stage: str, output: Literal["table", "json"]) -> None:
    """Tell whether a deployment is sound, check by check; changes nothing.

    Asks AWS with your own credentials. Exit code: 0 if no check failed, else 1.
    """
    from trivet import aws
    from trivet.doctor.deployment import Deployment
    from trivet.doctor.examination import findings

    found = list(findings(Deployment(stage, aws.session(), _asker(stage))))
    if output == "json":
        _json(found)
    else:
        _table(found)
    sys.exit(any(each.status == "failed" for each in found))


def _asker(stage: str) -> Any:
    from trivet import aws
    from trivet.api import Api

    def ask(path: str) -> Mapping[str, Any]:
        return Api(aws.find_url(stage)).call("GET", path).body

    return ask


def _json(found: list[Any]) -> None:
    from trivet import output

    output.document({"checks": [asdict(each) for each in found]})


def _table(found: list[Any]) -> None:
    from trivet import output

    rows = [(each.name, output.toned(each.status), each.saw) for each in found]
    output.table(["check", "status", "what it saw"], rows)
    for each in found:
        if each.status == "failed":
            output.line()
            output.line((each.name, "bold red"))
            output.pairs([("saw", each.saw), ("matters", each.why), ("do", each.do or "-")])
    count = {
        status: sum(each.status == status for each in found)
        for status in ("passed", "failed", "skipped")
    }
    output.line()
    output.line(", ".join(f"{number} {status}" for status, number in count.items()))
