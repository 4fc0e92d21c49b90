"""The examples of the OpenAPI document: answers that Trivet gives, one for each operation."""

from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from tests.kit import product
from tests.kit.checks import closed

from . import day

PROBLEMS = {
    *("getEnvironment404", "provisionEnvironment422", "provisionEnvironment409"),
    *("deleteEnvironment409", "registerAccount502"),
}


@pytest.fixture(scope="module")
def document() -> Any:
    return product.document()


def contents(document: Any) -> dict[str, tuple[str, Any]]:
    """Return what the document says of each answer, with the operation's id, by id and status."""
    return {
        f"{operation['operationId']}{status}": (operation["operationId"], content)
        for methods in document["paths"].values()
        for operation in methods.values()
        for status, response in operation["responses"].items()
        for content in response["content"].values()
    }


def test_every_operation_has_an_example_of_each_success(document: Any) -> None:
    with_example = {
        answer for answer, (_, content) in contents(document).items() if "examples" in content
    }
    successes = {answer for answer in contents(document) if answer[-3:] < "300"}

    # The document is no part of itself.
    assert successes - with_example == {"getOpenapi200"}
    assert with_example - successes >= PROBLEMS


def test_every_example_is_of_its_schema(document: Any) -> None:
    examples = document["components"]["examples"]
    used = set()
    for operation, content in contents(document).values():
        for each in content.get("examples", {}).values():
            name = each["$ref"].rsplit("/", 1)[-1]
            assert name[:-3] == operation.removesuffix("InAccount")
            if name not in used:
                schema = {**content["schema"], "components": {"schemas": closed(document)}}
                jsonschema.Draft202012Validator(schema).validate(examples[name]["value"])
            used.add(name)
    assert used == examples.keys()


@pytest.mark.home
def test_the_examples_are_what_trivet_answers() -> None:
    kept = {
        name: each["value"] for name, each in product.document()["components"]["examples"].items()
    }
    given = {
        f"{name}{status}": body
        for name, all_ in day.answers().items()
        for status, body in all_.items()
    }

    assert _but_for_calls(kept) == _but_for_calls(given), "run: python -m tests.contract.day"


def _but_for_calls(value: Any) -> Any:
    """Return answers without how often AWS was called, which says nothing of their form."""
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if key != "aws_calls"}
        return {key: _but_for_calls(each) for key, each in kept.items()}
    return [_but_for_calls(each) for each in value] if isinstance(value, list) else value
