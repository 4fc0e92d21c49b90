"""Change what is recorded of an environment and nothing in AWS: pause, resume, unprotect."""

from collections.abc import Callable

from msgspec.structs import replace

from chalicelib.flow.converge import ROUNDS
from chalicelib.flow.result import Result
from chalicelib.installation import Installation
from chalicelib.model.environment import Environment, Pause
from chalicelib.model.history import Operation
from chalicelib.verbs.show import recorded


def pause(
    installation: Installation, account_id: str, name: str, until: str, reason: str
) -> Result:
    """Have drift reported and not put back until then.

    Args:
        until: RFC 3339 in UTC.

    Raises:
        NotFound: there is none of this name.
        Busy: another call holds it.
    """
    paused = Pause(until, reason)
    return _amended(installation, account_id, name, "pause", lambda was: replace(was, pause=paused))


def resume(installation: Installation, account_id: str, name: str) -> Result:
    """End the pause, if there is one.

    Raises:
        NotFound: there is none of this name.
        Busy: another call holds it.
    """
    return _amended(installation, account_id, name, "resume", lambda was: replace(was, pause=None))


def unprotect(installation: Installation, account_id: str, name: str) -> Result:
    """Take the protection from deletion off, if it is on.

    Raises:
        NotFound: there is none of this name.
        Busy: another call holds it.
    """

    def unprotected(was: Environment) -> Environment:
        declaration = replace(was.declaration, deletion_protection=False)
        return replace(was, declaration=declaration)

    return _amended(installation, account_id, name, "unprotect", unprotected)


def _amended(
    installation: Installation,
    account_id: str,
    name: str,
    operation: Operation,
    amended: Callable[[Environment], Environment],
) -> Result:
    environments = installation.environments
    for _ in range(ROUNDS):
        entry = recorded(installation, account_id, name)
        entry.check_free(installation.operation.clock.now())
        environment = amended(entry.environment)
        # One that died half-way left its lease: it is taken over, so that history tells of both.
        if environment == entry.environment and entry.lease is None:
            return Result(environment, entry.look)
        hold = environments.hold(entry, environment, operation)
        if hold is not None:
            hold.wanted_history = True
            with hold:
                pass
            return Result(hold.environment, entry.look)
    raise environments.contended(account_id, name)
