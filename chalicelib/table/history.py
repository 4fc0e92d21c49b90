"""What was done to each environment, newest first: kept 400 days, beyond its deletion."""

from datetime import datetime

import msgspec

from chalicelib.model.history import KEPT, HistoryEntry
from chalicelib.table.making import EXPIRES
from chalicelib.table.rows import (
    MOST_BYTES,
    cursor_of,
    environment_pk,
    key,
    packed,
    read_cursor,
    unpacked,
    unreadable,
)
from chalicelib.table.sending import Item
from chalicelib.table.table import Table


class History:
    """The entries of one operation's table; they are written with the record they belong to."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def page(
        self, account_id: str, name: str, limit: int, cursor: str | None = None
    ) -> tuple[list[HistoryEntry], str | None] | None:
        """Return up to `limit` entries, newest first, and the cursor of the next page, if any.

        A page also ends before it would grow past 4 MB.

        Returns:
            `None` where there is neither an entry nor an environment of this name.

        Raises:
            Invalid: the cursor is none.
        """
        older = {}
        if cursor is not None:
            start = key(_pk(account_id, name), read_cursor(cursor, str))
            older = {"ExclusiveStartKey": start}
        doing = f"reading the history of environment {name}"
        rows = self._table.query(
            doing, _pk(account_id, name), ScanIndexForward=False, Limit=limit + 1, **older
        )
        found: list[HistoryEntry] = []
        last, taken, size = "", 0, 0
        for item in rows:
            entry = self._table.readable(_entry, item)
            size += len(msgspec.json.encode(entry))
            if taken == limit or (found and size > MOST_BYTES):
                return found, cursor_of(last)
            last, taken = item["sk"]["S"], taken + 1
            if entry is not None:
                found.append(entry)
        if not taken and cursor is None and not self._is_recorded(account_id, name):
            return None
        return found, None

    def _is_recorded(self, account_id: str, name: str) -> bool:
        pk = environment_pk(self._table.home.place.account_id, account_id)
        return self._table.get(f"reading environment {name}", key(pk, name)) is not None


def item_of_entry(account_id: str, name: str, entry: HistoryEntry) -> Item:
    """Return the row of an entry."""
    expires = datetime.fromisoformat(entry.at).timestamp() + KEPT
    return {
        **key(_pk(account_id, name), f"{entry.at}#{entry.id}"),
        "entry": packed(entry),
        EXPIRES: {"N": str(int(expires))},
    }


def _pk(account_id: str, name: str) -> str:
    return f"history#{account_id}#{name}"


def _entry(item: Item) -> HistoryEntry:
    entry = unpacked(item, "entry", HistoryEntry)
    if item["sk"]["S"] != f"{entry.at}#{entry.id}":
        raise unreadable(item, f"its document tells of {entry.at}#{entry.id}")
    return entry
