"""The command line asks for nothing that the API's OpenAPI document does not have.

And the stub's documents are what that document says the API answers with.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from chalice.test import Client

from app import app
from tests.cli import documents
from tests.cli.conftest import Trivet
from tests.cli.documents import MEMBER, NAME
from tests.cli.stub import Asked, Given, Stub

COMMANDS = [
    ("list", "--status", "drifted", "--tag", "a=b"),
    ("show", NAME),
    ("history", NAME, "--limit", "3"),
    ("wiring", NAME),
    (
        *("apply", NAME, "--profile", "scoped", "--parameter", "kms_keys=[]", "--tag", "a=b"),
        *("--permissions-boundary", "none", "--on-extras", "report", "--deletion-protection"),
    ),
    ("plan", NAME),
    ("adopt", NAME, "--yes"),
    ("test", NAME),
    ("pause", NAME, "--until", "4h", "--reason", "x"),
    ("resume", NAME),
    ("unprotect", NAME, "--yes"),
    ("delete", NAME, "--yes"),
    ("drift", NAME),
    ("drift", "--account", MEMBER),
    ("reapply", NAME),
    ("run", "--preview"),
    ("run", "--confirm", "run-1"),
    ("runs",),
    ("runs", "show", "run-1"),
    ("account", "list"),
    ("account", "add", MEMBER, "--alias", "ml-dev"),
    ("account", "show", MEMBER),
    ("account", "remove", MEMBER, "--yes"),
    ("show", NAME, "--account", MEMBER),
    ("apply", NAME, "--account", MEMBER),
]


class Everything(Stub):
    """An API that answers every request with a document of the right kind."""

    def answer(self, asked: Asked) -> Given:
        self.asked.append(asked)
        path = asked.target.partition(" ")[2]
        empty: dict[str, Any] = {"drift_runs": [], "entries": [], "next_cursor": None}
        if path.startswith("/drift-runs"):
            return Given(200, {**documents.report(), **empty})
        if path == "/accounts":
            return Given(200, {"accounts": [], "next_cursor": None})
        if path.startswith("/accounts") and "environments" not in path:
            return Given(200, documents.account())
        deleted: dict[str, Any] = {"deleted": [], "detached": [], "left": [], "environments": []}
        more = {**documents.drift(), **documents.environment(), **deleted, **empty}
        return Given(200, more)


@cache
def _openapi() -> Any:
    with Client(app) as client:
        return json.loads(client.http.get("/openapi.json").body)


@pytest.fixture
def stub() -> Iterator[Stub]:
    found = Everything()
    yield found
    found.close()


def _operation(asked: Asked) -> Any:
    """Return the operation of the OpenAPI document that a request is for."""
    method, path = asked.target.split(" ")
    # A path without parameters is the better match: /drift-runs/latest.
    for template, operations in sorted(_openapi()["paths"].items(), key=lambda e: "{" in e[0]):
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path) and method.lower() in operations:
            return operations[method.lower()]
    raise AssertionError(f"the API has no {asked.target}")


def _resolved(schema: Any) -> Any:
    while "$ref" in schema:
        schema = _openapi()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_what_a_command_asks_for_is_in_the_openapi_document(
    stub: Stub, trivet: Trivet, command: tuple[str, ...]
) -> None:
    assert trivet(*command).code in (0, 2)
    assert stub.asked
    for asked in stub.asked:
        operation = _operation(asked)
        known = {each["name"] for each in operation["parameters"] if each["in"] == "query"}
        assert set(asked.query) <= known, asked
        if asked.body is not None:
            content = operation["requestBody"]["content"]["application/json"]
            assert set(asked.body) <= set(_resolved(content["schema"])["properties"]), asked


CHANGED = documents.environment(changes=[documents.widened(), documents.attached()])
ANSWERS = [
    ("GET", "/environments/{name}", documents.environment()),
    ("PUT", "/environments/{name}", CHANGED),
    ("GET", "/environments/{name}/drift", documents.drift(documents.widened())),
    (
        "GET",
        "/environments",
        {"environments": [documents.listed(CHANGED)], "next_cursor": None},
    ),
    (
        "GET",
        "/environments/{name}/history",
        {"entries": [documents.history_entry()], "next_cursor": None},
    ),
    (
        "POST",
        "/drift-runs",
        documents.report(environments=[documents.row("repaired", documents.attached())]),
    ),
    ("GET", "/accounts", {"accounts": [documents.account()], "next_cursor": None}),
    ("GET", "/profiles", {"profiles": [documents.profile()]}),
]


@pytest.mark.parametrize(("method", "path", "document"), ANSWERS)
def test_the_stub_answers_as_the_api_does(method: str, path: str, document: Any) -> None:
    answer = _openapi()["paths"][path][method.lower()]["responses"]["200"]
    _check(document, answer["content"]["application/json"]["schema"], path)


def _check(value: Any, schema: Any, where: str) -> None:
    """Check that objects have exactly the fields that their schema says, all the way down."""
    schema = _resolved(schema)
    choices = [_resolved(each) for each in schema.get("anyOf", [schema])]
    fitting = [each for each in choices if _is_of(value, each)]
    assert fitting, f"{where}: {value!r} fits none of {choices}"
    chosen = fitting[0]
    if isinstance(value, dict) and "properties" in chosen:
        assert set(value) <= set(chosen["properties"]), where
        assert set(chosen.get("required", [])) <= set(value), where
        for field, held in value.items():
            _check(held, chosen["properties"][field], f"{where}.{field}")
    elif isinstance(value, list) and "items" in chosen:
        for held in value:
            _check(held, chosen["items"], f"{where}[]")


_TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}


def _is_of(value: Any, schema: Any) -> bool:
    if "enum" in schema:
        return value in schema["enum"]
    named = schema.get("type")
    kinds = named if isinstance(named, list) else [named] if named else []
    return not kinds or any(isinstance(value, _TYPES[each]) for each in kinds)
