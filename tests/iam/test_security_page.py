"""What `docs/security.md` says is shown by a test is shown by a test."""

from __future__ import annotations

import re
from pathlib import Path

from tools.child import REPOSITORY

PAGE = (REPOSITORY / "docs" / "security.md").read_text()
HERE = Path(__file__).parent


def test_every_test_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE))

    assert len(named) > 15
    missing = [
        f"{file}::{test}"
        for file, test in sorted(named)
        if not re.search(rf"^def {test}\(", (HERE / file).read_text(), re.MULTILINE)
    ]
    assert missing == []


def test_every_cell_that_says_no_names_a_test() -> None:
    """Or repeats the cell beside it."""
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line]
    claims = [row for row in rows if re.search(r"\| (no|none|may not)\b", row)]

    assert len(claims) > 10
    assert [row for row in claims if "::test_" not in row and "execute-api" not in row] == []
