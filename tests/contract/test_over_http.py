"""The API as `chalice local` serves it, over real HTTP and an embedded AWS."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.kit.checks import Answer, by_openapi
from tests.kit.names import ROOT
from tools.embedded_aws import EmbeddedAws, embedded_aws
from tools.local_api import local_api
from tools.local_http import HOST, free_port, send

from .test_fourth_role import add_glue

# Its processes have an account of their own.
pytestmark = [pytest.mark.slow, pytest.mark.home]

NAME = "datalake-consumer-dev"


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with embedded_aws() as running:
        yield running


@pytest.fixture(scope="module")
def url(aws: EmbeddedAws) -> Iterator[str]:
    with tempfile.TemporaryFile("w+") as log, local_api(aws.environment, log=log) as (served, _):
        yield served


def request(url: str, method: str, path: str, body: Any = None) -> Answer:
    """Send a request with the plainest of clients; check the answer against the document."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    raw = body if isinstance(body, bytes) else None if body is None else json.dumps(body)
    connection.request(method, path, raw, {} if raw is None else {"Content-Type": "text/plain"})
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    answer = Answer(response.status, json.loads(response.read()), headers)
    connection.close()
    by_openapi(method, path, answer)
    return answer


def test_main_journey(url: str) -> None:
    health = request(url, "GET", "/health")
    planned = request(url, "POST", "/environments", {"name": NAME, "dry_run": True})
    absent = request(url, "GET", f"/environments/{NAME}")
    created = request(url, "POST", "/environments", {"name": NAME, "tags": {"team": "datalake"}})
    again = request(url, "PUT", f"/environments/{NAME}", {"tags": {"team": "datalake"}})
    shown = request(url, "GET", f"/environments/{NAME}")
    listed = request(url, "GET", "/environments?limit=1")
    drift = request(url, "GET", f"/environments/{NAME}/drift")
    reapplied = request(url, "POST", f"/environments/{NAME}/reapply")
    tested = request(url, "POST", f"/environments/{NAME}/smoke-test")
    checked = request(url, "POST", "/drift-runs")
    latest = request(url, "GET", "/drift-runs/latest")
    deleted = request(url, "DELETE", f"/environments/{NAME}")
    gone = request(url, "DELETE", f"/environments/{NAME}")

    statuses = [each.status for each in (health, planned, absent, created, again, shown, listed)]
    assert statuses == [200, 200, 404, 201, 200, 200, 200]
    statuses = [each.status for each in (drift, reapplied, tested, checked, latest, deleted, gone)]
    assert statuses == [200, 200, 200, 200, 200, 200, 404]
    assert health.body["status"] == "ok"
    assert created.body["status"] == "ready"
    assert created.body["smoke_test"]["status"] == "succeeded"
    assert [role["name"] for role in created.body["roles"].values()] == [
        f"{NAME}-SageMaker",
        f"{NAME}-StepFunctionsWorkflowExecution",
        f"{NAME}-LambdaTriggerStepFunc",
    ]
    for each in (created, again, shown, reapplied):
        # Each call that converges looks at the roles anew.
        assert each.body["drift"].pop("checked_at")
    assert again.body == shown.body == reapplied.body == {**created.body, "changes": []}
    assert [each["name"] for each in listed.body["environments"]] == [NAME]
    assert drift.body == {"name": NAME, "in_sync": True, "changes": [], "foreign": []}
    assert tested.body["smoke_test"]["status"] == "succeeded"
    assert checked.body == latest.body
    assert (checked.body["checked"], checked.body["in_sync"]) == (1, 1)
    assert len(deleted.body["deleted"]) == 6


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/environments", b"{", 400),
        ("POST", "/environments", b"[]", 400),
        ("POST", "/environments", b"\xff\xfe", 400),
        ("POST", "/environments", b"", 422),
        ("POST", "/environments", {"name": "No", "wait": "20", "colour": 1}, 422),
        ("PUT", "/environments/No", {}, 422),
        ("PUT", "/environments/%ff", {}, 422),
        ("GET", "/environments?limit=0", None, 422),
        ("GET", "/environments?limit=", None, 422),
        ("GET", "/environments?colour=red", None, 422),
        ("GET", "/environments/%0d%0a", None, 404),
        ("GET", "/environments/not-there", None, 404),
        ("DELETE", "/environments/not-there", None, 404),
        ("POST", "/environments/not-there/reapply", {}, 404),
        ("POST", "/environments/not-there/smoke-test", {"wait": 26}, 422),
        ("POST", "/drift-runs", {"apply": "yes"}, 422),
    ],
)
def test_bad_requests(url: str, method: str, path: str, body: Any, status: int) -> None:
    assert request(url, method, path, body).status == status


def test_requests_at_once_do_not_mix(url: str) -> None:
    def provision(number: int) -> Answer:
        tags = {"number": str(number)}
        return request(url, "PUT", f"/environments/at-once-{number}", {"tags": tags, "wait": 0})

    def refuse(number: int) -> Answer:
        return request(url, "POST", "/environments", {f"unknown-{number}": 1})

    with ThreadPoolExecutor(20) as pool:
        made = [pool.submit(provision, number) for number in range(10)]
        refused = [pool.submit(refuse, number) for number in range(10)]

    for number, each in enumerate(made):
        answer = each.result()
        assert answer.status == 201
        assert answer.body["name"] == f"at-once-{number}"
        assert answer.body["tags"] == {"number": str(number)}
    for number, each in enumerate(refused):
        answer = each.result()
        assert answer.status == 422
        assert {error["field"] for error in answer.body["errors"]} == {"name", f"unknown-{number}"}


def test_equal_requests_at_once_make_one_environment(url: str) -> None:
    def provision(_: int) -> Answer:
        return request(url, "POST", "/environments", {"name": "the-same", "wait": 0})

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(provision, range(10)))

    assert [answer.status for answer in answers].count(201) == 1
    assert {answer.status for answer in answers} <= {200, 201, 409}
    for answer in answers:
        assert answer.status != 409 or int(answer.headers["retry-after"]) >= 1
    final = request(url, "POST", "/environments", {"name": "the-same"})
    assert final.body["smoke_test"]["status"] == "succeeded"
    assert request(url, "GET", "/environments/the-same/drift").body["in_sync"] is True


def test_fourth_role_in_a_copy_of_the_repository(aws: EmbeddedAws, tmp_path: Path) -> None:
    """As someone would who adds a role: copy, add files under `policies/`, serve."""
    for part in ("app.py", "chalicelib", ".chalice", "policies", "requirements.txt"):
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, tmp_path / part)
    add_glue(tmp_path / "policies")
    port = free_port()
    chalice = str(Path(sys.executable).with_name("chalice"))
    table = {"TRIVET_TABLE": "with-glue"}
    served = subprocess.Popen(
        [chalice, "local", "--no-autoreload", "--port", str(port)],
        cwd=tmp_path,
        env={**aws.environment, **table, "PATH": os.environ["PATH"]},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://{HOST}:{port}"
        _wait_for(url)
        created = send("POST", f"{url}/environments", {"name": "with-glue"}).body
        drift = send("GET", f"{url}/environments/with-glue/drift").body
        report = send("POST", f"{url}/drift-runs").body
        deleted = send("DELETE", f"{url}/environments/with-glue").body
    finally:
        served.terminate()
        served.wait()

    glue = "arn:aws:iam::123456789012:role/with-glue-Glue"
    assert created["roles"]["glue"] == {"name": "with-glue-Glue", "arn": glue}
    assert created["smoke_test"]["status"] == "succeeded"
    assert drift["in_sync"] is True
    assert (report["checked"], report["in_sync"]) == (1, 1)
    assert glue in deleted["deleted"]


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if send("GET", f"{url}/openapi.json", timeout_seconds=5).status == 200:
                return
        except RuntimeError:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")
