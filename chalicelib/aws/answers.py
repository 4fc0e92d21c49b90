"""AWS's answers in Trivet's own terms: error codes are matched here, and nowhere else.

Codes are those that botocore's models declare for the operations that Trivet calls, and the common
ones of each protocol: a test holds the two against each other, and fails when a new one appears.
"""

import re
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from chalicelib.errors import (
    NotOffered,
    NotYet,
    QuotaReached,
    Refused,
    Rejected,
    Stale,
    TrivetError,
    Unavailable,
)


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
        "TableNotFoundException",
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
        "KmsThrottlingException",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
    }
)
CONCURRENT = frozenset(
    {
        "ConcurrentModification",
        "ConcurrentModificationException",
        "EntityTemporarilyUnmodifiable",
        "ConflictException",
        "TransactionConflictException",
        "TransactionInProgressException",
        "ReplicatedWriteConflictException",
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
        "RequestExpired",
        "OptInRequired",
        "KmsAccessDeniedException",
        "RegionDisabledException",
    }
)
_QUOTA = frozenset(
    {
        "LimitExceeded",
        "LimitExceededException",
        "StateMachineLimitExceeded",
        "ExecutionLimitExceeded",
        "ServiceQuotaExceededException",
        "TooManyTags",
    }
)
_STALE = MISSING | EXISTS | {"DeleteConflict"}
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
        "IdempotentParameterMismatchException",
        "InvalidEncryptionConfiguration",
        "InvalidExecutionInput",
        "InvalidLoggingConfiguration",
        "InvalidTracingConfiguration",
        "ItemCollectionSizeLimitExceededException",
        "KmsInvalidStateException",
        "MissingRequiredParameter",
        "PackedPolicyTooLarge",
        "StateMachineTypeNotSupported",
    }
)
FAILED = frozenset(
    {"InternalException", "InternalServerError", "PolicyEvaluation", "ServiceFailure"}
)
"""AWS's own failures, which another try can get past."""

_OF_THE_TABLE = frozenset(
    {
        "ConditionalCheckFailedException",
        "ContinuousBackupsUnavailableException",
        "ResourceInUseException",
        "TransactionCanceledException",
    }
)
"""What `table` expects of DynamoDB, and settles where it makes the call."""

KNOWN = frozenset().union(
    *(MISSING, EXISTS, THROTTLED, CONCURRENT, _REFUSED, _QUOTA, _STALE, _REJECTED, FAILED),
    _OF_THE_TABLE,
    {"StateMachineDeleting"},
)
"""Every code that is told apart by its name."""

_ACTION = re.compile(r"not authorized to perform: ([\w-]+:\w+)")


_MAKES_MACHINES = ("CreateStateMachine", "UpdateStateMachine")


def code_of(error: BaseException) -> str:
    """Return the AWS error code of an error, or "" where it is no answer of AWS."""
    if not isinstance(error, ClientError):
        return ""
    return str(error.response.get("Error", {}).get("Code", ""))


def _message(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", ""))


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
    if isinstance(error, ParamValidationError):
        # Nothing was sent: what the SDK itself refuses is nobody's weather.
        return Rejected(
            f"The AWS SDK does not accept {doing}: {error} Correct the template or the request."
        )
    if not isinstance(error, ClientError):
        return Unavailable(f"AWS did not answer while {doing} ({error}). Call again to go on.")
    return _translated_answer(error, doing)


def _translated_answer(error: ClientError, doing: str) -> TrivetError:
    code, message = code_of(error), _message(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    said = f"{code}: {message}"
    if code == "StateMachineDeleting" or (
        error.operation_name in _MAKES_MACHINES and _unready(message)
    ):
        return NotYet(message)
    if code in _REFUSED:
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
    if code not in FAILED and (code in _REJECTED or 400 <= status < 500):
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


def call(doing: str, function: Callable[..., Any], **parameters: Any) -> Any:
    """Make one AWS call.

    Args:
        doing: what is being done to which resource, e.g. "attaching X to role Y".

    Raises:
        TrivetError: with `doing` in its message.
    """
    try:
        return function(**parameters)
    except (ClientError, BotoCoreError) as error:
        raise translated(error, doing) from error


def found(doing: str, function: Callable[..., Any], **parameters: Any) -> Any:
    """Make one AWS call; return `None` where AWS says that there is no such thing.

    Raises:
        TrivetError: any other error, with `doing` in its message.
    """
    try:
        return function(**parameters)
    except (ClientError, BotoCoreError, NotImplementedError) as error:
        if code_of(error) in MISSING:
            return None
        raise translated(error, doing) from error
