"""What every route has in common: authorisation, the operation it begins, answer and error.

A route says what it takes and gives in one place, `endpoint`; validation, the answer and the
OpenAPI document follow from that.
"""

import os
import uuid
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import Any

import msgspec
from chalice.app import Blueprint, IAMAuthorizer, Request, Response

from chalicelib import operation, telemetry, templates
from chalicelib.api import problems, requests
from chalicelib.api.schemas import Nothing
from chalicelib.aws import CALL_TIMEOUT, LAST_CALL_TIMEOUT, own_account
from chalicelib.errors import TrivetError, Unavailable
from chalicelib.operation import CLOCK, Operation
from chalicelib.provisioner import Provisioner
from chalicelib.store import Store

_API_GATEWAY_LIMIT = 29
"""Seconds: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html"""

_ANSWERING = 1
"""Seconds kept for the answer, once no AWS call is under way any more."""

_REQUEST: ContextVar[Request] = ContextVar("request")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route answers: a struct of `schemas`, or bytes that are JSON already."""

    body: msgspec.Struct | bytes | Mapping[str, Any]
    status: int = 200


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route as the OpenAPI document describes it."""

    method: str
    path: str
    summary: str
    body: type[msgspec.Struct] | None
    query: type[msgspec.Struct]
    answers: Mapping[int, Any]
    problems: tuple[int, ...]


ENDPOINTS: list[Endpoint] = []


@dataclass(frozen=True, slots=True)
class Call:
    """A validated request: `body` and `query` are of the endpoint's types."""

    body: Any
    query: Any
    operation: Operation


def endpoint(
    blueprint: Blueprint,
    method: str,
    path: str,
    *,
    answers: Mapping[int, Any],
    problems: tuple[int, ...] = (),
    body: type[msgspec.Struct] | None = None,
    query: type[msgspec.Struct] = Nothing,
    validate_name: bool = False,
) -> Callable[[Callable[..., Answer]], Callable[..., Response]]:
    """Register a function as a route. It gets a `Call` and the path's parameters.

    Args:
        answers: the struct that the body is of, by status.
        problems: the statuses of the errors it can have, besides 422, 500, 502 and 503.
        validate_name: answer 422 to a name in the path that none can have.
    """

    def register(view: Callable[..., Answer]) -> Callable[..., Response]:
        statuses = tuple(sorted({*problems, 422, 500, 502, 503} | ({400} if body else set())))
        summary = (view.__doc__ or "").strip().splitlines()[0]
        ENDPOINTS.append(Endpoint(method, path, summary, body, query, answers, statuses))

        @wraps(view)
        def answer(**path_parameters: str) -> Response:
            return _answer(view, path_parameters, body, query, validate_name)

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
    validate_name: bool,
) -> Response:
    request = _REQUEST.get()
    current = operation.begin(_operation(request))
    try:
        names = path_parameters if validate_name else {}
        fields, parameters = requests.validated(request, body, query, names)
        given = view(Call(fields, parameters, current), **path_parameters)
    except TrivetError as error:
        telemetry.LOGGER.info(
            "refused",
            extra={
                "request_id": current.request_id,
                "caller": current.caller,
                "error": type(error).__name__,
                "reason": str(error),
            },
        )
        if isinstance(error, Unavailable):
            own_account().renew()
        return problems.of_error(error)
    except Exception:  # noqa: BLE001 - the last resort: an answer without internals
        telemetry.LOGGER.exception("unexpected error", extra={"correlation_id": current.id})
        telemetry.count("UnexpectedErrors")
        return problems.unexpected(current.id)
    finally:
        telemetry.count("RequestDuration", CLOCK.now() - current.started)
        telemetry.flush()
    content = given.body if isinstance(given.body, bytes) else msgspec.json.encode(given.body)
    return Response(
        body=content.decode(),
        status_code=given.status,
        headers={"Content-Type": "application/json"},
    )


def middleware(request: Request, get_response: Callable[[Request], Response]) -> Response:
    """Keep the request for this thread, and render what Chalice itself refuses as a problem."""
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


def seconds_left(lambda_context: Any) -> float:
    """Return the seconds that Lambda leaves this invocation."""
    return float(lambda_context.get_remaining_time_in_millis()) / 1000


def provisioner(current: Operation) -> Provisioner:
    """Return Trivet's work on the account that it runs in, for one operation."""
    account = own_account()
    return Provisioner(
        account=account,
        store=Store(account, table_name(), current),
        templates=templates.load(),
        operation=current,
        permissions_boundary=os.environ.get("TRIVET_PERMISSIONS_BOUNDARY") or None,
    )


def table_name() -> str:
    """Return the name of the table: `TRIVET_TABLE`, else by the stage, `trivet-local` locally."""
    on_lambda = "AWS_LAMBDA_FUNCTION_NAME" in os.environ
    stage = os.environ.get("TRIVET_STAGE", "dev") if on_lambda else "local"
    return os.environ.get("TRIVET_TABLE") or f"trivet-{stage}"
