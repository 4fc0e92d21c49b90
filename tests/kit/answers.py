"""Answers of the real services, byte for byte where it matters.

IAM and STS speak XML (https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html),
DynamoDB, EventBridge and Step Functions JSON with the code in `__type`.
"""

import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

from botocore.awsrequest import AWSResponse

THROTTLES: Mapping[str, tuple[str, ...]] = {
    "IAM": ("Throttling",),
    "STS": ("Throttling",),
    "SFN": ("ThrottlingException", "TooManyRequestsException"),
    "DynamoDB": ("ProvisionedThroughputExceededException", "ThrottlingException"),
    "EventBridge": ("ThrottlingException",),
}
"""The codes with which each service asks for fewer calls."""

FAILURES: Mapping[str, str] = {
    "IAM": "ServiceFailure",
    "STS": "ServiceUnavailable",
    "SFN": "InternalServerError",
    "DynamoDB": "InternalServerError",
    "EventBridge": "InternalException",
}

_STATUSES = {
    "AccessDenied": 403,
    "ConcurrentModification": 409,
    "DeleteConflict": 409,
    "EntityAlreadyExists": 409,
    "LimitExceeded": 409,
    "NoSuchEntity": 404,
    "ServiceFailure": 500,
    "InternalServerError": 500,
    "ServiceUnavailable": 503,
}
_XML = ("IAM", "STS")
_NAMESPACES = {"DynamoDB": "com.amazonaws.dynamodb.v20120810#"}
_IAM = "https://iam.amazonaws.com/doc/2010-05-08/"


class _Body(BytesIO):
    def stream(self, **_: Any) -> Any:
        yield self.read()


def error(
    service: str, url: str, code: str, message: str, status: int | None = None
) -> AWSResponse:
    """Return an error as this service words it.

    Args:
        service: botocore's id of it: `IAM`, `STS`, `DynamoDB`, `SFN`, `EventBridge`.
        code: the error code, which also tells the HTTP status if none is given.
    """
    status = status or _STATUSES.get(code, 400)
    if service not in _XML:
        body = {"__type": f"{_NAMESPACES.get(service, '')}{code}", "message": message}
        return raw(url, status, "application/x-amz-json-1.0", json.dumps(body))
    kind = "Sender" if status < 500 else "Receiver"
    xml = (
        f'<ErrorResponse xmlns="{_IAM}"><Error>'
        f"<Type>{kind}</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        "<RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"
    )
    return raw(url, status, "text/xml", xml)


def success(service: str, url: str, action: str, result: Mapping[str, Any]) -> AWSResponse:
    """Return what an action came to, as this service writes it.

    Args:
        result: in the shape that botocore gives it to callers, times as JSON has them.
    """
    if service not in _XML:
        return raw(url, 200, "application/x-amz-json-1.0", json.dumps(result))
    xml = f"<{action}Result>{_elements(result)}</{action}Result>"
    return raw(url, 200, "text/xml", f'<{action}Response xmlns="{_IAM}">{xml}</{action}Response>')


def proxy_error(url: str, status: int) -> AWSResponse:
    """Return the page of a proxy or load balancer on the way, which is no answer of AWS at all."""
    return raw(url, status, "text/html", f"<html><body><h1>{status}</h1></body></html>")


def raw(url: str, status: int, content_type: str, body: str) -> AWSResponse:
    """Return an HTTP answer."""
    headers = {"Content-Type": content_type}
    return AWSResponse(url, status, headers, _Body(body.encode()))  # type: ignore[arg-type]


def _elements(value: Any) -> str:
    if isinstance(value, Mapping):
        return "".join(f"<{key}>{_elements(each)}</{key}>" for key, each in value.items())
    if isinstance(value, list):
        return "".join(f"<member>{_elements(each)}</member>" for each in value)
    return escape(str(value).lower() if isinstance(value, bool) else str(value))
