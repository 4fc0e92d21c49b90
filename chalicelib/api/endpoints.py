"""What every route has in common: authorisation, the operation it begins, answer and error.

A route says what it takes and gives in one place, `endpoint`; validation, the answer and the
OpenAPI document follow from that.
"""

import uuid
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import wraps
from typing import Any

import msgspec
from chalice.app import Blueprint, IAMAuthorizer, Request, Response

from chalicelib.api import problems, requests
from chalicelib.api.schemas import Nothing
from chalicelib.aws.clients import CALL_TIMEOUT, LAST_CALL_TIMEOUT
from chalicelib.errors import TrivetError, Unreadable
from chalicelib.installation import Installation, installed
from chalicelib.triggers.invocation import function_arn, seconds_left
from chalicelib.work import telemetry
from chalicelib.work.operation import CLOCK, Operation, under_way

_API_GATEWAY_LIMIT = 29
"""Seconds: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html"""

_ANSWERING = 1
"""Seconds kept for the answer, once no AWS call is under way any more."""

_REQUEST: ContextVar[Request] = ContextVar("request")


class Answer(msgspec.Struct, frozen=True):
    """What a route answers."""

    body: msgspec.Struct | Mapping[str, Any]
    status: int = 200
    location: str | None = None
    """The path of what was made or begun."""


class Endpoint(msgspec.Struct, frozen=True):
    """A route as the OpenAPI document describes it."""

    method: str
    path: str
    name: str
    """What generated clients call it, such as `getEnvironmentDrift`."""
    tag: str
    summary: str
    body: type[msgspec.Struct] | None
    query: type[msgspec.Struct]
    answers: Mapping[int, Any]
    problems: tuple[int, ...]


ENDPOINTS: list[Endpoint] = []


class Call(msgspec.Struct, frozen=True):
    """A validated request: `body` and `query` are of the endpoint's types."""

    body: Any
    query: Any
    installation: Installation


def endpoint(
    blueprint: Blueprint,
    method: str,
    path: str,
    *,
    name: str,
    answers: Mapping[int, Any],
    tag: str = "environments",
    problems: tuple[int, ...] = (),
    body: type[msgspec.Struct] | None = None,
    query: type[msgspec.Struct] = Nothing,
    validated_path: tuple[str, ...] = (),
) -> Callable[[Callable[..., Answer]], Callable[..., Response]]:
    """Register a function as a route. It gets a `Call` and the path's parameters.

    Args:
        name: the operation's name in the OpenAPI document.
        answers: the struct that the body is of, by status.
        problems: the statuses of the errors it can have, besides 422, 500, 502 and 503.
        validated_path: the path's parameters to which a value that none can have gets a 422.
    """

    def register(view: Callable[..., Answer]) -> Callable[..., Response]:
        statuses = tuple(sorted({*problems, 422, 500, 502, 503} | ({400} if body else set())))
        summary = (view.__doc__ or "").strip().splitlines()[0]
        ENDPOINTS.append(Endpoint(method, path, name, tag, summary, body, query, answers, statuses))

        @wraps(view)
        def answer(**path_parameters: str) -> Response:
            checked = {each: path_parameters[each] for each in validated_path}
            return _answer(view, path_parameters, body, query, checked)

        # No content types: whatever a body is said to be, it is read as JSON.
        register_route = blueprint.route(
            path, methods=[method], authorizer=IAMAuthorizer(), content_types=[]
        )
        routed: Callable[..., Response] = register_route(answer)
        return routed

    return register


def _answer(
    view: Callable[..., Answer],
    path_parameters: Mapping[str, str],
    body: type[msgspec.Struct] | None,
    query: type[msgspec.Struct],
    checked: Mapping[str, str],
) -> Response:
    request = _REQUEST.get()
    with under_way(_operation(request)) as current:
        try:
            fields, parameters = requests.validated(request, body, query, checked)
            requests.check_possible(path_parameters, checked)
            installation = installed(current, function_arn(request.lambda_context))
            return _response(view(Call(fields, parameters, installation), **path_parameters))
        except TrivetError as error:
            return _refused(error, current)
        except Exception:  # noqa: BLE001 - the last resort: an answer without internals
            telemetry.LOGGER.exception("unexpected error", extra={"correlation_id": current.id})
            telemetry.count("UnexpectedErrors")
            return problems.unexpected(current.id)
        finally:
            telemetry.count("RequestDuration", CLOCK.now() - current.started)
            telemetry.flush()


def _response(given: Answer) -> Response:
    return Response(
        body=msgspec.json.encode(given.body).decode(),
        status_code=given.status,
        headers={
            "Content-Type": "application/json",
            **({"Location": given.location} if given.location else {}),
        },
    )


def _refused(error: TrivetError, current: Operation) -> Response:
    telemetry.LOGGER.info(
        "refused",
        extra={
            "request_id": current.request_id,
            "caller": current.caller,
            "error": type(error).__name__,
            "reason": str(error),
        },
    )
    if isinstance(error, Unreadable):
        telemetry.count("UnexpectedErrors")
    return problems.of_error(error)


def middleware(request: Request, get_response: Callable[[Request], Response]) -> Response:
    """Keep the request for this thread, and render what Chalice itself refuses as a problem.

    What API Gateway hands over says who signed it. An event that does not is somebody's own.
    """
    if "identity" not in request.context:
        return problems.of_status(403, "Requests come signed, through API Gateway.", {})
    _REQUEST.set(request)
    response = get_response(request)
    content_type = {name.lower(): value for name, value in response.headers.items()}.get(
        "content-type", ""
    )
    if response.status_code < 400 or content_type == problems.CONTENT_TYPE:
        return response
    body = response.body if isinstance(response.body, dict) else {}
    if response.status_code >= 500:
        # Chalice has logged the traceback; this line gives it an id.
        correlation_id = uuid.uuid4().hex
        telemetry.LOGGER.error("chalice failed", extra={"correlation_id": correlation_id})
        return problems.unexpected(correlation_id)
    kept = {name: str(value) for name, value in response.headers.items() if name == "Allow"}
    return problems.of_status(response.status_code, str(body.get("Message", "")), kept)


def _operation(request: Request) -> Operation:
    """Return the operation that a request begins, with the time that API Gateway leaves it."""
    now = CLOCK.now()
    limit = min(_API_GATEWAY_LIMIT, seconds_left(request.lambda_context))
    identity = request.context.get("identity") or {}
    last_call = now + limit - _ANSWERING - LAST_CALL_TIMEOUT
    return Operation(
        started=now,
        # A call begun at the deadline may take its time-out; then the end is still recorded.
        deadline=last_call - CALL_TIMEOUT,
        last_call=last_call,
        caller=identity.get("userArn"),
        request_id=request.context.get("requestId"),
    )
