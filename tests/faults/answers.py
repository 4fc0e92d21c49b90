"""The error answers of the real services, byte for byte where it matters.

IAM and STS speak XML (https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html),
DynamoDB and Step Functions JSON with the code in `__type`.
"""

import json
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

from botocore.awsrequest import AWSResponse

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
_NAMESPACES = {
    "DynamoDB": "com.amazonaws.dynamodb.v20120810#",
    "SFN": "",
}


class _Body(BytesIO):
    def stream(self, **_: Any) -> Any:
        yield self.read()


def error(service: str, url: str, code: str, message: str) -> AWSResponse:
    """Return an error as this service words it.

    Args:
        service: botocore's id of it: `IAM`, `STS`, `DynamoDB`, `SFN`.
        code: the error code, which also tells the HTTP status.
    """
    status = _STATUSES.get(code, 400)
    if service in _NAMESPACES:
        body = {"__type": f"{_NAMESPACES[service]}{code}", "message": message}
        return raw(url, status, "application/x-amz-json-1.0", json.dumps(body))
    kind = "Sender" if status < 500 else "Receiver"
    xml = (
        '<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error>'
        f"<Type>{kind}</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        "<RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"
    )
    return raw(url, status, "text/xml", xml)


def proxy_error(url: str, status: int) -> AWSResponse:
    """Return the page of a proxy or load balancer on the way, which is no answer of AWS at all."""
    return raw(url, status, "text/html", f"<html><body><h1>{status}</h1></body></html>")


def raw(url: str, status: int, content_type: str, body: str) -> AWSResponse:
    """Return an HTTP answer."""
    headers = {"Content-Type": content_type}
    return AWSResponse(url, status, headers, _Body(body.encode()))  # type: ignore[arg-type]
