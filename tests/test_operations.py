"""The pages for callers and operators: their policies, requests and commands are right."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import botocore
import botocore.session
import pytest
import yaml
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.iam.authorization import AuthorizationRequest
from tests.iam.simulator import simulate
from tools.child import REPOSITORY
from tools.local_http import HOST

DOCS = REPOSITORY / "docs"
CALLERS = (DOCS / "callers.md").read_text()
API = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/prod"
KEY_ID, SECRET, TOKEN = "AKIAEXAMPLE", "a-secret", "a-session-token"
VARIABLES = {
    "AWS_ACCESS_KEY_ID": KEY_ID,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_SESSION_TOKEN": TOKEN,
    "AWS_DEFAULT_REGION": "us-east-1",
}


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


# --- who may ask


@pytest.mark.parametrize(
    ("who", "may", "may_not"),
    [
        (
            "team",
            [
                "PUT/environments/datalake-consumer-dev",
                "GET/environments/datalake-consumer-dev",
                "GET/environments/datalake-consumer-dev/drift",
                "GET/environments/datalake-consumer-dev/history",
                "POST/environments/datalake-consumer-dev/smoke-test",
            ],
            [
                "POST/environments",
                "PUT/environments/other-dev",
                "GET/environments/other-dev",
                "GET/environments",
                "DELETE/environments/datalake-consumer-dev",
                "DELETE/environments/datalake-consumer-dev/deletion-protection",
                "POST/environments/datalake-consumer-dev/adopt",
                "POST/environments/datalake-consumer-dev/reapply",
                "PUT/accounts/210987654321/environments/datalake-consumer-dev",
                "POST/drift-runs",
            ],
        ),
        (
            "reader",
            ["GET/environments", "GET/environments/any-dev/drift", "GET/drift-runs/latest"],
            ["PUT/environments/any-dev", "POST/drift-runs", "DELETE/environments/any-dev"],
        ),
        (
            "operator",
            ["POST/drift-runs", "DELETE/environments/any-dev", "GET/health"],
            [],
        ),
    ],
)
def test_policies_for_callers(who: str, may: list[str], may_not: list[str]) -> None:
    [text] = blocks(CALLERS, f"json execute-api {who}")
    policy = json.loads(text)
    caller = "arn:aws:iam::123456789012:role/caller"

    decisions = simulate(
        {who: policy},
        [
            (who, AuthorizationRequest("execute-api:Invoke", f"{API}/{each}", caller))
            for each in may + may_not
        ],
    )

    assert [each.allowed for each in decisions] == [True] * len(may) + [False] * len(may_not)


def test_workflow_deploys_from_environments_that_the_role_trusts() -> None:
    page = (DOCS / "deploying.md").read_text()
    [trust] = [json.loads(each) for each in blocks(page, "json")]
    [workflow] = [yaml.safe_load(each) for each in blocks(page, "yaml")]
    trusted = trust["Statement"][0]["Condition"]["StringEquals"]

    assert trusted["token.actions.githubusercontent.com:sub"] == [
        f"repo:example/trivet:environment:{job['environment']}" for job in workflow["jobs"].values()
    ]


# --- a request


@pytest.fixture
def gateway() -> Iterator[HTTPServer]:
    """A server that keeps the last request and answers like Trivet."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.received = (self.path, dict(self.headers), body)  # type: ignore[attr-defined]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"status": "ready"}')

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = HTTPServer((HOST, 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def check_request(gateway: HTTPServer) -> None:
    """The request says what it should, and is signed as AWS asks."""
    path, headers, body = gateway.received  # type: ignore[attr-defined]
    assert path == "/prod/environments/datalake-consumer-dev"
    assert json.loads(body) == {"tags": {"team": "datalake"}}
    given = {name.lower(): value for name, value in headers.items()}
    authorization = given["authorization"]
    signed = re.search("SignedHeaders=([^, ]+)", authorization)
    signature = re.search("Signature=([0-9a-f]+)", authorization)
    assert signed is not None
    assert signature is not None
    names = signed.group(1).split(";")
    assert {"host", "x-amz-date", "x-amz-security-token"} <= set(names)
    assert given["x-amz-security-token"] == TOKEN
    request = AWSRequest(
        "PUT", f"http://{given['host']}{path}", {name: given[name] for name in names}, body
    )
    request.context["timestamp"] = given["x-amz-date"]
    auth: Any = SigV4Auth(Credentials(KEY_ID, SECRET, TOKEN), "execute-api", "us-east-1")
    text = auth.string_to_sign(request, auth.canonical_request(request))
    assert signature.group(1) == auth.signature(text, request)


def run(gateway: HTTPServer, *command: str) -> "subprocess.CompletedProcess[str]":
    url = f"http://{HOST}:{gateway.server_port}/prod"
    environment = {**os.environ, **VARIABLES, "TRIVET_URL": url, "NO_PROXY": HOST, "no_proxy": HOST}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_python_signs_as_aws_asks(gateway: HTTPServer, tmp_path: Path) -> None:
    [snippet] = blocks(CALLERS, "python")
    script = tmp_path / "request.py"
    script.write_text(snippet)

    done = run(gateway, sys.executable, str(script))

    assert (done.returncode, done.stdout) == (0, "ready\n"), done.stderr
    check_request(gateway)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl_signs_as_aws_asks(gateway: HTTPServer) -> None:
    [command] = [block for block in blocks(CALLERS, "sh") if "--aws-sigv4" in block]

    done = run(gateway, "sh", "-c", command)

    assert (done.returncode, done.stdout) == (0, '{"status": "ready"}'), done.stderr
    check_request(gateway)


# --- commands and names

OF_THE_CLI_ALONE = {("cloudformation", "deploy"), ("cloudformation", "package")}
GLOBAL_OPTIONS = {"output", "query", "region"}


def aws_commands() -> Iterator[list[str]]:
    for file in (REPOSITORY / "README.md", *sorted(DOCS.glob("*.md"))):
        for block in blocks(file.read_text(), "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                if line.strip().startswith("aws "):
                    yield shlex.split(line.partition("||")[0])


def test_aws_commands_exist_with_their_options() -> None:
    session = botocore.session.Session()
    commands = list(aws_commands())
    assert len(commands) > 5
    for _, service, name, *arguments in commands:
        if (service, name) in OF_THE_CLI_ALONE:
            continue
        model = session.get_service_model(service)
        operations = {botocore.xform_name(each, "-"): each for each in model.operation_names}
        shape: Any = model.operation_model(operations[name]).input_shape
        known = {botocore.xform_name(member, "-"): member for member in shape.members}
        given = {each[2:] for each in arguments if each.startswith("--")} - GLOBAL_OPTIONS
        given = {each.removeprefix("no-") for each in given}
        assert given <= set(known), (service, name)
        required = {botocore.xform_name(member, "-") for member in shape.required_members}
        assert required <= given, (service, name)
