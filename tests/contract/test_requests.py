"""Requests that are wrong: 400 and 422, every field named, and no call to AWS."""

import json
import re
from typing import Any

import pytest

from tests.kit import inventory
from tests.kit.checks import fields_in_error
from tests.kit.http import Api

WITH_BODY = [
    ("POST", "/environments"),
    ("PUT", "/environments/some-name"),
    ("POST", "/environments/some-name/adopt"),
    ("POST", "/environments/some-name/reapply"),
    ("POST", "/environments/some-name/smoke-test"),
    ("POST", "/environments/some-name/pause"),
    ("POST", "/drift-runs"),
]
ALL = [
    *WITH_BODY,
    ("GET", "/environments"),
    ("GET", "/environments/some-name"),
    ("GET", "/environments/some-name/drift"),
    ("GET", "/environments/some-name/history"),
    ("DELETE", "/environments/some-name"),
    ("DELETE", "/environments/some-name/pause"),
    ("DELETE", "/environments/some-name/deletion-protection"),
    ("GET", "/drift-runs"),
    ("GET", "/drift-runs/latest"),
    ("GET", "/drift-runs/some-id"),
    ("GET", "/profiles"),
    ("GET", "/profiles/standard"),
    ("GET", "/openapi.json"),
    ("GET", "/health"),
]

NOT_JSON = [
    *(b"{", b"}", b"name", b"'x'", b'{"name": }', b'{"name": "abc",}', b"{'name': 'abc'}"),
    *(b'{"name": "abc"} {}', b'{"wait": NaN}', b'{"wait": Infinity}', b'{"wait": -Infinity}'),
    *(b"\xff\xfe", b'{"name": "\xff"}', b'{"name": "a\nb"}', b"[" * 100_000, b'{"a":' * 100_000),
]
NO_OBJECT = [b"[]", b'["name"]', b'"name"', b"1", b"true", b"null"]


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_body_that_is_no_json_object_is_a_400(api: Api, method: str, path: str) -> None:
    with api.wire.recording() as calls:
        answers = [api.request(method, path, body) for body in NOT_JSON + NO_OBJECT]

    assert [answer.status for answer in answers] == [400] * len(answers)
    assert {answer.body["type"] for answer in answers} == {"urn:trivet:problem:not-json"}
    assert calls.names == []


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/xml", "application/json; charset=utf-8", "image/png", "x", ""],
)
def test_body_is_read_as_json_whatever_it_is_said_to_be(api: Api, content_type: str) -> None:
    headers = {"Content-Type": content_type} if content_type else {"Accept": "*/*"}

    wrong = api.request("POST", "/environments", b"no json", headers)
    unknown = api.request("POST", "/environments", {"name": "abc", "colour": 1}, headers)

    assert wrong.status == 400
    assert fields_in_error(unknown) == ["colour"]


@pytest.mark.parametrize(("method", "path"), ALL)
def test_unknown_query_parameters_are_refused(api: Api, method: str, path: str) -> None:
    required: dict[str, Any] = {
        "/environments": {"name": "abc"},
        "/environments/some-name/pause": {"until": "2026-01-01T00:00:00Z", "reason": "x"},
    }
    body = required.get(path) if method == "POST" else None
    with api.wire.recording() as calls:
        answer = api.request(method, f"{path}?colour=red&verbose=", body)

    assert fields_in_error(answer) == ["colour", "verbose"]
    assert calls.names == []


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_unknown_fields_are_refused(api: Api, method: str, path: str) -> None:
    body = {"colour": "red", "Name": "abc", "": 1, "${aws:username}": 2}
    with api.wire.recording() as calls:
        answer = api.request(method, path, body)

    missing = {"/environments": ["name"], "/environments/some-name/pause": ["reason", "until"]}
    expected = sorted([*body, *missing.get(path, [])])
    assert fields_in_error(answer) == expected
    assert calls.names == []


def test_name_in_the_body_of_a_put_is_unknown(api: Api) -> None:
    assert fields_in_error(api.put("/environments/abc", {"name": "abc"})) == ["name"]


def test_missing_name(api: Api) -> None:
    for body in (b"", b"  \n", b"{}"):
        answer = api.request("POST", "/environments", body)
        assert fields_in_error(answer) == ["name"]
        assert answer.body["errors"] == [{"field": "name", "message": "missing"}]


def test_all_that_is_wrong_is_reported_together(api: Api) -> None:
    body = {
        "name": "No",
        "tags": {"aws:x": "1", "fine": "ok", "bad\n": "2", "number": 3},
        "permissions_boundary": "nothing",
        "on_extras": "keep",
        "deletion_protection": "yes",
        "dry_run": None,
        "wait": 26,
        "colour": "red",
    }
    with api.wire.recording() as calls:
        answer = api.request("POST", "/environments?limit=3", body)

    expected = sorted([*body, "limit"] + ["tags"] * 2)
    assert fields_in_error(answer) == expected
    messages = [each["message"] for each in answer.body["errors"] if each["field"] == "tags"]
    assert [message.split(":")[0] for message in messages] == ["'aws", "'bad\\n'", "'number'"]
    assert calls.names == []


def test_path_body_and_query_are_reported_together(api: Api) -> None:
    answer = api.put("/environments/No?x=1", {"wait": -1, "y": 2})

    assert fields_in_error(answer) == ["name", "wait", "x", "y"]


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("name", [None, 1, True, [], {}, ["abc"]]),
        ("tags", [None, [], "team=a", 1, [{"Key": "a", "Value": "b"}]]),
        ("on_extras", ["Remove", "", None, True, "ignore"]),
        ("deletion_protection", [None, 0, 1, "true", [], {}]),
        ("dry_run", [None, 0, 1, "true", [], {}]),
        ("wait", [None, "20", True, False, [], {}, -1, -0.001, 25.001, 26, 1e9]),
    ],
)
def test_fields_of_the_wrong_type_or_out_of_range(api: Api, field: str, values: list[Any]) -> None:
    with api.wire.recording() as calls:
        for value in values:
            answer = api.post("/environments", {"name": "abc", field: value})
            assert fields_in_error(answer) == [field], value
    assert calls.names == []


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" * 400, "1" * 5_000, "-" + "1" * 5_000])
def test_numbers_beyond_all_bounds_are_out_of_range(api: Api, number: str) -> None:
    for path in ("/environments/abc/smoke-test", "/environments/abc"):
        method = "POST" if path.endswith("test") else "PUT"
        answer = api.request(method, path, f'{{"wait": {number}}}'.encode())
        assert fields_in_error(answer) == ["wait"]


@pytest.mark.parametrize("wait", [0, 0.5, 25, 25.0])
def test_waits_within_bounds(api: Api, wait: float) -> None:
    answer = api.post("/environments", {"name": "abc", "dry_run": True, "wait": wait})

    assert answer.status == 200


@pytest.mark.parametrize(
    "tags",
    [
        {"": "empty key"},
        {"k" * 129: "long key"},
        {"k": "v" * 257},
        *({key: "reserved"} for key in ("aws:x", "AWS:x", "aWs:", "trivet:role", "Trivet:x")),
        {"k": "aws:reserved"},
        *({key: "character"} for key in ("a\n", "a\r\nb", "a\u0000", "a\u0085", "a\t", "a\u200b")),
        *({key: "character"} for key in ("${x}", 'a"', "a'", "a*", "a\\", "a<", "\U0001f600")),
        *({"k": value} for value in ("a\n", "a\u0000", "${aws:username}", '"', "%", "\ufffe")),
        {"k": None},
        {"k": 1},
        {"k": ["v"]},
        {"Team": "a", "team": "b"},
        {f"k{number}": "too many" for number in range(49)},
    ],
    ids=lambda tags: ascii(next(iter(tags.items())))[:30],
)
def test_tags_that_iam_would_refuse(api: Api, tags: dict[str, Any]) -> None:
    with api.wire.recording() as calls:
        answer = api.post("/environments", {"name": "abc", "tags": tags})

    assert set(fields_in_error(answer)) == {"tags"}
    assert calls.names == []
    message = answer.body["errors"][0]["message"]
    assert "regex" not in message
    assert len(message) < 400


@pytest.mark.parametrize(
    "tags",
    [
        {"k": ""},
        {"k" * 128: "v" * 256},
        {"A b_.:/=+-@9": "A b_.:/=+-@9"},
        {"équipe": "données", "Ж": "日本語"},
        {"awsome": "x", "trivet": "y", "my:aws:x": "z"},
        {f"k{number}": "as many as fit" for number in range(48)},
    ],
    ids=lambda tags: ascii(next(iter(tags.items())))[:30],
)
def test_tags_that_iam_takes(api: Api, tags: dict[str, str], name: str) -> None:
    answer = api.put(f"/environments/{name}", {"tags": tags, "wait": 0})

    assert answer.status == 201
    assert answer.body["tags"] == tags
    own = {"trivet:environment": name, "trivet:role": "notebook"}
    assert inventory.held()["roles"][f"{name}-SageMaker"]["tags"] == tags | own


@pytest.mark.parametrize(
    "boundary",
    [
        *("", "nothing", "arn:aws:iam::123456789012:role/x", "arn:aws:s3:::x", 1, True, [], {}),
        *("arn:aws:iam::12345:policy/x", "arn:aws:iam::123456789012:policy/", "*"),
        *("arn:aws:iam::123456789012:policy/x\n", "arn:aws:iam::123456789012:policy/a*"),
        *("arn:aws:iam::123456789012:policy/${x}", "ARN:aws:iam::123456789012:policy/x"),
        "arn:aws:iam::123456789012:policy/" + "x" * 3_000,
    ],
    ids=lambda boundary: ascii(boundary)[:40],
)
def test_boundaries_that_are_no_policy_arn(api: Api, boundary: Any) -> None:
    with api.wire.recording() as calls:
        answer = api.post("/environments", {"name": "abc", "permissions_boundary": boundary})

    assert fields_in_error(answer) == ["permissions_boundary"]
    assert "regex" not in answer.body["errors"][0]["message"]
    assert calls.names == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        *((f"limit={limit}", "limit") for limit in ("0", "101", "-1", "", "abc", "1.5", "true")),
        *((f"limit={limit}", "limit") for limit in ("null", "%205", "1_0", "9" * 5_000, "%D9%A5")),
        *((f"cursor={cursor}", "cursor") for cursor in ("", "null", "@@", "%00", "AA", "a" * 201)),
        *((f"cursor={cursor}", "cursor") for cursor in ("YWI", "YWJj%3D", "YWJj%0A", "w6TDtg")),
        ("limit=1&limit=2", "limit"),
        ("cursor=ImFiYyI&cursor=ImFiYyI", "cursor"),
    ],
)
def test_query_parameters_out_of_range(api: Api, query: str, field: str) -> None:
    with api.wire.recording() as calls:
        answer = api.get(f"/environments?{query}")

    assert fields_in_error(answer) == [field]
    assert calls.names == []


@pytest.mark.parametrize("limit", ["1", "50", "100"])
def test_limits_within_bounds(api: Api, limit: str) -> None:
    assert api.get(f"/environments?limit={limit}").status == 200


IMPOSSIBLE = [
    *("A", "ab", "-ab", "a_b", "a" * 34, "a" * 5_000, "a b", "a%00b", "a%0d%0ab", "%F0%9F%98%80"),
    *("..", "%2e%2e", "a%2Fb", "${aws:username}", "ab-", "*", "null"[:2], "%ff", "%ED%A0%80"),
]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/environments/{}"),
        ("GET", "/environments/{}/drift"),
        ("POST", "/environments/{}/reapply"),
        ("POST", "/environments/{}/smoke-test"),
        ("GET", "/environments/{}/history"),
        ("DELETE", "/environments/{}/pause"),
        ("DELETE", "/environments/{}/deletion-protection"),
        ("DELETE", "/environments/{}"),
    ],
)
def test_no_such_environment_is_a_404(api: Api, method: str, path: str) -> None:
    absent = api.request(method, path.format("not-there"))
    with api.wire.recording() as calls:
        impossible = [api.request(method, path.format(name)) for name in IMPOSSIBLE]

    assert absent.status == 404
    assert "not-there" in absent.body["detail"]
    assert {answer.status for answer in impossible} == {404}
    assert calls.names == []


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_put_of_a_name_that_none_can_have_is_a_422(api: Api, name: str) -> None:
    with api.wire.recording() as calls:
        answer = api.put(f"/environments/{name}", {})

    assert fields_in_error(answer) == ["name"]
    assert calls.names == []


def test_latest_drift_run_before_any_is_a_404(api: Api) -> None:
    assert api.get("/drift-runs/latest").status == 404


@pytest.mark.parametrize("value", [None, 0, 1, "true", [], {}])
def test_drift_run_takes_apply_as_a_boolean(api: Api, value: Any) -> None:
    with api.wire.recording() as calls:
        answer = api.post("/drift-runs", {"apply": value})

    assert fields_in_error(answer) == ["apply"]
    assert calls.names == []


@pytest.mark.parametrize("profile", ["standard", "scoped"])
@pytest.mark.parametrize("word", ["\ud800", "x" * 50_000], ids=["no UTF-8", "long"])
def test_words_in_parameters_that_are_no_parameters_are_fit_for_an_answer(
    api: Api, name: str, profile: str, word: str
) -> None:
    for given, field in (
        ({word: ["a"]}, "parameters"),
        ({"buckets": [word]}, "parameters.buckets"),
    ):
        answer = api.put(f"/environments/{name}", {"profile": profile, "parameters": given})

        assert fields_in_error(answer) == [field]
        assert len(json.dumps(answer.body)) < 2_000


def test_names_that_callers_make_up_come_back_escaped_and_short(api: Api) -> None:
    hostile = ["\ud800", "a\r\nb", "x" * 50_000, "\u2028", "\x1b[31m", '"}']
    body = json.dumps(dict.fromkeys(hostile, 1)).encode()

    answer = api.request("PUT", "/environments/abc", body)

    shown = fields_in_error(answer)
    assert shown == sorted(["\\ud800", "a\r\nb", "x" * 200, "\u2028", "\x1b[31m", '"}'])


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b'{"name": "abc", "dry_run": false, "dry_run": true}', "dry_run"),
        (b'{"name": "abc", "tags": {"team": "a", "team": "b"}}', "team"),
        (b'{"name": "abc", "parameters": {"buckets": ["x"], "buckets": []}}', "buckets"),
    ],
)
def test_an_object_that_has_one_key_twice_is_a_400(api: Api, body: bytes, key: str) -> None:
    with api.wire.recording() as calls:
        answer = api.request("POST", "/environments", body)

    assert answer.status == 400
    assert f"{key!r} twice" in answer.body["detail"]
    assert calls.names == []


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_body_over_64_kb_is_a_400(api: Api, method: str, path: str) -> None:
    most = b"{" + b" " * (64 * 1024 - 2) + b"}"
    with api.wire.recording() as calls:
        answer = api.request(method, path, most + b" ")

    assert answer.status == 400
    assert "65,536" in answer.body["detail"]
    assert calls.names == []
    assert api.request(method, path + "?colour=red", most).status == 422


def test_no_more_than_twenty_errors_are_told(api: Api) -> None:
    answer = api.put("/environments/No?x=1", {f"unknown-{number}": 1 for number in range(40)})

    assert answer.status == 422
    assert len(answer.body["errors"]) == 20


PYTHON = re.compile(r"\b(str|int|bool|float|dict|None|Literal|Struct|regex|object of type)\b|`")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"name": "a" * 34}, "a letter first, no hyphen last, 3 to 33 characters"),
        ({"on_extras": "keep"}, "must be one of: remove, report"),
        ({"wait": 26}, "must be a number from 0 to 25"),
        ({"wait": "20"}, "must be a number from 0 to 25"),
        ({"dry_run": 1}, "must be true or false"),
        ({"profile": 7}, "must be a text"),
        ({"parameters": {"buckets": 1}}, "must be"),
        ({"tags": []}, "must be an object"),
        ({"permissions_boundary": "x"}, "the ARN of a managed policy"),
    ],
)
def test_messages_say_what_is_allowed_in_words(api: Api, body: dict[str, Any], said: str) -> None:
    answer = api.post("/environments", {"name": "abc", **body})

    [field] = fields_in_error(answer)
    [message] = [each["message"] for each in answer.body["errors"]]
    assert field in body
    assert said in message
    assert not PYTHON.search(message)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("status=x", "must be one of: ready, incomplete, drifted"),
        ("in_sync=1", "must be one of: true, false"),
        ("limit=0", "must be a whole number from 1 to 100"),
        ("tag=a", "must be key:value, 2 to 400 characters"),
        (f"cursor={'x' * 501}", "must be the next_cursor of the page before, 1 to 500 characters"),
    ],
)
def test_messages_say_what_a_query_parameter_may_be(api: Api, query: str, said: str) -> None:
    answer = api.get(f"/environments?{query}")

    assert fields_in_error(answer) == [query.partition("=")[0]]
    assert answer.body["errors"][0]["message"] == said


def test_messages_say_which_element_of_a_list_is_wrong(api: Api) -> None:
    answer = api.post("/drift-runs", {"environments": ["abc", "No"], "accounts": ["1"]})

    assert {each["field"]: each["message"] for each in answer.body["errors"]} == {
        "environments": "[1]: must be an environment's name",
        "accounts": "[0]: must be an AWS account id: 12 digits",
    }


def test_other_methods_are_refused_as_a_problem(api: Api) -> None:
    answer = Api(api.wire).request("PATCH", "/environments/abc", {})

    assert answer.status == 405
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["status"] == 405
