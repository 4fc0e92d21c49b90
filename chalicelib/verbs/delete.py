"""Take an environment away."""

from msgspec.structs import replace

from chalicelib.aws.accounts import Target
from chalicelib.errors import Conflict
from chalicelib.flow import remove
from chalicelib.flow.converge import ROUNDS
from chalicelib.flow.remove import Removed
from chalicelib.installation import Installation
from chalicelib.table.entry import Entry
from chalicelib.table.hold import Hold
from chalicelib.verbs.show import recorded
from chalicelib.work import telemetry


def delete(installation: Installation, target: Target, name: str) -> Removed:
    """Remove an environment: its own roles, policies and state machine.

    Raises:
        NotFound: there is none of this name.
        Conflict: it is protected, or others use what is to go; nothing was deleted.
        Busy: another call holds it.
    """
    entry, hold = _held(installation, target, name)
    with hold:
        desired = installation.rendered(hold.environment)
        try:
            removed = remove.remove(target, desired, hold.environment.unique_ids)
        except Conflict:
            # Found before anything was deleted.
            hold.environment = entry.environment
            raise
        hold.remove()
    telemetry.count("Deletions")
    return removed


def _held(installation: Installation, target: Target, name: str) -> tuple[Entry, Hold]:
    environments, account_id = installation.environments, target.place.account_id
    for _ in range(ROUNDS):
        entry = recorded(installation, account_id, name)
        if entry.environment.declaration.deletion_protection:
            raise Conflict(
                f"Environment {name} is protected from deletion. Nothing was deleted. "
                f"DELETE /environments/{name}/deletion-protection takes the protection off."
            )
        entry.check_free(installation.operation.clock.now())
        ending = replace(entry.environment, status="incomplete", being_deleted=True)
        hold = environments.hold(entry, ending, "delete")
        if hold is not None:
            return entry, hold
    raise environments.contended(account_id, name)
