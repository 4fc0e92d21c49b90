"""A record of an environment: the document, and what guards and accompanies it outside of that."""

from typing import Literal

import msgspec

from chalicelib.model.environment import Environment, Look
from chalicelib.model.history import HistoryEntry
from chalicelib.table.lease import Lease
from chalicelib.table.looks import RunLook
from chalicelib.table.rows import key, packed, unpacked, unreadable
from chalicelib.table.sending import Item

ShownStatus = Literal["ready", "incomplete", "drifted"]


class Entry(msgspec.Struct, frozen=True):
    """An environment as recorded."""

    environment: Environment
    version: int
    lease: Lease | None = None
    own_look: Look = Look()
    """The last comparison that was written to this record itself."""
    run_look: RunLook = RunLook()
    indexed: frozenset[str] | None = None
    """The facets under which index rows stand; `None` where 1.0 wrote it: there are none."""
    under_way: HistoryEntry | None = None
    """What its holder set out to do; past the lease, what a call did that never told its end."""
    released_by: str | None = None
    """The operation that recorded it last."""

    @property
    def look(self) -> Look:
        """The last comparison with AWS, by whomever."""
        own, seen = self.own_look, self.run_look.seen(self.environment.name)
        if own.in_sync and own.at is not None and seen is not None and seen > own.at:
            return Look(True, seen)
        return own

    @property
    def status(self) -> ShownStatus:
        """The status as the API shows it."""
        drifted = self.environment.status == "ready" and self.own_look.in_sync is False
        return "drifted" if drifted else self.environment.status

    def is_held(self, now: float) -> bool:
        """Tell whether an operation still holds it."""
        return self.lease is not None and self.lease.until > now

    def check_free(self, now: float) -> None:
        """Raise unless it can be held.

        Raises:
            Busy: another call holds it.
        """
        if self.lease is not None and self.is_held(now):
            raise self.lease.busy(f"Environment {self.environment.name}", now)

    @property
    def facets(self) -> frozenset[str]:
        """What it is to be found by in filtered listings, such as `tag=team=datalake`."""
        declaration = self.environment.declaration
        found = {f"status={self.status}", f"profile={declaration.profile}"}
        if self.own_look.in_sync is not None:
            found.add(in_sync_facet(self.own_look.in_sync))
        return frozenset(found | {tag_facet(*tag) for tag in declaration.tags.items()})


def in_sync_facet(in_sync: bool) -> str:
    """Return the facet of environments that were, or were not, as declared."""
    return f"in_sync={str(in_sync).lower()}"


def tag_facet(tag: str, value: str) -> str:
    """Return the facet of environments with this tag."""
    return f"tag={tag}={value}"


def item_of(pk: str, entry: Entry) -> Item:
    """Return the row of a record."""
    item: Item = {
        **key(pk, entry.environment.name),
        "version": {"N": str(entry.version)},
        "document": {"S": msgspec.json.encode(entry.environment).decode()},
    }
    look = entry.own_look
    if entry.lease is not None:
        item |= entry.lease.attributes
    told = {"looked_at": look.at, "released_by": entry.released_by}
    item |= {name: {"S": value} for name, value in told.items() if value is not None}
    if look.in_sync is not None:
        item["in_sync"] = {"BOOL": look.in_sync}
    if entry.indexed:
        item["facets"] = {"SS": sorted(entry.indexed)}
    if entry.under_way is not None:
        item["under_way"] = packed(entry.under_way)
    return item


def entry_of(item: Item, account_id: str, run_look: RunLook) -> Entry:
    """Return the record that a row is.

    Args:
        account_id: the account whose key it stands under.

    Raises:
        Unreadable: it does not say what it should, or tells of another environment.
    """
    try:
        environment = msgspec.json.decode(item["document"]["S"], type=Environment)
        entry = Entry(
            environment=environment,
            version=int(item["version"]["N"]),
            lease=Lease.read(item),
            own_look=Look(item.get("in_sync", {}).get("BOOL"), _text(item, "looked_at")),
            run_look=run_look,
            indexed=frozenset(item["facets"]["SS"]) if "facets" in item else None,
            under_way=unpacked(item, "under_way", HistoryEntry) if "under_way" in item else None,
            released_by=_text(item, "released_by"),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise unreadable(item, str(error)) from error
    if (environment.account_id, environment.name) != (account_id, item["sk"]["S"]):
        raise unreadable(
            item,
            f"its document tells of environment {environment.name} of account "
            f"{environment.account_id}",
        )
    return entry


def _text(item: Item, attribute: str) -> str | None:
    return str(item[attribute]["S"]) if attribute in item else None
