"""The README's commands, answer and table of routes are what the code has."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

from app import app
from tools.embedded_aws import embedded_aws
from tools.local_api import local_api
from tools.local_http import send

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_first_request_is_answered_as_shown() -> None:
    shown = json.loads(blocks("json")[0])
    with embedded_aws() as aws, local_api(aws.environment) as (url, _):
        answered = sent(blocks("sh")[0], url)
    assert skeleton(shown) == skeleton(answered)
    assert len(answered["smoke_test"]["checks"]) == 19
    assert len(answered["changes"]) == 22
    assert all(
        each in names(answered["smoke_test"]["checks"])
        for each in names(shown["smoke_test"]["checks"])
    )
    assert all(change in answered["changes"] for change in shown["changes"])


def test_every_make_target_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^    |`)make ([a-z-]+)", README, re.MULTILINE))
    assert named
    assert named <= targets


def test_the_table_of_routes_is_complete() -> None:
    listed = set(re.findall(r"^\| `([A-Z]+ /\S+)` \|", README, re.MULTILINE))
    assert listed == {
        f"{method} {path}" for path, methods in app.routes.items() for method in methods
    }


def test_every_link_to_a_file_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []


def sent(command: str, url: str) -> Any:
    """Send what a curl command would send, to the API at `url`, and return the answer's body."""
    words = shlex.split(command.replace("\\\n", " "))
    assert words[:3] == ["curl", "-s", "-X"]
    body = json.loads(words[words.index("-d") + 1])
    return send(words[3], words[4].replace("http://127.0.0.1:8000", url), body).body


def skeleton(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document without what differs from run to run or is shown in part."""
    smoke_test = {**document["smoke_test"], "checks": None, "execution_arn": None}
    times = {"created_at": None, "updated_at": None}
    return {**document, **times, "smoke_test": smoke_test, "changes": None}


def names(checks: list[dict[str, str]]) -> set[tuple[str, str]]:
    return {(check["name"], check["status"]) for check in checks}
