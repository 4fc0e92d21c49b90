"""Bad input, by machine: no 5xx, no answer outside the OpenAPI document, nothing unescaped.

Every answer here is held against the document: see `by_openapi`.
"""

import io
import json
import re
import unicodedata
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core import NotSet

from tests.kit import product
from tests.kit.http import Api, on_lambda
from tests.kit.wire import Call, Calls, answering

BOUNDARY = "TrivetEnvironmentBoundary"
NOW = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


def bounded(examples: int) -> settings:
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


# Each has a table of its own, in which no member is registered.
pytestmark = pytest.mark.home


@pytest.fixture(autouse=True)
def _on_its_own(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let no time pass, and nothing be recorded yet."""
    monkeypatch.setattr(product.CLOCK, "sleep", lambda _: None)
    monkeypatch.setenv("TRIVET_TABLE", f"table-{name}")


@answering
def executions_end_at_once(call: Call) -> dict[str, Any] | None:
    """Answer for Step Functions: running each state machine for real takes too long here."""
    if call.action == "StartExecution":
        return {"executionArn": f"{call.parameters['stateMachineArn']}:x", "startDate": NOW}
    if call.action == "DescribeExecution":
        return {"status": "FAILED", "name": "x", "startDate": NOW, "stopDate": NOW}
    return None


# --- by the document

_DOCUMENT: Any = schemathesis.openapi.from_dict(product.document())
_OPERATIONS = [found.ok() for found in _DOCUMENT.get_all_operations()]
CASES = [
    (each, mode)
    # The same again under an account differs in the account alone: see `tests/accounts/`.
    for each in _OPERATIONS
    if not each.path.startswith("/accounts/{account_id}/")
    for mode in GenerationMode
    # Where a request has no part at all, none can be wrong.
    if mode is GenerationMode.POSITIVE or each.body or each.query or each.path_parameters
]


def _named(part: Any) -> str:
    return str(part.value if isinstance(part, GenerationMode) else part.label)


def send(api: Api, case: Any) -> Any:
    path = case.path
    for name, value in (case.path_parameters or {}).items():
        path = path.replace(f"{{{name}}}", quote(str(value), safe="") or "-")
    query = urlencode(case.query or {}, doseq=True, errors="replace")
    body = b"" if isinstance(case.body, NotSet) else case.body
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return api.request(case.method, path + (query and f"?{query}"), body)


def check_operation(api: Api, operation: Any, mode: GenerationMode, examples: int) -> None:
    @bounded(examples)
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        answer = send(api, case)
        assert answer.status < 500, answer

    with api.wire.through(executions_end_at_once):
        check()


@pytest.mark.parametrize(("operation", "mode"), CASES, ids=_named)
def test_requests_after_the_document(api: Api, operation: Any, mode: GenerationMode) -> None:
    check_operation(api, operation, mode, examples=6)


@pytest.mark.soak
@pytest.mark.parametrize(("operation", "mode"), CASES, ids=_named)
def test_many_requests_after_the_document(api: Api, operation: Any, mode: GenerationMode) -> None:
    check_operation(api, operation, mode, examples=200)


# --- by malice

SNIPPETS = [
    *("\r\n", "\n", "\x00", "\x1b[2J", "\u0085", "\u2028", "\u202e", "\ud800", "\udfff", "\ufffe"),
    *('"', '"}', "'", "\\", "\\u0000", "${aws:username}", "${partition}", "${", "$.x", "{}", "%00"),
    *("*", "arn:aws:iam::aws:policy/AdministratorAccess", "aws:", "trivet:environment", "../", "/"),
    *('","Effect":"Allow","Action":"*"', "<script>", "\U0001f600", "é", "\u0130", "a" * 300, " "),
]
hostile = st.one_of(
    st.lists(st.sampled_from(SNIPPETS) | st.text(max_size=5), min_size=1, max_size=4).map("".join),
    st.text(min_size=1, max_size=40),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | hostile,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(hostile, inner, max_size=3),
    max_leaves=6,
)
names = hostile | st.from_regex(r"[a-z][a-z0-9-]{1,40}[a-z0-9]", fullmatch=True)
tags = st.dictionaries(hostile | st.sampled_from(["team", "a:b"]), hostile, max_size=3)
arns = hostile.map("arn:aws:iam::123456789012:policy/{}".format) | hostile
bodies = st.fixed_dictionaries(
    {"name": names | anything, "wait": st.just(0)},
    optional={
        "tags": tags | anything,
        "permissions_boundary": arns | anything,
        "on_extras": hostile,
        "dry_run": st.booleans() | anything,
        "deletion_protection": st.booleans() | anything,
        "profile": st.sampled_from(["standard", "scoped"]) | anything,
        "parameters": st.dictionaries(st.just("buckets") | hostile, st.lists(hostile)) | anything,
    },
) | st.dictionaries(hostile, anything, max_size=3)


_LOOKED_UP = {"permissions_boundary", "profile", "parameters"}


few_and_many = pytest.mark.parametrize(
    "examples", [20, pytest.param(1_000, marks=pytest.mark.soak)]
)


@few_and_many
def test_hostile_bodies(api: Api, log: io.StringIO, examples: int) -> None:
    @bounded(examples)
    @given(body=bodies)
    def check(body: dict[str, Any]) -> None:
        calls.clear()
        answer = on_lambda("POST", "/environments", body)

        assert answer.status < 500, answer
        # Of a field that AWS or the record has a say in, they are asked.
        if answer.status in (400, 422) and _LOOKED_UP.isdisjoint(body):
            assert calls.names == []
        check_calls(calls)
        check_log(log)

    with api.wire.recording(executions_end_at_once) as calls:
        check()


queries = st.dictionaries(hostile | st.sampled_from(["limit", "cursor"]), hostile)


@few_and_many
def test_hostile_names_and_queries(api: Api, log: io.StringIO, examples: int) -> None:
    @bounded(examples)
    @given(name=names, query=queries)
    def check(name: str, query: dict[str, str]) -> None:
        calls.clear()
        asked = urlencode(query, errors="replace")
        # As API Gateway decodes it; what is no UTF-8 never gets so far.
        path = f"/environments/{quote(name, safe='', errors='replace') or '-'}"
        for method, tail in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("GET", "/drift")):
            body = {"dry_run": True} if method == "PUT" else None
            assert on_lambda(method, path + tail, body).status < 500
            assert on_lambda(method, f"{path}{tail}?{asked}", body).status < 500
        assert on_lambda("GET", f"/environments?{asked}").status in (200, 422)
        check_calls(calls)
        check_log(log)

    with api.wire.recording() as calls:
        check()
        assert calls.writes == []


any_bytes = st.binary(max_size=60) | st.text(max_size=60).map(
    lambda text: text.encode("utf-8", "replace")
)


@few_and_many
def test_bodies_of_any_bytes(api: Api, examples: int) -> None:
    @bounded(examples)
    @given(raw=any_bytes)
    def check(raw: bytes) -> None:
        assert api.request("PUT", "/environments/no-such", raw).status in (200, 201, 400, 422)

    with api.wire.through(executions_end_at_once):
        check()


@pytest.mark.parametrize(("size", "status"), [(60_000, 422), (10_000_000, 400)])
def test_large_values(api: Api, log: io.StringIO, size: int, status: int) -> None:
    large = "x" * size
    with api.wire.recording() as calls:
        for body in (
            {"name": large},
            {"name": "abc", "tags": {"team": large}},
            {"name": "abc", "tags": {large: "x"}},
            {"name": "abc", "permissions_boundary": "arn:aws:iam::123456789012:policy/" + large},
            {large: 1, "name": "abc"},
        ):
            answer = api.post("/environments", body)
            assert answer.status == status
            assert len(json.dumps(answer.body)) < 3_000

    assert calls.names == []
    assert len(log.getvalue()) < 10_000


def check_calls(calls: Calls) -> None:
    """Assert that nothing sent to AWS holds what was not let through."""
    for call in calls:
        for text in _texts(call.parameters):
            assert not any(unicodedata.category(each) in ("Cc", "Cs") for each in text), call
        for key in ("AssumeRolePolicyDocument", "PolicyDocument", "definition"):
            if key in call.parameters:
                document = call.parameters[key]
                assert isinstance(json.loads(document), dict)
                assert re.fullmatch(r"[\x20-\x7e]*", document), document
                assert "AdministratorAccess" not in document
        if call.action == "CreateRole" or (
            call.action == "CreatePolicy" and call.parameters["PolicyName"] != BOUNDARY
        ):
            own = {tag["Key"] for tag in call.parameters["Tags"]}
            assert {"trivet:environment", "trivet:role"} <= own


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for each in pair for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return []


def check_log(log: io.StringIO) -> None:
    """Assert that the log is one JSON object a line, in plain characters."""
    written = log.getvalue()
    log.seek(0)
    log.truncate()
    assert re.fullmatch(r"[\x20-\x7e\n]*", written), written
    for line in written.splitlines():
        assert {"level", "message", "service"} <= set(json.loads(line))
