"""Errors as answers: RFC 9457 problem documents, one per kind of error."""

from collections.abc import Mapping

import msgspec
from chalice.app import Response

from chalicelib import errors
from chalicelib.api.requests import NotJson
from chalicelib.api.schemas import FieldProblem, Problem

CONTENT_TYPE = "application/problem+json"

# The first that fits counts: subclasses stand before their bases.
_KINDS: Mapping[type[Exception], tuple[int, str, str]] = {
    NotJson: (400, "not-json", "The body is not a JSON object"),
    errors.NotFound: (404, "not-found", "Not found"),
    errors.Invalid: (422, "invalid-fields", "Fields of the request are invalid"),
    errors.Busy: (409, "busy", "Another call is at work"),
    errors.QuotaReached: (409, "quota-reached", "An AWS quota is reached"),
    errors.Unreadable: (500, "unreadable-record", "A record in the table cannot be read"),
    errors.Conflict: (409, "conflict", "The state of things forbids this"),
    errors.Refused: (502, "refused-by-aws", "AWS refuses Trivet"),
    errors.Rejected: (502, "rejected-by-aws", "AWS does not accept a request of Trivet"),
    errors.NotOffered: (502, "not-offered", "The endpoint does not offer an operation"),
    errors.Unavailable: (503, "unavailable", "AWS throttles, fails or takes too long"),
    errors.Stale: (503, "stale", "AWS's state kept changing"),
    errors.NotYet: (503, "not-yet", "The state machine cannot be made yet"),
}

_UNEXPECTED = "unexpected"
_REQUEST_REFUSED = "request-refused"
_URN = "urn:trivet:problem:"

TYPES = sorted(
    f"{_URN}{kind}"
    for kind in (*(each[1] for each in _KINDS.values()), _UNEXPECTED, _REQUEST_REFUSED)
)
"""Every `type` that a problem can have."""

RETRY_AFTER_STALE = 2
"""Seconds."""


def of_error(error: errors.TrivetError) -> Response:
    """Return the answer that tells of one of Trivet's errors."""
    status, kind, title = next(
        described for base, described in _KINDS.items() if isinstance(error, base)
    )
    detail = str(error)
    problem = Problem(f"{_URN}{kind}", title, status, detail)
    if isinstance(error, errors.Invalid):
        listed = [FieldProblem(each.field, each.message) for each in error.errors]
        problem = msgspec.structs.replace(problem, errors=listed)
    headers = {}
    if isinstance(error, errors.Busy | errors.Unavailable):
        headers["Retry-After"] = str(error.retry_after)
    elif status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_STALE)
    return _response(problem, headers)


def unexpected(correlation_id: str) -> Response:
    """Return the answer to what must not happen; the log has the rest under this id."""
    detail = f"Something unexpected went wrong; it is in the log under {correlation_id}."
    kind = f"{_URN}{_UNEXPECTED}"
    problem = Problem(kind, "Unexpected error", 500, detail, correlation_id=correlation_id)
    return _response(problem, {})


def of_status(status: int, detail: str, headers: Mapping[str, str]) -> Response:
    """Return the answer where Chalice itself refuses a request, such as 405."""
    kind = f"{_URN}{_REQUEST_REFUSED}"
    return _response(Problem(kind, "Request refused", status, detail), headers)


def _response(problem: Problem, headers: Mapping[str, str]) -> Response:
    return Response(
        body=msgspec.json.encode(problem).decode(),
        status_code=problem.status,
        headers={"Content-Type": CONTENT_TYPE, **headers},
    )
