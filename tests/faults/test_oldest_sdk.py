"""The oldest SDK that the Lambda runtime may have: it is enough for all that Trivet does.

That every call and parameter is known to it is checked of every call of every test
(`kit/account.py`), from a list; here the list is held against that SDK, and tests are run on it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.models import OLDEST
from tests.kit.names import ROOT

from .test_error_codes import OPERATIONS

REQUIREMENTS = ROOT / "requirements-oldest-sdk.txt"
DECISION = ROOT / "docs" / "decisions" / "botocore-without-boto3.md"
TESTS = (
    "tests/contract/test_smoke_test.py",
    "tests/contract/test_deletion.py",
    "tests/drift/test_kinds.py",
    "tests/faults/test_error_codes.py",
    "tests/faults/test_retries.py",
)
"""Those that read most of AWS's answers, errors among them."""


def _version() -> str:
    [line] = [
        each for each in REQUIREMENTS.read_text().splitlines() if each.startswith("botocore=")
    ]
    return line.split("==")[1].removesuffix(" \\")


def test_it_is_named_alike_everywhere() -> None:
    assert json.loads(OLDEST.read_text())["botocore"] == _version()
    assert f"botocore {_version()}" in DECISION.read_text()


@pytest.fixture(scope="module")
def on_it() -> dict[str, str]:
    """The environment of a process that uses that SDK; installed once, beside the others."""
    folder = Path(sys.prefix) / f"botocore-{_version()}"
    if not folder.exists():
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes"),
                *("--target", unfinished, "--requirement", REQUIREMENTS),
            ],
            check=True,
        )
        unfinished.rename(folder)
    return {**os.environ, "PYTHONPATH": str(folder)}


@pytest.mark.soak
def test_the_list_of_what_it_knows_is_right(on_it: dict[str, str]) -> None:
    """To make the list anew: this very command, its output into the file."""
    command = [sys.executable, "-m", "tests.kit.models", *sorted(OPERATIONS)]
    done = subprocess.run(command, cwd=ROOT, env=on_it, capture_output=True, check=True)
    assert json.loads(done.stdout) == json.loads(OLDEST.read_text())


@pytest.mark.soak
@pytest.mark.parametrize("file", TESTS)
def test_tests_pass_on_it(on_it: dict[str, str], file: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-m", "not soak", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, file], cwd=ROOT, env=on_it, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]
