"""The app driven as its callers drive it: by requests, and by Lambda's events."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from chalice.config import Config
from chalice.local import LambdaContext, LocalGateway, LocalGatewayException

from . import product
from .checks import JSON, Answer, Check, by_openapi, route
from .clock import Clock
from .hostile import AT_REST
from .names import ACCOUNT, HOME, IN_MEMBER, NAME
from .wire import Wire

QUARTER_OF_AN_HOUR = 900
"""Seconds: what Lambda gives a function at most."""


def unchecked(method: str, path: str, answer: Answer) -> None:
    """Assert nothing."""


class Api:
    """The API, as an internal tool calls it."""

    def __init__(self, wire: Wire, check: Check = unchecked) -> None:
        self.wire = wire
        self._check = check
        if IN_MEMBER:
            registered = self.put(f"/accounts/{ACCOUNT}", {})
            assert registered.status in (200, 201), registered

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        seconds: float = 30,
    ) -> Answer:
        """Send a request to a Lambda function that has so many seconds left.

        What is asked of environments is asked of those of `ACCOUNT`.

        Args:
            body: what is not bytes already is sent as JSON.

        Raises:
            Killed: if the process was.
        """
        path, body = _of_account(method, path, body)
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        gateway: Any = LocalGateway(product.app, Config.create(lambda_timeout=seconds))
        sent = {"Content-Type": JSON} if headers is None else headers
        try:
            answer = _answer(gateway.handle_request(method, path, sent, raw))
        except LocalGatewayException as error:
            named = {name.lower(): str(value) for name, value in error.headers.items()}
            return Answer(error.CODE, json.loads(error.body or b"null"), named)
        self._check(method, path, answer)
        return answer

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def post(self, path: str, body: Any = None) -> Answer:
        return self.request("POST", path, body)

    def put(self, path: str, body: Any = None) -> Answer:
        return self.request("PUT", path, body)

    def delete(self, path: str) -> Answer:
        return self.request("DELETE", path)

    def provision(self, name: str = NAME, **fields: Any) -> Any:
        """Provision an environment that must come out well, and return its document."""
        answer = self.post("/environments", {"name": name, **fields})
        assert answer.status in (200, 201), answer
        return answer.body


class PatientApi(Api):
    """The API, asked by somebody who lets AWS come to rest before each request."""

    def __init__(self, wire: Wire, clock: Clock, check: Check = unchecked) -> None:
        self._clock = clock
        super().__init__(wire, check)

    def request(self, *args: Any, **kwargs: Any) -> Answer:
        rest(self._clock)
        return super().request(*args, **kwargs)


def rest(clock: Clock) -> None:
    """Let AWS come to rest; nobody of Trivet's sleeps then."""
    clock.sleep(AT_REST)
    clock.slept -= AT_REST


def invoke(function: str, event: dict[str, Any], seconds: float = QUARTER_OF_AN_HOUR) -> None:
    """Invoke one of the other Lambda functions, which has so many seconds."""
    handler: Any = product.app.handler_map[function]
    handler(event, LambdaContext(function, memory_size=512, max_runtime_ms=int(seconds * 1000)))


@dataclass(frozen=True)
class Context:
    """What Lambda hands a function beside its event."""

    remaining_ms: int = 30_000
    aws_request_id: str = "lambda-request"
    function_name: str = "trivet-dev"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = f"arn:aws:lambda:us-east-1:{HOME}:function:trivet-dev"

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


def on_lambda(
    method: str,
    path: str,
    body: Any = None,
    *,
    caller: str | None = f"arn:aws:sts::{ACCOUNT}:assumed-role/Team/alice",
    request_id: str = "request-1",
    context: Context | None = None,
) -> Answer:
    """Send a request the way API Gateway hands it to the function, and check the answer."""
    path, body = _of_account(method, path, body)
    event = request_event(method, path, body, caller, request_id)
    answer = _answer(product.app(event, context or Context()))
    by_openapi(method, path, answer)
    return answer


def request_event(
    method: str,
    path: str,
    body: Any = None,
    caller: str | None = None,
    request_id: str = "11111111-1111-1111-1111-111111111111",
) -> dict[str, Any]:
    """Return what API Gateway hands over for a request."""
    path, _, query = path.partition("?")
    resource = route(method, path)
    named = {
        one.strip("{}"): unquote(two)
        for one, two in zip(resource.split("/"), path.split("/"), strict=False)
        if one.startswith("{")
    }
    parameters: dict[str, list[str]] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        parameters.setdefault(key, []).append(value)
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": {"Content-Type": JSON, "Host": "api.example"},
        "multiValueHeaders": {"Content-Type": [JSON], "Host": ["api.example"]},
        "queryStringParameters": {key: values[-1] for key, values in parameters.items()} or None,
        "multiValueQueryStringParameters": parameters or None,
        "pathParameters": named or None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": resource,
            "httpMethod": method,
            "path": f"/dev{path}",
            "stage": "dev",
            "requestId": request_id,
            "identity": {"userArn": caller, "sourceIp": "192.0.2.1", "accountId": ACCOUNT},
        },
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def _of_account(method: str, path: str, body: Any) -> tuple[str, Any]:
    """Return the path and body that ask of the environments of a member, where they are in one."""
    if not IN_MEMBER:
        return path, body
    if path.startswith("/environments"):
        return f"/accounts/{ACCOUNT}{path}", body
    if (method, path) == ("POST", "/drift-runs") and (body is None or isinstance(body, dict)):
        return path, {"accounts": [ACCOUNT], **(body or {})}
    return path, body


def _answer(given: Any) -> Answer:
    headers = {key.lower(): values[0] for key, values in given["multiValueHeaders"].items()}
    headers |= {key.lower(): str(value) for key, value in given["headers"].items()}
    return Answer(given["statusCode"], json.loads(given["body"]), headers)
