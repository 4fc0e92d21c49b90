"""When an AWS call is tried again, and when it is given up: one rule for all clients.

botocore's own modes do not serve. `standard` has a store of retries per client, which a bad minute
empties for the next call too; `adaptive` keeps the rate it found for the life of the process, and
sleeps in the calling thread. Here each operation has a store of its own (`Operation.spend_retry`),
pauses grow with full jitter (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/),
and no pause is begun that the operation's time does not allow.
"""

import random
from typing import Any

from botocore.exceptions import (
    ClientError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.exceptions import (
    ConnectionError as NoConnection,
)

from chalicelib.aws import answers
from chalicelib.work import operation

TRIES = 12
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 2.0

_ONCE = frozenset({"CreatePolicyVersion"})
"""Sent again after it took effect unheard, it would leave one version too many. The operation reads
the policy again instead."""

_BROKEN = (NoConnection, HTTPClientError, IncompleteReadError)


def before_retry(service: str) -> Any:
    """Return the hook on `needs-retry` that decides for a client of this service.

    It returns the seconds to wait before the next try, or `None` to give the answer to the caller.
    """

    def decide(
        event_name: str,
        attempts: int,
        response: tuple[Any, dict[str, Any]] | None,
        caught_exception: Exception | None,
        **_: Any,
    ) -> float | None:
        name = event_name.rsplit(".", 1)[-1]
        _ended(service, response)
        if response is None:
            if name in _ONCE or not isinstance(caught_exception, _BROKEN):
                return None
            return _pause(attempts)
        status, parsed = response[0].status_code, response[1]
        if status < 300:
            return None
        # botocore's error knows the operation, not the service: IAM's name has both.
        parsed.setdefault("Error", {})["Action"] = f"{service}:{name}"
        error = ClientError(parsed, name)  # type: ignore[arg-type]
        return _pause(attempts) if _worth_another(name, status, error) else None

    return decide


def _ended(service: str, response: tuple[Any, dict[str, Any]] | None) -> None:
    """Give up this thread's turn (`work.pace`), before any pause."""
    current = operation.current()
    if current is None:
        return
    code = "" if response is None else response[1].get("Error", {}).get("Code", "")
    current.pace(service).end(code in answers.THROTTLED, current.clock.now())


def _worth_another(name: str, status: int, error: ClientError) -> bool:
    code = answers.code_of(error)
    if answers.not_offered(name, status, code):
        return False
    if code in answers.THROTTLED or code in answers.CONCURRENT or _not_yet_visible(error):
        return True
    return (status >= 500 or code in answers.FAILED) and name not in _ONCE


def _not_yet_visible(error: ClientError) -> bool:
    """Tell whether IAM denies what this operation has just made: it is eventually consistent.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html
    """
    current = operation.current()
    if current is None or answers.code_of(error) != "NoSuchEntity":
        return False
    message = str(error.response.get("Error", {}).get("Message", ""))
    return any(name in message for name in current.fresh)


def _pause(attempts: int) -> float | None:
    """Return a pause with jitter, some 12 seconds over all tries, or `None` past the last.

    Raises:
        OutOfTime: the pause could outlast the operation.
    """
    current = operation.current()
    if attempts >= TRIES or (current is not None and not current.spend_retry()):
        return None
    longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (attempts - 1))
    if current is not None and current.time_left() < longest:
        raise answers.OutOfTime
    return random.uniform(longest / 2, longest)  # noqa: S311
