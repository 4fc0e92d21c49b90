"""What goes wrong between a command and the API; both errors say what to do next."""

import re

SAFE_TO_REPEAT = "The same call again is safe, and goes on where this one ended."


class Unreachable(Exception):
    """No answer came from the API, or the request could not be signed; the message says why."""


class Problem(Exception):
    """The API answered with an error, as RFC 9457 has it.

    Attributes:
        status: the HTTP status.
        title: what kind of error it is, in a few words.
        detail: what was being done to what, and what to do next.
        errors: one `{"field", "message"}` per invalid field.
        retry_after: seconds after which to call again, where the API says so.
        type: the kind of problem, one of the list in the OpenAPI document, or "about:blank".
    """

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        errors: list[dict[str, str]] | None = None,
        retry_after: int | None = None,
        *,
        type: str = "about:blank",  # noqa: A002  # RFC 9457 calls it so
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = errors or []
        self.retry_after = retry_after
        self.type = type

    @property
    def advice(self) -> str:
        """What the caller can do about it, in a sentence or two; empty where `detail` says it."""
        if re.search(r"token.*expired|expired.*token", self.detail, re.IGNORECASE):
            return "Your AWS credentials have run out: sign in anew (aws sso login, aws login)."
        if self.status == 403:
            return (
                "Your AWS identity may not call this route, or the API has no such route. Check "
                "whom you are signed in as (aws sts get-caller-identity), and ask those who run "
                "Trivet for execute-api:Invoke on it."
            )
        if self.retry_after is not None:
            return f"Try again in {self.retry_after} s."
        if self.status == 429:
            return "Too many requests at once: try again in a few seconds."
        if self.status in (502, 503, 504) and self.type == "about:blank":
            return f"{SAFE_TO_REPEAT} If it stays so, `trivet doctor` tells what is wrong."
        return ""
