"""Who may use the console: the browser that opened the URL which `trivet console` printed.

Whatever reaches the console's port acts with the operator's AWS credentials, so that these have
to be kept out:

- other programs and users of the machine: they lack the token. It is random, is in the printed
  URL only, and is exchanged at once for a cookie, so that it does not stay in the address bar;
- a page of another origin in the operator's browser: its requests carry no cookie
  (`SameSite=Strict`), or tell where they come from (`Sec-Fetch-Site`, `Origin`), and lack the
  forms' own token;
- a host name of an attacker's that was made to point at 127.0.0.1 (DNS rebinding): `Host` has to
  be the console's own.

A browser sends cookies to every port of a host: a server of another user's on the same machine,
when visited in the same browser, sees this one. So the cookie alone does nothing: what changes
something needs the form's token besides.
"""

import base64
import hashlib
import hmac
import secrets

from flask import Flask, Response, request

from trivet.wiring.shapes import STYLE

_PICTURE_STYLE = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
"""The wiring picture's own style, the one that stands in a page."""

_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'self' 'sha256-{_PICTURE_STYLE}'; script-src 'self'; "
        "img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_OPEN_THE_URL = "Open the URL that trivet console printed; it is good until the console ends.\n"


class Guard:
    """Lets through what the operator's own browser asks for.

    Args:
        port: that the console listens on.

    Attributes:
        token: to be in the URL that the operator opens.
        form_token: to be in every form, as `form_token`.
    """

    def __init__(self, port: int) -> None:
        self.token = secrets.token_urlsafe(32)
        self.form_token = secrets.token_urlsafe(32)
        self.cookie = f"trivet-console-{port}"
        self._session = secrets.token_urlsafe(32)
        self._hosts = (f"127.0.0.1:{port}", f"localhost:{port}")

    @property
    def url(self) -> str:
        """The URL that the operator opens."""
        return f"http://{self._hosts[0]}/?token={self.token}"

    def protect(self, app: Flask) -> None:
        """Stand before every page of the app, and put the security headers on every answer."""
        app.before_request(self._admit)
        app.after_request(_with_headers)
        app.jinja_env.globals["form_token"] = self.form_token

    def _admit(self) -> Response | None:
        """Return `None` for what may pass, else the answer."""
        if request.headers.get("Host") not in self._hosts:
            return _refusal(400, f"The console answers to {' and '.join(self._hosts)} only.\n")
        if request.method == "GET" and request.path == "/" and "token" in request.args:
            return self._exchange(request.args["token"])
        if not _same(request.cookies.get(self.cookie, ""), self._session):
            return _refusal(403, _OPEN_THE_URL)
        if not self._is_from_here():
            return _refusal(403, "The console answers to its own pages only.\n")
        if request.method not in ("GET", "HEAD") and not _same(
            request.form.get("form_token", ""), self.form_token
        ):
            return _refusal(403, "This form is from a console that has ended: load it anew.\n")
        return None

    def _exchange(self, token: str) -> Response:
        """Give the cookie for the token, and lead away from the URL that holds it."""
        if not _same(token, self.token):
            return _refusal(403, _OPEN_THE_URL)
        answer = Response(status=303, headers={"Location": "/environments"})
        answer.set_cookie(self.cookie, self._session, httponly=True, samesite="Strict")
        return answer

    def _is_from_here(self) -> bool:
        """Tell whether a page of the console sent the request, or the operator typed its URL.

        What changes something has to show that it is from here. Because of the console's own
        `Referrer-Policy`, browsers send `Origin: null` with its forms, and `Sec-Fetch-Site` alone
        tells: https://fetch.spec.whatwg.org/#append-a-request-origin-header
        """
        origin = request.headers.get("Origin", "null")
        site = request.headers.get("Sec-Fetch-Site")
        own = f"http://{request.headers['Host']}"
        if origin not in ("null", own) or site not in (None, "none", "same-origin"):
            return False
        return request.method in ("GET", "HEAD") or site == "same-origin" or origin == own


def _with_headers(response: Response) -> Response:
    response.headers.update(_HEADERS)
    return response


def _refusal(status: int, text: str) -> Response:
    return Response(text, status, content_type="text/plain; charset=utf-8")


def _same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode(), secret.encode())
