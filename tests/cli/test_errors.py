"""What a user sees when the command line, the API or AWS is not as it should be."""

import socket
import threading
from typing import Any

import pytest

from tests.cli import documents
from tests.cli.conftest import Trivet
from tests.cli.documents import NAME
from tests.cli.stub import Stub
from trivet.api import Api, Problem, Unreachable

HERE = f"/environments/{NAME}"


def test_an_unknown_environment(stub: Stub, trivet: Trivet) -> None:
    told = f"There is no environment {NAME}."
    stub.on(f"GET {HERE}", documents.problem(404, "Not found", told), 404)

    ran = trivet("show", NAME)

    assert (ran.code, ran.out, ran.err) == (1, "", f"Error: {told}\n")


def test_invalid_fields_are_named(stub: Stub, trivet: Trivet) -> None:
    fields = [{"field": "tags.team", "message": "at most 256 characters"}]
    told = documents.problem(422, "Invalid", "1 field is invalid.", errors=fields)
    stub.on(f"PUT {HERE}", told, 422)

    ran = trivet("apply", NAME, "--tag", "team=x")

    assert ran.code == 1
    assert ran.err == "Error: 1 field is invalid.\n  tags.team: at most 256 characters\n"


def test_a_field_that_the_detail_names_is_not_told_twice(stub: Stub, trivet: Trivet) -> None:
    fields = [{"field": "name", "message": "too long"}]
    told = documents.problem(422, "Invalid", "name: too long", errors=fields)
    stub.on(f"PUT {HERE}", told, 422)

    assert trivet("apply", NAME).err == "Error: name: too long\n"


@pytest.mark.parametrize(
    ("status", "body", "advice"),
    [
        (429, {"message": "Too Many Requests"}, "Try again in 7 s."),
        (503, documents.problem(503, "Unavailable", "IAM throttles."), "Try again in 7 s."),
        (409, documents.problem(409, "Held", "Held by jo since 12:00."), "Try again in 7 s."),
        (403, {"Message": "User: x is not authorized"}, "execute-api:Invoke"),
        (403, {"message": "Missing Authentication Token"}, "execute-api:Invoke"),
        (403, {"message": "The security token included is expired"}, "aws sso login"),
        (504, {"message": "Endpoint request timed out"}, "The same call again is safe"),
        (502, b"<html>bad gateway</html>", "The same call again is safe"),
        (500, b"", "The API answered with 500"),
    ],
)
def test_what_to_do_is_said(
    stub: Stub, trivet: Trivet, status: int, body: Any, advice: str
) -> None:
    retry = {"Retry-After": "7"} if advice.startswith("Try again") else {}
    stub.on(f"GET {HERE}", body, status, retry)

    ran = trivet("show", NAME)

    assert ran.code == 1
    assert advice in ran.err
    assert ran.err.startswith("Error: ")
    assert len(stub.asked) == 1


def test_throttled_without_a_time(stub: Stub, trivet: Trivet) -> None:
    stub.on(f"GET {HERE}", {"message": "Too Many Requests"}, 429)

    assert "try again in a few seconds" in trivet("show", NAME).err


def test_an_api_of_another_version(stub: Stub, trivet: Trivet) -> None:
    first_version = documents.environment()
    del first_version["profile"]
    stub.on(f"GET {HERE}", first_version)

    ran = trivet("show", NAME)

    assert ran.code == 1
    assert "'profile'" in ran.err
    assert ran.err.count("\n") == 1


def test_a_redirect_is_not_followed(stub: Stub, trivet: Trivet) -> None:
    stub.on(f"GET {HERE}", b"", 302, {"Location": f"{stub.url}/environments"})

    ran = trivet("show", NAME)

    assert ran.code == 1
    assert stub.targets() == [f"GET {HERE}"]


def test_an_api_that_is_gone(trivet: Trivet) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        ran = trivet("list", "--url", url)

    assert ran.code == 1
    assert ran.err == (
        f"Error: {url} cannot be reached: Connection refused. Check --url or TRIVET_URL, your "
        "network, and that the API is deployed or served.\n"
    )


@pytest.mark.parametrize(("method", "told"), [("GET", "Try again."), ("PUT", "is safe")])
def test_an_api_that_is_slow(stub: Stub, method: str, told: str) -> None:
    release = threading.Event()
    stub.on(f"{method} {HERE}", {}, release=release)
    try:
        with pytest.raises(Unreachable, match=rf"no answer within 0.05 s\. .*{told}"):
            Api(stub.url, timeout=0.05).call(method, HERE)
    finally:
        release.set()


def test_the_api_is_told_who_asks(stub: Stub, trivet: Trivet) -> None:
    trivet("list")

    assert stub.asked[0].headers["user-agent"] == "trivet/2.0.0"


def test_an_address_that_is_no_api(stub: Stub, trivet: Trivet) -> None:
    stub.on("GET /environments", b"<html>Sign in to the guest network</html>")

    ran = trivet("list")

    assert ran.code == 1
    assert "not with JSON" in ran.err


def test_a_problem_says_all_that_the_api_said(stub: Stub) -> None:
    told = documents.problem(409, "Held", "Held by jo.", errors=[])
    stub.on(f"GET {HERE}", told, 409, {"Retry-After": "5"})

    with pytest.raises(Problem) as caught:
        Api(stub.url).call("GET", HERE)

    problem = caught.value
    assert (problem.status, problem.title, problem.detail) == (409, "Held", "Held by jo.")
    assert (problem.retry_after, problem.type, problem.errors) == (5, told["type"], [])


@pytest.mark.parametrize(
    "args",
    [
        ("bogus",),
        ("list", "--bogus"),
        ("list", "--status", "fine"),
        ("list", "--tag", "team"),
        ("list", "--account", "1234"),
        ("list", "--url", "ftp://host/dev"),
        ("list", "--url", "host/dev"),
        ("list", "--url", "http://127.0.0.1:1", "--stage", "dev"),
        ("show",),
        ("apply",),
        ("apply", NAME, "--tag", "=x"),
        ("apply", NAME, "--tag", "a=1", "--tag", "a=2"),
        ("apply", NAME, "--parameter", "buckets=[oops"),
        ("apply", "--file", "/nowhere/at/all.json"),
        ("history", NAME, "--limit", "0"),
        ("pause", NAME, "--until", "soon", "--reason", "x"),
        ("pause", NAME, "--until", "9999999d", "--reason", "x"),
        ("pause", NAME, "--until", "4h"),
        ("run", "--preview", "--confirm", "run-1"),
        ("runs", "bogus"),
        ("runs", "-o", "json", "show", "run-1"),
        ("account", "add", "not-an-id"),
        ("wiring", NAME, "--format", "png"),
    ],
)
def test_wrong_usage_gets_one_line_and_asks_nothing(
    stub: Stub, trivet: Trivet, args: tuple[str, ...]
) -> None:
    ran = trivet(*args)

    assert ran.code == 3
    assert ran.out == ""
    assert ran.err.count("\n") == 1
    assert ran.err.startswith("Error: ")
    assert stub.asked == []


def test_without_an_api_it_says_how_to_name_one(trivet: Trivet) -> None:
    ran = trivet("list", TRIVET_URL=None)

    assert ran.code == 3
    assert all(each in ran.err for each in ("--url", "TRIVET_URL", "--stage"))


def test_what_a_role_says_sends_a_terminal_no_commands(stub: Stub, trivet: Trivet) -> None:
    evil = {**documents.attached(), "summary": "lacks \x1b]0;pwned\x07 and [bold]more[/bold]"}
    stub.on(f"GET {HERE}/drift", documents.drift(evil))
    stub.on(f"GET {HERE}", documents.problem(404, "Not found", "no \x1b[31mred"), 404)

    assert r"lacks \x1b]0;pwned\x07 and [bold]more[/bold]" in trivet("drift", NAME).out
    assert r"no \x1b[31mred" in trivet("show", NAME).err
