"""`make validate` asks Access Analyzer about every document, and tells what it finds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib import catalogue
from tools.validate import findings

from .rendered import HERE


class Analyzer:
    """Access Analyzer, as boto3 speaks to it: finds what it is told to find."""

    def __init__(self, found: list[dict[str, str]], result: str = "PASS") -> None:
        self.found, self.result = found, result
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def get_paginator(self, operation: str) -> Analyzer:
        assert operation == "validate_policy"
        return self

    def paginate(self, **asked: Any) -> Iterator[dict[str, Any]]:
        self.asked.append(("validate_policy", asked))
        yield {"findings": self.found}

    def check_no_public_access(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(("check_no_public_access", asked))
        return {"result": "PASS"}

    def check_no_new_access(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(("check_no_new_access", asked))
        return {"result": self.result, "message": "wider", "reasons": [{"description": "here"}]}


def test_every_document_is_asked_about() -> None:
    analyzer, now = Analyzer([]), catalogue.load()

    assert list(findings(analyzer, HERE, now, now)) == []

    asked = [operation for operation, _ in analyzer.asked]
    assert asked.count("validate_policy") == 12
    assert asked.count("check_no_public_access") == 6
    assert asked.count("check_no_new_access") == 6
    for operation, parameters in analyzer.asked:
        for name, value in parameters.items():
            if name.endswith("Document"):
                assert json.loads(value)["Statement"], operation


def test_errors_fail_and_suggestions_are_noted(capsys: pytest.CaptureFixture[str]) -> None:
    error = {"findingType": "ERROR", "issueCode": "BAD", "findingDetails": "it is"}
    suggestion = {"findingType": "SUGGESTION", "issueCode": "HM", "findingDetails": "maybe"}

    found = list(findings(Analyzer([error, suggestion]), HERE, catalogue.load(), None))

    assert len(found) == 12
    assert "standard/notebook: BAD: it is" in found
    assert "standard/notebook: HM: maybe" in capsys.readouterr().out


def test_what_a_release_would_widen_is_named() -> None:
    now = catalogue.load()

    found = list(findings(Analyzer([], result="FAIL"), HERE, now, now))

    assert "scoped/notebook against the last release: wider here" in found
    assert len(found) == 6
