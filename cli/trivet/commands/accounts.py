"""Commands about accounts: `account list`, `add`, `show`, `remove`."""

from typing import Any

import click

from trivet import completion, output
from trivet.api import path_of
from trivet.output import Cell, toned, when, who
from trivet.session import Session, account_id, confirmed, with_session, yes_option

Document = dict[str, Any]

_id_argument = click.argument(
    "account_id", metavar="ID", callback=account_id, shell_complete=completion.account_ids
)


@click.group()
def account() -> None:
    """Accounts that environments can be in: home, and those registered.

    \b
    trivet account list
    trivet account add 222222222222 --alias ml-dev
    """


@account.command("list")
@with_session
def list_(session: Session) -> None:
    """List the accounts, home first.

    \b
    trivet account list
    """
    listing = session.pages("/accounts", "accounts")
    if session.output == "json":
        output.document(listing)
        return
    output.table(
        ["ACCOUNT", "ALIAS", "STATUS", "ENVIRONMENTS", "CHECKED", "DETAIL"],
        [_row(each) for each in listing["accounts"]],
    )


def _row(account: Document) -> list[Cell]:
    return [
        f"{account['account_id']}{' (home)' if account['home'] else ''}",
        account["alias"] or "-",
        toned(account["status"]),
        str(account["environments"]),
        when(account["checked_at"]),
        account["detail"] or "",
    ]


@account.command()
@_id_argument
@click.option("--alias", help="A name for people.")
@with_session
def add(session: Session, account_id: str, alias: str | None) -> None:
    """Register an account, whose role TrivetMember has to be there.

    \b
    trivet account add 222222222222 --alias ml-dev
    """
    body = {} if alias is None else {"alias": alias}
    _print(session, session.api.call("PUT", path_of("accounts", account_id), body).body)


@account.command()
@_id_argument
@with_session
def show(session: Session, account_id: str) -> None:
    """Show an account; its role is assumed anew.

    \b
    trivet account show 222222222222
    """
    _print(session, session.get(path_of("accounts", account_id)))


@account.command()
@_id_argument
@yes_option
@with_session
def remove(session: Session, account_id: str, yes: bool) -> None:
    """Forget an account; nothing in it is touched.

    \b
    trivet account remove 222222222222
    """
    confirmed(f"Forget account {account_id}?", yes)
    answer = session.api.call("DELETE", path_of("accounts", account_id)).body
    if session.output == "json":
        output.document(answer)
    else:
        output.line(f"Account {account_id} is forgotten; nothing in it was touched.")


def _print(session: Session, account: Document) -> None:
    if session.output == "json":
        output.document(account)
        return
    output.pairs(
        [
            ("account", f"{account['account_id']}{' (home)' if account['home'] else ''}"),
            ("alias", account["alias"] or "-"),
            ("status", toned(account["status"])),
            ("detail", account["detail"] or "-"),
            ("environments", str(account["environments"])),
            ("registered", f"{when(account['registered_at'])} by {who(account['registered_by'])}"),
            ("checked", when(account["checked_at"])),
        ]
    )
