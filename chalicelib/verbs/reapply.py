"""Put one environment back as declared, because a caller asks for it."""

from msgspec.structs import replace

from chalicelib.aws.accounts import Target
from chalicelib.flow.converge import Errand, converge
from chalicelib.flow.look import look
from chalicelib.flow.result import Result
from chalicelib.installation import Installation
from chalicelib.model.environment import Environment
from chalicelib.verbs.show import recorded


def reapply(
    installation: Installation, target: Target, name: str, dry_run: bool, wait: float
) -> Result:
    """Put an environment back as declared; one that is paused too.

    Args:
        dry_run: plan only; nothing is written anywhere.
        wait: seconds to wait for the smoke test.

    Raises:
        NotFound: there is none of this name.
        Conflict: something under its names is someone else's; nothing was changed.
        Busy: another call holds it.
        TrivetError: a step failed; the environment is recorded as incomplete.
    """
    entry = recorded(installation, target.place.account_id, name)
    if dry_run:
        plan = look(installation, target, entry.environment)
        plan.check_ours()
        planned = [each.document() for each in plan.steps]
        return Result(entry.environment, entry.look, planned, dry_run=True)
    return converge(installation, target, entry, _wanted_back, Errand("reapply", wait=wait))


def _wanted_back(environment: Environment) -> Environment:
    return replace(environment, being_deleted=False)
