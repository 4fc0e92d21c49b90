"""The environments of all accounts: read, listed, and given out to be held.

Nothing changes a record but a `Hold`, and the one other thing that is told of it: when it was last
compared with AWS (`look`), which stands beside the document and makes no new version of it.
"""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import structs
from msgspec.structs import replace

from chalicelib.errors import Busy, Unreadable
from chalicelib.model.change import ChangeDocument
from chalicelib.model.environment import Environment, Look, timestamp
from chalicelib.model.history import Cause, HistoryEntry, Operation
from chalicelib.table import listing, looks
from chalicelib.table.entry import Entry, entry_of
from chalicelib.table.hold import Hold
from chalicelib.table.lease import Lease
from chalicelib.table.listing import Filters
from chalicelib.table.looks import RunLook
from chalicelib.table.records import Records, unchanged
from chalicelib.table.rows import cursor_of, key, read_cursor
from chalicelib.table.table import Table
from chalicelib.work import threads

_FREE = "(attribute_not_exists(lease) OR lease_until <= :now)"

_ROUNDS = 3
"""How often others may record a look at a record while it is being written."""

_DIED = (
    "The process ended before it could record what it did. These changes were planned; whichever "
    "were not made, the next call or drift run makes."
)


class Environments:
    """The recorded environments, for one operation."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._records = Records(table)

    def get(self, account_id: str, name: str) -> Entry | None:
        """Return an environment, or `None` if none of that name is recorded.

        Raises:
            Unreadable: its row does not say what it should.
        """
        at = (self._records.pk(account_id), name)
        doing = f"reading environment {name}"
        rows = self._table.get_all(doing, [key(*at), key(looks.PK, account_id)])
        if at not in rows:
            return None
        run_look = looks.of_row(self._table, rows.get((looks.PK, account_id)))
        return entry_of(rows[at], account_id, run_look)

    def neighbours(self, account_id: str, name: str) -> list[tuple[str, str]]:
        """Return name and profile of the environments that a prefix does not tell from this one.

        The name of one of the two is that of the other, a hyphen, and more. Two reads at once.
        """
        rows = listing.neighbours(self._records, account_id, name)
        read = [self._table.readable(entry_of, row, account_id, RunLook()) for row in rows]
        found = [entry.environment for entry in read if entry is not None]
        return [(each.name, each.declaration.profile) for each in found]

    def create(self, environment: Environment, operation_name: Operation) -> Hold | Entry:
        """Record a new environment and hold it.

        Returns:
            The hold; or the environment of that name that exists already.
        """
        under_way = _under_way(self._table, 1, operation_name)
        entry, found = self._records.put(
            f"recording environment {environment.name}",
            Entry(environment, 1, Lease.taken(self._table), under_way=under_way),
            {"ConditionExpression": "attribute_not_exists(pk)"},
        )
        if found is None or self._records.is_ours(found, entry):
            return Hold(self._records, entry, under_way, is_new=True)
        account_id = environment.account_id
        return entry_of(found, account_id, looks.read(self._table, account_id))

    def hold(
        self,
        entry: Entry,
        environment: Environment,
        operation_name: Operation,
        planned: Sequence[ChangeDocument] = (),
        cause: Cause | None = None,
    ) -> Hold | None:
        """Hold an environment, and record what it is now declared to be.

        Args:
            entry: as last read. A call that held it and never told its end gets its place in
                history with this.
            planned: what is to be changed, recorded in case that this process dies.
            cause: the event that this answers to.

        Returns:
            `None` if it was changed since, or somebody holds it: it is to be read again.
        """
        under_way = _under_way(self._table, entry.version + 1, operation_name, planned, cause)
        for _ in range(_ROUNDS):
            held, found = self._records.put(
                f"holding environment {environment.name}",
                replace(
                    entry,
                    environment=environment,
                    version=entry.version + 1,
                    lease=Lease.taken(self._table),
                    under_way=under_way,
                ),
                unchanged(entry, _FREE, self._table.now()),
                [_died(entry.under_way)] if entry.under_way else [],
            )
            if found is None or self._records.is_ours(found, held):
                return Hold(self._records, held, under_way)
            again = entry_of(found, environment.account_id, entry.run_look) if found else None
            if again is None or again.version != entry.version or again.is_held(self._table.now()):
                return None
            entry = again
        return None

    def page(
        self,
        account_id: str,
        limit: int,
        cursor: str | None = None,
        filters: Filters | None = None,
    ) -> tuple[list[Entry], str | None]:
        """Return up to `limit` environments by name, and the cursor of the next page, if any.

        The reads are as many for any number of environments. Rows that cannot be read are left
        out, and told in the table's `unreadable`.

        Raises:
            Invalid: the cursor is none.
        """
        after = None if cursor is None else read_cursor(cursor, str)
        wanted = filters.facets if filters else frozenset()
        rows, last = listing.page(self._records, account_id, wanted, limit, after)
        run_look = looks.read(self._table, account_id)
        read = [self._table.readable(entry_of, row, account_id, run_look) for row in rows]
        found = [entry for entry in read if entry is not None and wanted <= entry.facets]
        return found, None if last is None else cursor_of(last)

    def all(self, account_id: str) -> Iterator[Entry | Unreadable]:
        """Return all environments of an account by name, and the error of each unreadable row."""
        run_look = looks.read(self._table, account_id)
        for row in listing.every(self._records, account_id):
            try:
                yield entry_of(row, account_id, run_look)
            except Unreadable as error:
                yield error

    def recorded(self, account_ids: Sequence[str], names: Sequence[str]) -> set[str]:
        """Return which of these names an environment has in any of these accounts."""

        def there(account_id: str) -> Iterable[tuple[str, str]]:
            pk = self._records.pk(account_id)
            rows = [key(pk, name) for name in dict.fromkeys(names)]
            return self._table.get_all("looking up names", rows)

        return {name for rows in threads.side_by_side(there, account_ids) for _, name in rows}

    def count(self, account_id: str) -> int:
        """Return how many environments an account has."""
        return self._table.count("counting environments", self._records.pk(account_id))

    def look(self, entry: Entry, look: Look) -> None:
        """Record a comparison with AWS, unless the environment was changed or held since.

        Args:
            entry: as read before AWS was.
        """
        self._records.look(entry, look)

    def contended(self, account_id: str, name: str) -> Busy:
        """Return the error of a call that came too late: the environment is another's by now."""
        entry = self.get(account_id, name)
        try:
            if entry is not None:
                entry.check_free(self._table.now())
        except Busy as error:
            return error
        return Busy(f"Other calls work on environment {name}. Call again.", retry_after=1)


def _under_way(
    table: Table,
    version: int,
    operation_name: Operation,
    planned: Sequence[ChangeDocument] = (),
    cause: Cause | None = None,
) -> HistoryEntry:
    """Return what is to be told of this operation if it does not come to tell it itself."""
    return HistoryEntry(
        # Of entries of one moment, the later version sorts behind.
        id=f"{version:08}-{table.operation.id[:12]}",
        at=timestamp(table.now()),
        operation=operation_name,
        by=table.operation.caller,
        changes=list(planned),
        cause=cause,
    )


def _died(under_way: HistoryEntry) -> HistoryEntry:
    return structs.replace(under_way, outcome="failed", error=_DIED)
