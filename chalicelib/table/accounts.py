"""The registry of member accounts. Home stands in no row: it is where the table is."""

from itertools import islice
from typing import Any, Literal

import msgspec

from chalicelib.table.rows import (
    cursor_of,
    key,
    packed,
    read_cursor,
    unpacked,
    unreadable,
)
from chalicelib.table.sending import Item
from chalicelib.table.table import Condition, Table

_PK = "account"


class MemberAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A registered account, and what became of the last try to assume its role."""

    account_id: str
    alias: str | None = None
    registered_at: str
    registered_by: str | None = None
    checked_at: str
    status: Literal["connected", "unreachable"]
    detail: str | None = None


class Accounts:
    """The member accounts, for one operation."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, account_id: str) -> MemberAccount | None:
        """Return an account, or `None` if it is not registered.

        Raises:
            Unreadable: its row does not say what it should.
        """
        row = self._table.get(f"reading account {account_id}", key(_PK, account_id))
        return _account(row) if row else None

    def put(self, account: MemberAccount, only_if_registered: bool = False) -> None:
        """Register an account, or record what is now known of it.

        Args:
            only_if_registered: write nothing where it was forgotten meanwhile.
        """
        item = {**key(_PK, account.account_id), "account": packed(account)}
        condition: Condition = {}
        if only_if_registered:
            condition = {"ConditionExpression": "attribute_exists(pk)"}
        doing = f"recording account {account.account_id}"
        self._table.write(doing, {"Put": {"Item": item, **condition}})

    def delete(self, account_id: str) -> None:
        """Forget an account, if it is registered."""
        doing = f"forgetting account {account_id}"
        self._table.write(doing, {"Delete": {"Key": key(_PK, account_id)}})

    def page(self, limit: int, cursor: str | None = None) -> tuple[list[MemberAccount], str | None]:
        """Return up to `limit` accounts by id, and the cursor of the next page, if any.

        Rows that cannot be read are left out, and told in the table's `unreadable`.

        Raises:
            Invalid: the cursor is none.
        """
        after: dict[str, Any] = {}
        if cursor is not None:
            after = {"ExclusiveStartKey": key(_PK, read_cursor(cursor, str))}
        rows = list(
            islice(self._table.query("listing accounts", _PK, Limit=limit + 1, **after), limit + 1)
        )
        found = [each for row in rows[:limit] if (each := self._table.readable(_account, row))]
        return found, cursor_of(rows[limit - 1]["sk"]["S"]) if len(rows) > limit else None


def _account(row: Item) -> MemberAccount:
    account = unpacked(row, "account", MemberAccount)
    if account.account_id != row["sk"]["S"]:
        raise unreadable(row, f"its document tells of account {account.account_id}")
    return account
