"""What can go wrong, in Trivet's own terms, and AWS's error codes matched in one place.

Every error becomes one answer of the API (`chalicelib/api/problems.py`). Its text names what
was being done to which resource, and what to do next.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.model import Change


class TrivetError(Exception):
    """Base of the errors that have an answer of their own."""


class NotFound(TrivetError):
    """What was asked for does not exist."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field or query parameter."""

    field: str
    message: str


class Invalid(TrivetError):
    """Fields of the request are invalid: all of them, reported together."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = tuple(errors)


class Conflict(TrivetError):
    """The state of things forbids the call: someone else's resource, protection, a quota."""


class Busy(Conflict):
    """Another call holds the environment, or another run the fleet."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds until the holder's lease has surely run out."""


class QuotaReached(Conflict):
    """An AWS quota is reached."""


class Refused(TrivetError):
    """AWS refuses Trivet itself: its own permissions do not suffice."""


class Unavailable(TrivetError):
    """AWS throttles or fails past all retries, or the time for this call has run out."""

    def __init__(self, message: str, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds."""


class Rejected(TrivetError):
    """AWS does not accept what the templates say: they are wrong for this account."""


class Stale(TrivetError):
    """What was read no longer holds: read again, compare again, and go on."""


class NotAssumable(TrivetError):
    """Step Functions cannot assume the role: made a moment ago, or its trust policy is wrong."""


class NotOffered(TrivetError):
    """The endpoint does not offer this operation at all, as some emulators do."""


class OutOfTime(BotoCoreError):
    """The time for this call has run out; raised instead of sending or retrying a request.

    A `BotoCoreError` so that it takes the same way through botocore as a network failure.
    """

    fmt = "the time for this call has run out"


MISSING = frozenset(
    {
        "NoSuchEntity",
        "StateMachineDoesNotExist",
        "ExecutionDoesNotExist",
        "ResourceNotFoundException",
    }
)
EXISTS = frozenset({"EntityAlreadyExists", "StateMachineAlreadyExists", "ExecutionAlreadyExists"})
THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "ProvisionedThroughputExceededException",
        "BandwidthLimitExceeded",
        "SlowDown",
    }
)
CONCURRENT = frozenset(
    {
        "ConcurrentModification",
        "ConcurrentModificationException",
        "EntityTemporarilyUnmodifiable",
    }
)
_REFUSED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "AuthorizationError",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "ExpiredTokenException",
    }
)
_QUOTA = frozenset(
    {"LimitExceeded", "LimitExceededException", "StateMachineLimitExceeded", "TooManyTags"}
)
_STALE = MISSING | EXISTS | {"DeleteConflict", "StateMachineDeleting"}
_REJECTED = frozenset(
    {
        "MalformedPolicyDocument",
        "InvalidInput",
        "ValidationError",
        "ValidationException",
        "InvalidDefinition",
        "InvalidArn",
        "InvalidName",
        "PolicyNotAttachable",
        "UnmodifiableEntity",
    }
)
_ACTION = re.compile(r"not authorized to perform: ([\w-]+:\w+)")


def code_of(error: BaseException) -> str:
    """Return the AWS error code of an error, or "" where it is no answer of AWS."""
    if not isinstance(error, ClientError):
        return ""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_throttled(error: BaseException) -> bool:
    """Tell whether AWS asked for fewer calls."""
    return code_of(error) in THROTTLED


def not_offered(operation: str, status: int, code: str) -> bool:
    """Tell whether an answer means that the endpoint lacks an operation, as emulators can.

    moto's server answers 500 with a page that holds no AWS error code (the code is then the
    status). That is believed only of an operation that emulators are known to lack: elsewhere
    it is a failure like others, worth another try.
    """
    if status == 501 or code in ("InvalidAction", "UnknownOperationException", "NotImplemented"):
        return True
    return operation == "SimulatePrincipalPolicy" and status == 500 and code in ("", "500")


def translated(error: Exception, doing: str) -> TrivetError:
    """Return AWS's error as one of Trivet's.

    Args:
        error: what botocore raised, or already a `TrivetError`, which is returned as it is.
        doing: what was being done to which resource, e.g. "attaching X to role Y".
    """
    if isinstance(error, TrivetError):
        return error
    if isinstance(error, OutOfTime):
        return Unavailable(f"Time ran out while {doing}. Call again to go on.", retry_after=1)
    if isinstance(error, NotImplementedError):
        # moto in the same process raises this in place of its server's 500.
        return NotOffered(f"This endpoint does not offer {doing}: {error}")
    if not isinstance(error, ClientError):
        return Unavailable(f"AWS did not answer while {doing} ({error}). Call again to go on.")
    return _translated_answer(error, doing)


def _translated_answer(error: ClientError, doing: str) -> TrivetError:
    code, message = code_of(error), str(error.response.get("Error", {}).get("Message", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    said = f"{code}: {message}"
    if code in _REFUSED or (error.operation_name == "CreateStateMachine" and _unready(message)):
        return _refusal(error, message, doing)
    if code in _QUOTA:
        return QuotaReached(
            f"An AWS quota is reached while {doing} ({said}). Ask AWS for a higher one or make "
            "room, then call again to go on."
        )
    if code in THROTTLED:
        return Unavailable(
            f"AWS throttles: {doing} failed past all retries ({said}). Call again to go on."
        )
    if code in CONCURRENT:
        return Unavailable(
            f"Others kept changing the same: {doing} failed past all retries ({said}). Call again "
            "to go on."
        )
    if code in _STALE:
        return Stale(f"AWS's state changed while {doing} ({said}). Call again to go on.")
    if not_offered(error.operation_name, status, code):
        return NotOffered(f"This endpoint does not offer {error.operation_name} ({said}).")
    if code in _REJECTED or 400 <= status < 500:
        return Rejected(
            f"AWS does not accept {doing} ({said}). Correct the template or the request; "
            "nothing more was done to this resource."
        )
    return Unavailable(f"AWS failed while {doing} ({said}). Call again to go on.")


def _unready(message: str) -> bool:
    # Step Functions has one code, AccessDeniedException, for a role that it cannot assume yet,
    # for a role whose policies it does not see yet, and for a caller without permission. Only
    # the text tells them apart (terraform-provider-aws#7893, serverless-step-functions#385).
    return (
        "authorized to assume the provided role" in message
        or "not authorized to create managed-rule" in message
    )


def _refusal(error: ClientError, message: str, doing: str) -> TrivetError:
    if error.operation_name in ("CreateStateMachine", "UpdateStateMachine") and _unready(message):
        return NotAssumable(message)
    stated = _ACTION.search(message)
    called: Any = error.response["Error"]
    action = stated.group(1) if stated else called.get("Action", error.operation_name)
    return Refused(
        f"AWS refuses Trivet {action} while {doing} ({code_of(error)}: {message}). "
        "Grant it to the function's role, then call again."
    )


def withdrawn(policy: str) -> str:
    """Return what to say of an AWS managed policy, by its ARN, that can no longer be attached."""
    return (
        f"AWS has no managed policy {policy} in this partition, or withdrew it. Correct the role's "
        "aws_managed_policies under policies/."
    )


def left_to_do(changes: Sequence[Change]) -> str:
    """Return a sentence naming the changes that were not made."""
    if not changes:
        return "Nothing else is left to do."
    named = ", ".join(f"{change.kind} on {_short(change)}" for change in changes)
    return f"Left to do: {named}."


def _short(change: Change) -> str:
    name = change.resource.rsplit(":", 1)[-1]
    what: Mapping[str, str] | str | None = change.expected
    return f"{name} ({what})" if isinstance(what, str) else name
