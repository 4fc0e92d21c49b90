"""What a check is, what it can find, and the list of all."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from trivet.doctor.deployment import Deployment
from trivet.errors import Problem, Unreachable

Status = Literal["passed", "failed", "skipped"]

_REFUSALS = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
)


class Skip(Exception):
    """The check cannot be made here; the message says why."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What a check saw that is not as it should be, and what to do about it."""

    saw: str
    do: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one check."""

    name: str
    status: Status
    saw: str
    why: str
    do: str | None = None


Look = Callable[[Deployment], "str | Fault"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its function returns what it saw, or the fault that it found."""

    name: str
    why: str
    look: Look

    def made(self, deployment: Deployment) -> Finding:
        """Make the check; what the caller may not see is skipped, with the reason."""
        try:
            found = self.look(deployment)
        except (Skip, Unreachable) as error:
            return Finding(self.name, "skipped", str(error), self.why)
        except Problem as error:
            saw = f"The API answered {error.status}: {error}"
            return Finding(self.name, "failed", saw, self.why, error.advice or "See its log.")
        except ClientError as error:
            return self._refused(error)
        except BotoCoreError as error:
            return Finding(self.name, "skipped", f"AWS could not be asked: {error}", self.why)
        if isinstance(found, Fault):
            return Finding(self.name, "failed", found.saw, self.why, found.do)
        return Finding(self.name, "passed", found, self.why)

    def _refused(self, error: ClientError) -> Finding:
        action = error.operation_name
        if error.response["Error"]["Code"] in _REFUSALS:
            return Finding(self.name, "skipped", f"You may not call {action}.", self.why)
        saw = f"{action} failed: {error.response['Error'].get('Message') or error}"
        return Finding(self.name, "failed", saw, self.why, "Deploy the stage again: make deploy.")


CHECKS: list[Check] = []
"""The checks of the files that were imported; `examination` imports all."""


def check(name: str, why: str) -> Callable[[Look], Look]:
    """Add a function to the checks.

    Args:
        name: what is checked, in a few words.
        why: what goes wrong where it is not so.
    """

    def add(look: Look) -> Look:
        CHECKS.append(Check(name, why, look))
        return look

    return add


def found(call: Callable[..., Any], *codes: str, **arguments: Any) -> Any:
    """Return AWS's answer, or None where it answers with one of these error codes."""
    try:
        return call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] in codes:
            return None
        raise
