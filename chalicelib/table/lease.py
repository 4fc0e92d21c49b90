"""A lease: one operation's right to an environment or to the fleet, which runs out by itself."""

import math

import msgspec

from chalicelib.errors import Busy
from chalicelib.model.environment import timestamp
from chalicelib.table.sending import Item
from chalicelib.table.table import Table

ATTRIBUTES = ("lease", "lease_until", "lease_by", "lease_request", "lease_since")


class Lease(msgspec.Struct, frozen=True):
    """Who holds something, until when. 1.0 wrote `id` and `until` only."""

    id: str
    """The operation's."""
    until: float
    """Seconds since the epoch."""
    by: str | None = None
    """The caller's ARN, if there is one."""
    request: str | None = None
    """API Gateway's request, or Lambda's."""
    since: str | None = None

    @classmethod
    def taken(cls, table: Table) -> "Lease":
        """Return a lease that this operation takes now."""
        operation, since = table.operation, timestamp(table.now())
        return cls(operation.id, table.lease_until(), operation.caller, operation.request_id, since)

    @classmethod
    def read(cls, item: Item) -> "Lease | None":
        """Return the lease that stands in a row, if there is one.

        Raises:
            KeyError, TypeError, ValueError: what stands there is none.
        """
        if "lease" not in item:
            return None
        by, request, since = (item.get(each, {}).get("S") for each in ATTRIBUTES[2:])
        return cls(item["lease"]["S"], float(item["lease_until"]["N"]), by, request, since)

    @property
    def attributes(self) -> Item:
        """The attributes of a row that it is written as."""
        values = (self.id, None, self.by, self.request, self.since)
        told = {name: {"S": value} for name, value in zip(ATTRIBUTES, values, strict=True) if value}
        return told | {"lease_until": {"N": str(self.until)}}

    def busy(self, what: str, now: float) -> Busy:
        """Return the error of who comes while it lasts.

        Args:
            what: is held, e.g. "Environment a-dev".
            now: seconds since the epoch.
        """
        who = self.by or "another call"
        since = f" since {self.since}" if self.since else ""
        return Busy(
            f"{what} is held by {who} (request {self.request or self.id}){since}. Call again when "
            "that has ended.",
            retry_after=max(1, math.ceil(self.until - now)),
        )
