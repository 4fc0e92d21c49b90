"""What README and the pages of docs/ say and show is what the code has, and their requests work."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app import app
from tests.kit import product
from tools.child import REPOSITORY, ChildError
from tools.embedded_aws import embedded_aws
from tools.local_api import local_api
from tools.local_http import send

README = REPOSITORY / "README.md"
DOCS = REPOSITORY / "docs"
PAGES = [README, REPOSITORY / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
LOCAL = "http://127.0.0.1:8000"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with embedded_aws() as aws, local_api(aws.environment) as (url, _):
        yield url


def test_readme_is_what_a_newcomer_reads() -> None:
    assert len(README.read_text().splitlines()) < 150
    picture = (DOCS / "console.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 300_000


def test_the_first_request_is_answered_as_shown(url: str) -> None:
    shown = json.loads(blocks(README, "json")[0])
    answered = sent(blocks(README, "sh")[0], url)
    assert skeleton(shown) == skeleton(answered)
    assert len(answered["smoke_test"]["checks"]) == 19
    assert len(answered["changes"]) == 22
    assert all(
        each in names(answered["smoke_test"]["checks"])
        for each in names(shown["smoke_test"]["checks"])
    )
    assert all(change in answered["changes"] for change in shown["changes"])
