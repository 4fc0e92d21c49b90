"""HTTP to Trivet's API, signed with the caller's own AWS credentials.

`Api.call` sends one request and returns the API's own document. What goes wrong is one of two
errors: the API refused or failed (`Problem`), or no answer came (`Unreachable`). Both say what to
do next. Signing is in `trivet.aws`, imported when first needed: botocore takes longer to import
than all the rest.
"""

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from trivet import errors
from trivet.errors import Problem, Unreachable

if TYPE_CHECKING:
    from botocore.session import Session

__all__ = ["Answer", "Api", "Problem", "Unreachable", "path_of"]

TIMEOUT = 35.0
"""Seconds: API Gateway answers within 29, whatever becomes of the request."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API answered: `body` is its document, `headers` have names in lower case."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: signed headers are for the host that they were signed for."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Api:
    """Trivet's API at one URL.

    Args:
        url: of the API, its stage included, as in
            `https://a1b2c3.execute-api.us-east-1.amazonaws.com/dev`. Requests over https are
            signed; over http (`make serve`) nothing is signed, so that no credentials are sent.
        session: whose credentials sign; the AWS SDK's standard ones where it is left out.
        timeout: seconds to wait for an answer.

    Raises:
        ValueError: the URL is none.
    """

    def __init__(
        self, url: str, session: "Session | None" = None, timeout: float = TIMEOUT
    ) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise ValueError(
                f"{url!r} is not the URL of an API: it has the form https://HOST/STAGE"
            )
        self.url = url.rstrip("/")
        self._host = parts.hostname
        self._signs = parts.scheme == "https"
        self._session = session
        self._timeout = timeout
        handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
        if self._host in ("127.0.0.1", "localhost", "::1"):
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str | int | None] | None = None,
    ) -> Answer:
        """Send one request.

        Args:
            path: with a leading slash, its parts quoted (`path_of`).
            query: what is `None` is left out.

        Raises:
            Problem: the API answered with an error.
            Unreachable: no answer came.
        """
        given = {key: value for key, value in (query or {}).items() if value is not None}
        url = self.url + path
        if given:
            url += "?" + urllib.parse.urlencode(given, quote_via=urllib.parse.quote)
        headers = {"Accept": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        if content is not None:
            headers["Content-Type"] = "application/json"
        if self._signs:
            from trivet import aws

            headers = aws.signed(method, url, content, headers, self._session)
        request = urllib.request.Request(url, content, headers, method=method)  # noqa: S310
        return self._sent(request)

    def _sent(self, request: urllib.request.Request) -> Answer:
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                content, status = response.read(), response.status
                headers = _lower(response.headers)
        except urllib.error.HTTPError as error:
            with error:
                raise _problem(error.code, error.read(), _lower(error.headers)) from error
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(self._no_answer(error, request.get_method())) from error
        try:
            document = json.loads(content)
        except ValueError as error:
            raise Unreachable(f"{self.url} answers, but not with JSON. {_CHECK_URL}") from error
        return Answer(status, document, headers)

    def _no_answer(self, error: Exception, method: str) -> str:
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, TimeoutError):
            said = f"{self.url} gave no answer within {self._timeout:g} s."
            return f"{said} {'Try again.' if method == 'GET' else errors.SAFE_TO_REPEAT}"
        why = getattr(reason, "strerror", None) or reason
        return f"{self.url} cannot be reached: {why}. {_CHECK_URL}"


_CHECK_URL = "Check --url or TRIVET_URL, your network, and that the API is deployed or served."


def path_of(*parts: str) -> str:
    """Return the path of these parts, each quoted: `path_of("environments", name)`."""
    return "".join("/" + urllib.parse.quote(part, safe="") for part in parts)


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _problem(status: int, content: bytes, headers: Mapping[str, str]) -> Problem:
    """Return the problem that an answer holds, API Gateway's own answers included."""
    try:
        found = json.loads(content)
    except ValueError:
        found = None
    body: dict[str, Any] = found if isinstance(found, dict) else {}
    title = str(body.get("title") or _phrase(status))
    said = body.get("detail") or body.get("message") or body.get("Message")
    retry_after = headers.get("retry-after", "")
    return Problem(
        status,
        title,
        str(said or f"The API answered with {status} {title}."),
        body.get("errors") or [],
        int(retry_after) if retry_after.isdigit() else None,
        type=str(body.get("type") or "about:blank"),
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
