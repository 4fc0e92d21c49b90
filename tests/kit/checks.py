"""What every answer must be: foreseen by the OpenAPI document, and of use to its caller."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jsonschema  # type: ignore[import-untyped]

from . import inventory, product

JSON = "application/json"
PROBLEM = "application/problem+json"

_WHAT_NEXT = re.compile(
    r"[Cc]all again|Call with|Grant it|Correct the template|Remove or rename|Ask AWS|Give them|"
    r"Declare it|takes them over|takes the protection off|Choose another name"
)


@dataclass(frozen=True)
class Answer:
    """What the API answered."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


Check = Callable[[str, str, Answer], None]
"""Asserts that an answer to a method and path has the form it should have."""


def by_openapi(method: str, path: str, answer: Answer) -> None:
    """Assert that the OpenAPI document foresees this answer, every field of it."""
    document = product.document()
    path = route(method, path.split("?", maxsplit=1)[0])
    described = document["paths"][path][method.lower()]["responses"]
    assert str(answer.status) in described, (method, path, answer)
    [(content_type, content)] = described[str(answer.status)]["content"].items()
    assert (
        answer.headers["content-type"] == content_type == (JSON if answer.status < 400 else PROBLEM)
    )
    schema = {**content["schema"], "components": {"schemas": closed(document)}}
    jsonschema.Draft202012Validator(schema).validate(answer.body)
    if answer.status >= 400:
        assert answer.body["status"] == answer.status
        assert answer.body["type"].startswith("urn:trivet:problem:")
        assert answer.body["title"]
        assert answer.body["detail"]
    if answer.status == 503:
        assert int(answer.headers["retry-after"]) >= 1


def closed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document's schemas such that a field they do not name is an error."""
    return {
        name: schema | ({"additionalProperties": False} if "properties" in schema else {})
        for name, schema in document["components"]["schemas"].items()
    }


def of_use(method: str, path: str, answer: Answer) -> None:
    """Assert that an answer is foreseen, and that an error tells the caller what to do."""
    by_openapi(method, path, answer)
    if answer.status < 400:
        return
    problem = answer.body
    assert answer.status in (400, 404, 409, 422, 502, 503), answer
    if answer.status in (409, 502, 503):
        assert _WHAT_NEXT.search(problem["detail"]), answer
    if problem["type"].endswith(":busy"):
        assert int(answer.headers["retry-after"]) >= 1, answer


def fields_in_error(answer: Answer) -> list[str]:
    """Return the fields that a 422 names, sorted."""
    assert answer.status == 422, answer
    assert answer.headers["content-type"] == PROBLEM
    assert all(each["message"] for each in answer.body["errors"])
    return sorted(each["field"] for each in answer.body["errors"])


def is_true(answer: Answer, undisturbed: Mapping[str, Any]) -> None:
    """Assert that an answer that says `ready` says so of an account that has all it should."""
    if answer.status < 300 and answer.body.get("status") == "ready":
        now = inventory.everything()
        for kind in ("roles", "policies", "state machines"):
            assert now[kind] == undisturbed[kind], answer


def route(method: str, path: str) -> str:
    """Return the path, as the API declares it, that serves this one.

    Raises:
        AssertionError: there is none.
    """
    parts = path.rstrip("/").split("/")
    fitting = [
        each.path
        for each in product.ENDPOINTS
        if each.method == method and _fits(each.path.split("/"), parts)
    ]
    assert fitting, f"no route {method} {path}"
    # A word stands before a parameter: `/drift-runs/latest` is no report's id.
    return min(fitting, key=lambda each: each.count("{"))


def _fits(wanted: list[str], parts: list[str]) -> bool:
    return len(wanted) == len(parts) and all(
        one == two or one.startswith("{") for one, two in zip(wanted, parts, strict=True)
    )
