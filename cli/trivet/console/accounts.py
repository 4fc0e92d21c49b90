"""The accounts that Trivet makes roles in: home, and those that were added."""

from flask import Blueprint, abort, redirect, render_template, request
from flask.typing import ResponseReturnValue

from trivet.api import path_of
from trivet.console.pages import asked, call, next_page

pages = Blueprint("accounts", __name__)


@pages.get("/accounts")
def index() -> str:
    """List the accounts, home first."""
    found = call("GET", "/accounts", query=asked("cursor"))
    return render_template("accounts.html", accounts=found["accounts"], next_page=next_page(found))


@pages.post("/accounts")
def add() -> ResponseReturnValue:
    """Register an account, or give one another alias."""
    account_id = request.form.get("account_id", "").strip()
    if not account_id:
        abort(400, "Name the account by its 12 digits.")
    path = path_of("accounts", account_id)
    alias = request.form.get("alias", "").strip()
    call("PUT", path, {"alias": alias} if alias else {})
    return redirect(path, 303)


@pages.get("/accounts/<account_id>")
def show(account_id: str) -> str:
    """Show one account, its role assumed anew."""
    return render_template("account.html", account=call("GET", path_of("accounts", account_id)))


@pages.post("/accounts/<account_id>/remove")
def remove(account_id: str) -> ResponseReturnValue:
    """Forget an account; nothing in it is touched."""
    call("DELETE", path_of("accounts", account_id))
    return redirect("/accounts", 303)
