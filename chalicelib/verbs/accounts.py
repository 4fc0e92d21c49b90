"""The accounts that environments can be made in: registered, shown, listed, forgotten."""

from typing import Literal

import msgspec
from msgspec.structs import replace

from chalicelib.aws.accounts import MEMBER_ROLE
from chalicelib.errors import Conflict, NotFound, Refused, TrivetError
from chalicelib.installation import Installation
from chalicelib.model.environment import timestamp
from chalicelib.table.accounts import MemberAccount
from chalicelib.table.rows import cursor_of
from chalicelib.work import threads

_BEFORE_ALL = "0"
"""What stands before every account id."""


class Account(msgspec.Struct, frozen=True):
    """An account as it is known, and how many environments it has."""

    account_id: str
    alias: str | None
    home: bool
    status: Literal["connected", "unreachable"]
    detail: str | None
    environments: int
    registered_at: str | None
    registered_by: str | None
    checked_at: str | None


def register(
    installation: Installation, account_id: str, alias: str | None
) -> tuple[Account, bool]:
    """Register an account, or change its alias, after assuming its role worked.

    Returns:
        The account, and whether it is new.

    Raises:
        Refused: its role cannot be assumed; nothing was recorded.
    """
    now, before = _now(installation), installation.accounts.get(account_id)
    home = account_id == installation.home.place.account_id
    try:
        if not home:
            installation.member(account_id, anew=True)
    except TrivetError as error:
        raise Refused(
            f"Trivet cannot assume role {MEMBER_ROLE} of account {account_id}: {error} Nothing was "
            "recorded. Deploy deploy/member-account.json there (docs/many-accounts.md), with this "
            "deployment's account and external id, then call again."
        ) from error
    account = MemberAccount(
        account_id=account_id,
        alias=alias or (before.alias if before else None),
        registered_at=before.registered_at if before else now,
        registered_by=before.registered_by if before else installation.operation.caller,
        checked_at=now,
        status="connected",
        detail=None,
    )
    installation.accounts.put(account)
    if home:
        return _home(installation), False
    return _counted(installation, account), before is None


def show(installation: Installation, account_id: str) -> Account:
    """Return an account, its role assumed anew.

    Raises:
        NotFound: it is not registered.
    """
    if account_id == installation.home.place.account_id:
        return _home(installation)
    account = _known(installation, account_id)
    status, detail = account.status, account.detail
    try:
        installation.member(account_id, anew=True)
        status, detail = "connected", None
    except TrivetError as error:
        status, detail = "unreachable", str(error)
    seen = replace(account, status=status, detail=detail, checked_at=_now(installation))
    installation.accounts.put(seen, only_if_registered=True)
    return _counted(installation, seen)


def page(
    installation: Installation, limit: int, cursor: str | None
) -> tuple[list[Account], str | None]:
    """Return up to `limit` accounts, home first, and the cursor of the next page, if any."""
    first = [] if cursor is not None else [_home(installation)]
    room = limit - len(first)
    found, after = installation.accounts.page(max(room, 1), cursor)
    if room == 0:
        # Only home fits: the next page begins with the first member.
        return first, cursor_of(_BEFORE_ALL) if found else None
    home = installation.home.place.account_id
    members = [each for each in found if each.account_id != home]
    counted = threads.side_by_side(lambda each: _counted(installation, each), members)
    return [*first, *counted], after


def forget(installation: Installation, account_id: str) -> None:
    """Forget an account; nothing in it is touched.

    Raises:
        NotFound: it is not registered.
        Conflict: it is home, or has environments.
    """
    if account_id == installation.home.place.account_id:
        raise Conflict(
            f"Account {account_id} is where Trivet is deployed: it cannot be forgotten. Call with "
            "the id of a member account."
        )
    _known(installation, account_id)
    environments = installation.environments.count(account_id)
    if environments:
        raise Conflict(
            f"Account {account_id} has {environments} environments. Delete them first; GET "
            f"/accounts/{account_id}/environments lists them; then call again."
        )
    installation.accounts.delete(account_id)


def _home(installation: Installation) -> Account:
    account_id = installation.home.ask_place().account_id
    named = installation.accounts.get(account_id)
    return Account(
        account_id=account_id,
        alias=named.alias if named else None,
        home=True,
        status="connected",
        detail=None,
        environments=installation.environments.count(account_id),
        registered_at=named.registered_at if named else None,
        registered_by=named.registered_by if named else None,
        checked_at=_now(installation),
    )


def _known(installation: Installation, account_id: str) -> MemberAccount:
    account = installation.accounts.get(account_id)
    if account is None:
        raise NotFound(f"Account {account_id[:100]} is not registered.")
    return account


def _counted(installation: Installation, account: MemberAccount) -> Account:
    return Account(
        home=False,
        environments=installation.environments.count(account.account_id),
        **msgspec.structs.asdict(account),
    )


def _now(installation: Installation) -> str:
    return timestamp(installation.operation.clock.now())
