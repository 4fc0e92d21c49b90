"""Environments by name: all of an account, or those that have certain facets.

The reads of a page are as many for any number of environments that an account can hold: one query,
or one for each facet and one batch of at most 100 records.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

from chalicelib.model.environment import shorter_names
from chalicelib.table.entry import ShownStatus, in_sync_facet, tag_facet
from chalicelib.table.records import Records, index_pk
from chalicelib.table.rows import key
from chalicelib.table.sending import Item
from chalicelib.work import threads

_DOING = "listing environments"

_MOST_NAMES = 10_000
"""More than an account can have roles. A query's page holds about as many rows of an index."""


class Filters(msgspec.Struct, frozen=True):
    """What a listing is limited to; `None` limits nothing. `tag` is a key and its value."""

    status: ShownStatus | None = None
    profile: str | None = None
    in_sync: bool | None = None
    tag: tuple[str, str] | None = None

    @property
    def facets(self) -> frozenset[str]:
        """The facets that an environment must have."""
        wanted = {
            self.status and f"status={self.status}",
            self.profile and f"profile={self.profile}",
            None if self.in_sync is None else in_sync_facet(self.in_sync),
            self.tag and tag_facet(*self.tag),
        }
        return frozenset(each for each in wanted if each)


def page(
    records: Records, account_id: str, facets: frozenset[str], limit: int, after: str | None
) -> tuple[list[Item], str | None]:
    """Return the rows of up to `limit` records, and the name after which the next page starts.

    Args:
        facets: they all have these, as far as the index knows.
        after: the name after which this page starts.
    """
    pk = records.pk(account_id)
    if not facets:
        rows = list(islice(_rows(records, pk, after, limit + 1), limit + 1))
        names = [row["sk"]["S"] for row in rows]
    else:
        names = _names(records, account_id, facets, after, limit + 1)
        read = records.table.get_all(_DOING, [key(pk, name) for name in names[:limit]])
        rows = [read[pk, name] for name in names if (pk, name) in read]
    return rows[:limit], names[limit - 1] if len(names) > limit else None


def every(records: Records, account_id: str) -> Iterator[Item]:
    """Return the rows of all records of an account, read page by page as they are needed."""
    return _rows(records, records.pk(account_id), None, 1_000)


def neighbours(records: Records, account_id: str, name: str) -> Iterator[Item]:
    """Return the rows of the records whose names begin with this one's, or it with theirs."""
    pk = records.pk(account_id)
    keys = [key(pk, each) for each in shorter_names(name)]
    shorter = threads.start(records.table.get_all, _DOING, keys)
    yield from records.table.query(
        _DOING,
        pk,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :from)",
        ExpressionAttributeValues={":from": {"S": f"{name}-"}},
    )
    yield from shorter.result().values()


def _names(
    records: Records, account_id: str, facets: frozenset[str], after: str | None, limit: int
) -> list[str]:
    # One facet is read as far as needed. Of several, each is read wholly: names alone.
    most = limit if len(facets) == 1 else _MOST_NAMES
    found: list[set[str]] = []
    for facet in sorted(facets):
        rows = _rows(records, index_pk(account_id, facet), after, most)
        found.append({row["sk"]["S"] for row in islice(rows, most)})
    return sorted(set.intersection(*found))[:limit]


def _rows(records: Records, pk: str, after: str | None, size: int) -> Iterator[Item]:
    start: dict[str, Any] = {} if after is None else {"ExclusiveStartKey": key(pk, after)}
    return records.table.query(_DOING, pk, Limit=size, **start)
