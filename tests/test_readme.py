"""What README and the pages of docs/ say and show is what the code has, and their requests work."""

import json
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from app import app
from chalicelib import settings
from chalicelib.api import problems
from tests.kit.account import in_memory
from tests.kit.clock import standing
from tests.kit.emulated import Executions
from tests.kit.http import Api
from tools.child import REPOSITORY

README = REPOSITORY / "README.md"
DOCS = REPOSITORY / "docs"
PAGES = [README, REPOSITORY / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
LOCAL = "http://127.0.0.1:8000"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    """The API as `make serve` has it: executions run, policies are not simulated."""
    with standing() as clock, in_memory(executions=False) as wire:
        wire.layers = [Executions(clock)]
        yield Api(wire)


def test_readme_is_what_a_newcomer_reads() -> None:
    assert len(README.read_text().splitlines()) < 150
    picture = (DOCS / "console.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 300_000


def test_the_first_request_is_answered_as_shown(api: Api) -> None:
    shown = json.loads(blocks(README, "json")[0])
    answered = sent(blocks(README, "sh")[0], api)
    assert skeleton(shown) == skeleton(answered)
    assert len(answered["smoke_test"]["checks"]) == 19
    assert len(answered["changes"]) == 22
    assert all(
        each in names(answered["smoke_test"]["checks"])
        for each in names(shown["smoke_test"]["checks"])
    )
    assert all(change in answered["changes"] for change in shown["changes"])


def test_the_requests_of_the_page_on_the_api_work_in_their_order(api: Api) -> None:
    requests = [
        request
        for block in blocks(DOCS / "api.md", "sh")
        for request in re.findall(r"^curl (?:.*\\\n)*.*$", block, re.MULTILINE)
    ]
    assert len(requests) >= 10
    for request in requests:
        answered = sent(soon(request), api)
        assert "status" not in answered or answered["status"] in {"ready", "incomplete", "finished"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_make_target_named_exists(page: Path) -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"(?:^    |^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", page.read_text())
    for file, heading in links:
        target = (page.parent / file) if file else page
        assert target.exists(), file
        if heading:
            assert heading in anchors(target), f"{file}#{heading}"


def test_the_table_of_routes_is_complete() -> None:
    page = (DOCS / "api.md").read_text()
    listed = set(re.findall(r"^\| `([A-Z]+ /\S+)` \|", page, re.MULTILINE))
    assert listed == {
        f"{method} {path}"
        for path, methods in app.routes.items()
        for method in methods
        if not path.startswith("/accounts/{account_id}/environments")
    }


def test_every_setting_is_described_with_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    described = dict(
        re.findall(
            r"^\| `(TRIVET_\w+)` \| ([^|]+?) \|",
            (DOCS / "configuration.md").read_text(),
            re.MULTILINE,
        )
    )
    assert set(described) == set(re.findall(r"TRIVET_\w+", source(settings)))
    for variable in described:
        monkeypatch.delenv(variable, raising=False)
    ours = settings.current()
    shown = {variable: default.strip("`") for variable, default in described.items()}
    assert shown["TRIVET_PERMISSIONS_BOUNDARY"] == ours.permissions_boundary
    assert shown["TRIVET_PROFILES"] == ",".join(ours.profiles)
    assert shown["TRIVET_TAG_KEYS"] == ",".join(ours.tag_keys)
    assert float(shown["TRIVET_MAX_DRIFT"]) == ours.max_drift
    assert int(shown["TRIVET_CONCURRENCY"]) == ours.concurrency
    assert shown["TRIVET_DRIFT_SCHEDULE"] == settings.drift_schedule()
    assert (ours.ignored_tag_keys, ours.external_id) == ((), None)
    assert shown["TRIVET_IGNORED_TAG_KEYS"] == shown["TRIVET_EXTERNAL_ID"] == "none"


def test_every_room_of_the_house_has_its_paragraph() -> None:
    page = (DOCS / "architecture.md").read_text()
    house = REPOSITORY / "chalicelib"
    rooms = {f"{each.name}/" for each in house.iterdir() if (each / "__init__.py").exists()}
    files = {each.name for each in house.glob("*.py")} - {"__init__.py"}
    assert rooms | files == set(re.findall(r"^\*\*`([\w/.]+)`\*\*", page, re.MULTILINE))
    named = set(re.findall(r"`(\w+/\w+\.py)`", page))
    assert named
    assert [each for each in named if not (house / each).exists()] == []


def test_every_problem_type_and_every_outcome_of_a_report_is_in_the_runbook() -> None:
    headings = anchors(DOCS / "runbook.md")
    kinds = {each.rpartition(":")[2] for each in problems.TYPES}
    assert kinds <= headings
    assert {"outcome-repaired", "outcome-drifted", "outcome-failed", "outcome-paused"} <= headings
    assert {f"run-{each}" for each in ("not-reached", "stopped", "account-error")} <= headings


def sent(command: str, api: Api) -> Any:
    """Send what a curl command would send; return what it was answered."""
    words = shlex.split(command.replace("\\\n", " "))
    assert words[:2] == ["curl", "-s"]
    method = words[words.index("-X") + 1] if "-X" in words else "GET"
    body = json.loads(words[words.index("-d") + 1]) if "-d" in words else None
    [address] = [each for each in words if each.startswith(LOCAL)]
    answer = api.request(method, address.removeprefix(LOCAL), body)
    assert answer.status in {200, 201}, (command, answer.body)
    return answer.body


def soon(command: str) -> str:
    """Return the command with the end of its pause in the week to come."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return re.sub(r'(?<="until": ")[^"]+', tomorrow, command)


def anchors(page: Path) -> set[str]:
    """Return what GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


def source(module: ModuleType) -> str:
    assert module.__file__ is not None
    return Path(module.__file__).read_text()


def skeleton(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document without what differs from run to run or is shown in part."""
    smoke_test = {**document["smoke_test"], "checks": None, "execution_arn": None}
    varying = {"created_at": None, "updated_at": None, "changes": None}
    drift = {**document["drift"], "checked_at": None}
    return {**document, **varying, "smoke_test": smoke_test, "drift": drift}


def names(checks: list[dict[str, str]]) -> set[tuple[str, str]]:
    return {(check["name"], check["status"]) for check in checks}
