"""What can go wrong, in Trivet's own terms.

    TrivetError
     ├─ NotFound              404  what was asked for does not exist
     ├─ Invalid               422  fields of the request, all of them together
     ├─ Conflict              409  the state of things forbids the call
     │   ├─ Busy                   another call is at work
     │   └─ QuotaReached           an AWS quota
     ├─ Unreadable            500  a row of the table that does not say what it should
     ├─ Refused               502  AWS refuses Trivet itself
     ├─ Rejected              502  AWS does not accept what the templates say
     ├─ NotOffered            502  the endpoint has no such operation
     ├─ Unavailable           503  AWS throttles or fails past all retries, or time ran out
     ├─ Stale                 503  what was read no longer holds
     └─ NotYet                503  the state machine cannot be made (yet)

Every one becomes one answer of the API (`chalicelib/api/problems.py`). Its text names what was
being done to which resource, and what to do next. AWS's codes become these in
`chalicelib/aws/answers.py`.
"""

from collections.abc import Sequence

import msgspec


class TrivetError(Exception):
    """Base of the errors that have an answer of their own."""


class NotFound(TrivetError):
    """What was asked for does not exist."""


SHOWN = 200
"""Characters of a caller's own word that an error repeats."""


class FieldError(msgspec.Struct, frozen=True):
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


class Unreadable(TrivetError):
    """A row of the table cannot be read, or does not match its key: it harms only itself."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name
        """What the row is of, by its key: an environment's name, an account's id, a run's."""


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


class NotYet(TrivetError):
    """The state machine cannot be made yet.

    Its role was made a moment ago or is wrong, or a machine of its name is still being deleted.
    """


class NotOffered(TrivetError):
    """The endpoint does not offer this operation at all, as some emulators do."""
