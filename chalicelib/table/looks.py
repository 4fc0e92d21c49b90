"""When each environment was last compared with AWS, told without a write per environment.

A run over a whole fleet writes a look to each record that was not known to be in sync, and one row
for all others.
"""

from collections.abc import Collection

import msgspec

from chalicelib.table.rows import key, packed, unpacked
from chalicelib.table.sending import Item
from chalicelib.table.table import Table

PK = "looked"


class RunLook(msgspec.Struct, frozen=True):
    """What a fleet run says of all environments of an account with one write.

    It confirms those that were recorded as in sync already.
    """

    at: str | None = None
    not_reached: dict[str, str | None] = {}
    """Names that it did not get to, and when an earlier one last did."""

    def seen(self, name: str) -> str | None:
        """Return when this environment was last confirmed so, if ever."""
        return self.not_reached.get(name, self.at)


def of_row(table: Table, row: Item | None) -> RunLook:
    """Return what stands in the row of an account. One that cannot be read confirms nothing."""
    return (table.readable(unpacked, row, "look", RunLook) if row else None) or RunLook()


def read(table: Table, account_id: str) -> RunLook:
    """Return what whole fleet runs recorded of an account."""
    doing = f"reading the last run over account {account_id}"
    return of_row(table, table.get(doing, key(PK, account_id)))


def record(table: Table, account_id: str, at: str, not_reached: Collection[str]) -> None:
    """Record what a whole fleet run says of an account; a later run's word stands.

    Args:
        at: when the run began to read AWS, RFC 3339.
        not_reached: names. An account holds some 3,300 environments at most, with 10,000 roles.
    """
    before = read(table, account_id)
    look = RunLook(at, {name: before.seen(name) for name in not_reached})
    item = {**key(PK, account_id), "looked_at": {"S": at}, "look": packed(look)}
    table.write(
        f"recording the run over account {account_id}",
        {
            "Put": {
                "Item": item,
                "ConditionExpression": "attribute_not_exists(looked_at) OR looked_at < :at",
                "ExpressionAttributeValues": {":at": {"S": at}},
            }
        },
    )
