"""Records as they are written: each with its index rows and what was done, all or nothing.

An environment is found by its facets (status, profile, in_sync, tags) through index rows, which
stand under `index#<account>#<facet>`. A record names, in `facets`, those that it has. What a
listing finds by them is compared with the record again, so that a row too many does no harm. More
of them than one transaction holds are taken away by the next one.
"""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from chalicelib.model.environment import Look
from chalicelib.model.history import HistoryEntry
from chalicelib.table.entry import Entry, entry_of, item_of
from chalicelib.table.history import item_of_entry
from chalicelib.table.rows import environment_pk, key
from chalicelib.table.sending import Item, Write
from chalicelib.table.table import MOST_WRITES, Condition, Table

_ROUNDS = 3
"""How often others may record a look at a record while one is being written."""


def index_pk(account_id: str, facet: str) -> str:
    """Return the key under which the names of environments with this facet stand."""
    return f"index#{account_id}#{facet}"


class Records:
    """The rows of environments, written for one operation."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def pk(self, account_id: str) -> str:
        """Return the key under which an account's environments stand."""
        return environment_pk(self.table.home.place.account_id, account_id)

    def key(self, entry: Entry) -> Item:
        """Return the key of a record."""
        return key(self.pk(entry.environment.account_id), entry.environment.name)

    def put(
        self, doing: str, entry: Entry, condition: Condition, history: Sequence[HistoryEntry] = ()
    ) -> tuple[Entry, Item | None]:
        """Write a record whole.

        Args:
            entry: with the `indexed` that was read.
            condition: `ConditionExpression` and its values.
            history: what is to be recorded as done with it.

        Returns:
            The record as it now is; and `None`, or else the row that stood against it.
        """
        entry, index = self.indexed(entry, MOST_WRITES - 1 - len(history))
        item = item_of(self.pk(entry.environment.account_id), entry)
        others = [*self._history(entry, history), *index]
        return entry, self.table.write(doing, {"Put": {"Item": item, **condition}}, others)

    def remove(
        self, doing: str, entry: Entry, condition: Condition, history: Sequence[HistoryEntry] = ()
    ) -> Item | None:
        """Remove a record and its index rows; return as `Table.write` does."""
        gone = self._deleted(entry, entry.indexed or ())
        others = [*self._history(entry, history), *gone]
        return self.table.write(doing, {"Delete": {"Key": self.key(entry), **condition}}, others)

    def is_ours(self, found: Item, entry: Entry) -> bool:
        """Tell whether the row that stood against a write is what it wrote itself before."""
        return (found.get("lease"), found.get("version")) == (
            {"S": self.table.operation.id},
            {"N": str(entry.version)},
        )

    def look(self, entry: Entry, look: Look) -> None:
        """Record a comparison with AWS beside a record, unless that was changed or held since.

        Args:
            entry: as read before AWS was.
        """
        for _ in range(_ROUNDS):
            doing = f"recording the look at environment {entry.environment.name}"
            found = self.put_look(doing, entry, look)
            if not found:
                return
            again = entry_of(found, entry.environment.account_id, entry.run_look)
            seen = again.own_look.at or ""
            if again.version != entry.version or again.lease or seen >= (look.at or ""):
                return
            entry = again

    def put_look(self, doing: str, entry: Entry, look: Look) -> Item | None:
        """Write the look and the index of a record that nobody holds, and nothing else of it.

        Args:
            entry: as read; it must not have changed since.

        Returns:
            As `Table.write`.
        """
        looked, index = self.indexed(replace(entry, own_look=look), MOST_WRITES - 1)
        condition = unchanged(entry, "attribute_not_exists(lease)")
        values: Item = {":facets": {"SS": sorted(looked.indexed or ())}}
        update = "SET facets = :facets"
        if look.at is not None:
            update, values[":at"] = f"{update}, looked_at = :at", {"S": look.at}
        if look.in_sync is not None:
            update, values[":in_sync"] = f"{update}, in_sync = :in_sync", {"BOOL": look.in_sync}
        write = {
            **condition,
            "Key": self.key(entry),
            "UpdateExpression": update,
            "ExpressionAttributeValues": condition["ExpressionAttributeValues"] | values,
        }
        return self.table.write(doing, {"Update": write}, index)

    def indexed(self, entry: Entry, room: int) -> tuple[Entry, list[Write]]:
        """Return a record with its index brought up to date, and the rows to write for that.

        Args:
            room: how many rows may be written.
        """
        there, wanted = entry.indexed or frozenset(), entry.facets
        added = sorted(wanted - there)
        dropped = sorted(there - wanted)[: room - len(added)]
        account_id, name = entry.environment.account_id, entry.environment.name
        puts: list[Write] = [
            {"Put": {"Item": key(index_pk(account_id, facet), name)}} for facet in added
        ]
        left = (there | wanted) - frozenset(dropped)
        return replace(entry, indexed=left), [*puts, *self._deleted(entry, dropped)]

    def _deleted(self, entry: Entry, facets: Iterable[str]) -> list[Write]:
        account_id, name = entry.environment.account_id, entry.environment.name
        keys = (key(index_pk(account_id, facet), name) for facet in sorted(facets))
        return [{"Delete": {"Key": each}} for each in keys]

    def _history(self, entry: Entry, done: Sequence[HistoryEntry]) -> list[Write]:
        environment = entry.environment
        return [
            {"Put": {"Item": item_of_entry(environment.account_id, environment.name, each)}}
            for each in done
        ]


def unchanged(entry: Entry, lease: str, now: float | None = None) -> Condition:
    """Return the condition that a record is as it was read.

    Args:
        lease: the condition on its lease besides, which may name `:now`.
        now: seconds since the epoch.
    """
    values = {":version": {"N": str(entry.version)}}
    looked = "attribute_not_exists(looked_at)"
    if entry.own_look.at is not None:
        looked, values[":looked"] = "looked_at = :looked", {"S": entry.own_look.at}
    if now is not None:
        values[":now"] = {"N": str(now)}
    return {
        "ConditionExpression": f"version = :version AND {looked} AND {lease}",
        "ExpressionAttributeValues": values,
    }
