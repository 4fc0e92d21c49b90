"""What `docs/security.md` says is shown by a test is shown by a test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module

from tools.child import REPOSITORY

PAGE = (REPOSITORY / "docs" / "security.md").read_text()
TEST = re.compile(r"`((?:\w+/)*test_\w+)\.py::(test_\w+)`")
NAMED = sorted(set(TEST.findall(PAGE)))


def module_of(file: str) -> str:
    """Files without a folder are those beside this one, or stand right under `tests/`."""
    here = (REPOSITORY / "tests" / "iam" / f"{file}.py").exists()
    return ".".join(["tests", *(["iam"] if here else []), *file.split("/")])


def cells() -> Iterator[str]:
    """What the tables of attackers say of each row, with the boundary on and off."""
    attackers = PAGE.partition("## Attackers")[2].partition("\n## ")[0]
    for line in attackers.splitlines():
        if line.startswith("| ") and not line.startswith("| | "):
            _, on, off = line.strip("| ").split(" | ")
            yield from (on, off)


def test_every_test_that_the_page_names_is_collected() -> None:
    missing = [
        f"{file}::{test}"
        for file, test in NAMED
        if not callable(getattr(import_module(module_of(file)), test, None))
    ]

    assert len(NAMED) > 50
    assert missing == []


def test_no_test_that_the_page_names_waits_for_the_soak() -> None:
    of_functions = [getattr(import_module(module_of(file)), test) for file, test in NAMED]
    marks = {mark.name for each in of_functions for mark in getattr(each, "pytestmark", ())}

    assert "parametrize" in marks
    assert "soak" not in marks


def test_every_cell_names_a_test_or_repeats_the_one_beside_it() -> None:
    every = list(cells())

    assert len(every) > 60
    assert [each for each in every if not TEST.search(each) and each != "the same"] == []
