"""Look at an environment: as recorded, its smoke test brought up to date, or what differs in it."""

from chalicelib.aws.accounts import Target
from chalicelib.errors import NotFound
from chalicelib.flow import proving
from chalicelib.flow.look import look
from chalicelib.flow.plan import Plan
from chalicelib.flow.result import Result
from chalicelib.installation import Installation
from chalicelib.model.environment import Look, timestamp
from chalicelib.table.entry import Entry


def recorded(installation: Installation, account_id: str, name: str) -> Entry:
    """Return an environment as recorded.

    Raises:
        NotFound: there is none of this name.
    """
    entry = installation.environments.get(account_id, name)
    if entry is None:
        raise NotFound(f"There is no environment {name} in account {account_id}.")
    return entry


def show(installation: Installation, account_id: str | None, name: str) -> Result:
    """Return an environment, its smoke test brought up to date.

    Args:
        account_id: of the account it is in; `None` for home.

    Raises:
        NotFound: there is none of this name.
    """
    entry = recorded(installation, installation.registered(account_id), name)
    held = entry.is_held(installation.operation.clock.now())
    if held or not proving.needs_smoke_test(entry.environment):
        return Result(entry.environment, entry.look)
    target = installation.target(account_id)
    return proving.prove(installation, target, entry, wait=0, anew=False)


def drift(installation: Installation, target: Target, name: str) -> Plan:
    """Return what differs from the templates, foreign resources included; changes nothing in AWS.

    Raises:
        NotFound: there is none of this name.
    """
    entry = recorded(installation, target.place.account_id, name)
    plan = look(installation, target, entry.environment)
    now = timestamp(installation.operation.clock.now())
    installation.environments.look(entry, Look(in_sync=plan.in_sync, at=now))
    return plan
