"""Who did what: recorded in the environment, and in the log line by line."""

import io
import json
from typing import Any

import pytest

from tests.kit.http import Api, on_lambda
from tests.kit.wire import Wire

ALICE = "arn:aws:sts::123456789012:assumed-role/Team/alice"
BOB = "arn:aws:iam::123456789012:user/bob"


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def changes_in(log: io.StringIO) -> list[dict[str, Any]]:
    return [line for line in lines(log) if line["message"] == "change applied"]


def test_callers_arn_is_recorded(api: Api, name: str) -> None:
    created = on_lambda("POST", "/environments", {"name": name}, caller=ALICE).body
    unchanged = on_lambda("POST", "/environments", {"name": name}, caller=BOB).body
    changed = on_lambda("PUT", f"/environments/{name}", {"tags": {"a": "b"}}, caller=BOB).body
    seen = on_lambda("GET", f"/environments/{name}", caller=ALICE).body

    assert (created["created_by"], created["updated_by"]) == (ALICE, ALICE)
    assert unchanged == {**created, "changes": []}
    for document in (changed, seen):
        assert (document["created_by"], document["updated_by"]) == (ALICE, BOB)
        assert document["created_at"] == created["created_at"]
        assert document["updated_at"] > created["updated_at"]


def test_no_caller_is_null(api: Api, name: str) -> None:
    document = api.provision(name, wait=0)

    assert (document["created_by"], document["updated_by"]) == (None, None)


@pytest.mark.parametrize("caller", [None, ALICE])
def test_times_are_rfc_3339_in_utc(cloud: Wire, name: str, caller: str | None) -> None:
    document = on_lambda("POST", "/environments", {"name": name, "wait": 0}, caller=caller).body

    for field in ("created_at", "updated_at"):
        assert document[field].endswith("Z")
        assert "T" in document[field]
    assert (document["created_by"], document["updated_by"]) == (caller, caller)


def test_each_change_applied_is_one_line(cloud: Wire, log: io.StringIO, name: str) -> None:
    body = {"name": name, "tags": {"team": "tag-value"}}
    answer = on_lambda("POST", "/environments", body, caller=ALICE, request_id="request-42").body

    logged = [(line["kind"], line["role"], line["resource"]) for line in changes_in(log)]
    made = [(each["kind"], each["role"], each["resource"]) for each in answer["changes"]]
    assert sorted(logged) == sorted(made)
    assert len(made) == 22
    for line in changes_in(log):
        assert line["level"] == "INFO"
        assert line["environment"] == name
        assert line["caller"] == ALICE
        assert line["request_id"] == "request-42"


def test_log_holds_no_documents_and_nothing_secret(
    cloud: Wire, log: io.StringIO, name: str
) -> None:
    on_lambda("POST", "/environments", {"name": name, "tags": {"team": "tag-value"}})
    on_lambda("PUT", f"/environments/{name}", {"tags": {"team": "other-value"}})
    on_lambda("POST", "/environments", {"name": name, "tags": {"team": "bad\nvalue"}})
    on_lambda("DELETE", f"/environments/{name}")

    assert changes_in(log)
    # A change's summary is one line of words, which names tags and grants; never a document.
    for word in ('Statement\\"', 'Principal\\"', 'StartAt\\"', 'Version\\"'):
        assert word not in log.getvalue()
    for word in ("testing", "AWS_SECRET", "bad\\nvalue"):
        assert word not in log.getvalue()


def test_second_call_logs_no_change(cloud: Wire, log: io.StringIO, name: str) -> None:
    on_lambda("POST", "/environments", {"name": name})
    made = len(changes_in(log))
    on_lambda("POST", "/environments", {"name": name})

    assert len(changes_in(log)) == made


HOSTILE = ["a\r\nb", "\u2028", "\u0085", "\x1b[31m", '"},{"level":"ERROR"', "\ud800", "\x00"]


@pytest.mark.parametrize("word", HOSTILE, ids=ascii)
def test_what_callers_send_never_breaks_a_line(cloud: Wire, log: io.StringIO, word: str) -> None:
    on_lambda("PUT", "/environments/abc", {word: 1, "tags": {word: word}, "on_extras": word})
    on_lambda("GET", f"/environments?cursor={'%0a'}")
    if word != "\ud800":
        on_lambda("GET", f"/environments/{word.replace('/', '')}")

    assert log.getvalue().isascii()
    assert [line["message"] for line in lines(log)] == ["refused"] * len(lines(log))
    assert len(lines(log)) >= 2
