"""Put an environment back at once, since IAM reported a change to it."""

from datetime import datetime

from msgspec.structs import replace

from chalicelib.aws.accounts import Target
from chalicelib.errors import Stale, Unavailable
from chalicelib.flow import boundary
from chalicelib.flow.converge import Errand, carry, result_of
from chalicelib.flow.look import read
from chalicelib.flow.plan import compare
from chalicelib.flow.result import Result
from chalicelib.installation import Installation
from chalicelib.model.environment import Look, timestamp
from chalicelib.model.history import Cause
from chalicelib.table.entry import Entry
from chalicelib.table.hold import Hold

_SETTLED_AFTER = 30
"""Seconds after a change within which IAM may still show what was before it: a check in that time
does not stand for the change (https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html)."""


def recheck(
    installation: Installation, target: Target, entry: Entry, cause: Cause
) -> Result | None:
    """Put an environment back as declared, if a change is there that was not seen yet.

    Args:
        entry: the environment as recorded.
        cause: the event that told of the change.

    Returns:
        `None` if it is being deleted or paused, or was checked well after the change already.

    Raises:
        TrivetError: it could not be put back.
    """
    environments, now = installation.environments, installation.operation.clock.now()
    recorded = entry.environment
    if recorded.being_deleted or recorded.paused_until(now):
        return None
    if _seen_since(recorded.checked_at, cause.event_time):
        return None
    entry.check_free(now)
    checked = replace(recorded, checked_at=timestamp(now))
    # Held before IAM is read, not after: of many calls at once, one reads.
    hold = environments.hold(entry, checked, "event_repair", (), cause)
    if hold is None:
        raise environments.contended(recorded.account_id, recorded.name)
    with hold:
        try:
            _put_back(installation, target, hold)
        except (Unavailable, Stale):
            # It is worth another try, for which this one must not count.
            hold.environment = replace(hold.environment, checked_at=recorded.checked_at)
            raise
    return result_of(hold)


def _seen_since(checked_at: str | None, changed_at: str) -> bool:
    if checked_at is None:
        return False
    try:
        settled = datetime.fromisoformat(changed_at).timestamp() + _SETTLED_AFTER
    except ValueError:
        return False
    return checked_at > timestamp(settled)


def _put_back(installation: Installation, target: Target, hold: Hold) -> None:
    clock, environment = installation.operation.clock, hold.environment
    desired = installation.rendered(environment)
    # Without what is declared no more: to delete policies is a caller's call, not this handler's.
    actual = read(target, desired, {})
    plan = compare(environment, desired, actual, installation.settings.ignores_tag)
    plan.check_ours()
    now = timestamp(clock.now())
    if plan.settles(environment):
        hold.look = Look(in_sync=plan.in_sync, at=now)
        return
    boundary.ensure_for(target, plan)
    hold.environment = replace(
        environment,
        status="incomplete",
        updated_at=now,
        updated_by=installation.operation.caller,
    )
    carry(installation, target, hold, plan, Errand("event_repair"))
