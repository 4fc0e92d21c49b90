"""What is written for those who change Trivet, done."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.names import ROOT

PAGE = ROOT / "docs" / "new-kind-of-drift.md"
NEEDED = ("app.py", "chalicelib", "policies", "tests")


@pytest.mark.slow
def test_a_new_kind_of_drift_is_a_diff_of_two_files(tmp_path: Path) -> None:
    [diff] = re.findall(r"```diff\n(.*?)```", PAGE.read_text(), re.DOTALL)
    changed = re.findall(r"^\+\+\+ b/(.*)$", diff, re.MULTILINE)
    assert changed == ["chalicelib/model/actual.py", "chalicelib/resources/role.py"]
    for each in NEEDED:
        copy = shutil.copytree if (ROOT / each).is_dir() else shutil.copy
        copy(ROOT / each, tmp_path / each)
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=diff, text=True, check=True)

    done = subprocess.run(
        [sys.executable, "-m", "tests.drift.instance_profile"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    kind = "remove_from_instance_profile"
    # Before it stand logs and metrics.
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "plan": [kind],
        "drift": ["instance profile theirs holds the role"],
        "report": ["repaired", [kind]],
        "after the run": [],
        "reapplied": [kind],
        "after that": [],
        "in sync": True,
        "documented": True,
        "events": ["AddRoleToInstanceProfile", "RemoveRoleFromInstanceProfile"],
    }
