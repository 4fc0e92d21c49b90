"""Declarations from files: `apply --file` and `plan --file`."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cli import documents
from tests.cli.conftest import Trivet
from tests.cli.stub import Stub
from trivet import declarations

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
DECLARATIONS = st.dictionaries(
    st.text().filter(lambda key: key not in ("name", "dry_run", "wait")), VALUES, max_size=4
).map(lambda fields: {"name": "some-name", **fields})


@pytest.mark.parametrize(
    ("suffix", "write"), [(".json", json.dumps), (".yaml", yaml.safe_dump)], ids=["json", "yaml"]
)
@settings(deadline=None)
@given(wanted=DECLARATIONS)
def test_a_declaration_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, write: Any, wanted: Any
) -> None:
    file = tmp_path_factory.getbasetemp() / f"declared{suffix}"
    file.write_text(write(wanted))

    assert declarations.read(file) == [wanted]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository of environments: one declaration, a list, several documents, and others."""
    (tmp_path / "one.json").write_text('{"name": "first-one", "tags": {"team": "a"}}')
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "two.yaml").write_text(
        "- name: second-one\n  tags: {since: 2026-01-01}\n- {name: third-one}\n"
    )
    (tmp_path / "more" / "three.yml").write_text(
        "x-tags: &all {team: b}\nname: fourth-one\ntags: {<<: *all, team: c}\n"
        "---\nname: fifth-one\n"
    )
    (tmp_path / "README.md").write_text("not a declaration")
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github" / "workflow.yaml").write_text("on: push")
    return tmp_path


def test_a_directory_is_read_whole(folder: Path) -> None:
    assert declarations.read(folder) == [
        {"name": "fourth-one", "x-tags": {"team": "b"}, "tags": {"team": "c"}},
        {"name": "fifth-one"},
        {"name": "second-one", "tags": {"since": "2026-01-01"}},
        {"name": "third-one"},
        {"name": "first-one", "tags": {"team": "a"}},
    ]


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("a.json", "{", "cannot be read"),
        ("a.json", '{"name": "x-1", "name": "x-2"}', "'name' is there twice"),
        ("a.yaml", "name: x-1\nname: x-2", "'name' is there twice"),
        ("a.yaml", "name: [", "cannot be read"),
        ("a.yaml", "name: x-1\n1: 2", "not a string"),
        ("a.yaml", "name: x-1\ntags: !!binary aGVsbG8=", "cannot be read"),
        ("a.yaml", "name: x-1\ntags: !!python/object:os.system {}", "cannot be read"),
        ("a.yaml", "", "holds no declaration"),
        ("a.json", "[]", "holds no declaration"),
        ("a.json", '"name"', "an object that has a name"),
        ("a.json", '{"tags": {}}', "an object that has a name"),
        ("a.json", '[{"name": "x-1"}, {"name": "x-1"}]', "declared twice"),
        ("a.json", '{"name": "x-1", "dry_run": true}', "no part of a declaration"),
        ("a.json", b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_bad_file_is_refused(
    trivet: Trivet, tmp_path: Path, file: str, content: str | bytes, told: str
) -> None:
    path = tmp_path / file
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

    ran = trivet("apply", "--file", str(path))

    assert ran.code == 3
    assert told in ran.err
    assert str(path) in ran.err
    assert ran.err.count("\n") == 1


def test_nothing_is_done_where_one_of_many_files_is_bad(
    stub: Stub, trivet: Trivet, folder: Path
) -> None:
    (folder / "zz.json").write_text("{")

    assert trivet("apply", "--file", str(folder)).code == 3
    assert stub.asked == []


def test_an_empty_directory_is_refused(trivet: Trivet, tmp_path: Path) -> None:
    assert trivet("plan", "--file", str(tmp_path)).code == 3


def test_one_that_fails_stops_no_other(stub: Stub, trivet: Trivet, folder: Path) -> None:
    changes = [documents.created()]
    for name in ("second-one", "third-one", "fourth-one", "first-one"):
        stub.on(f"PUT /environments/{name}", documents.environment(name, changes=changes))
    told = "A role of that name exists."
    stub.on("PUT /environments/fifth-one", documents.problem(409, "Foreign", told), 409)

    ran = trivet("apply", "--file", str(folder))

    assert ran.code == 1
    assert ran.err == f"Error: fifth-one: {told}\n"
    assert "first-one: ready, 1 change, smoke test succeeded" in ran.out
    assert len(stub.asked) == 5
    assert stub.asked[-1].body == {"tags": {"team": "a"}}


def test_many_plans_as_json(stub: Stub, trivet: Trivet, folder: Path) -> None:
    plan = documents.environment("first-one", changes=[documents.created()], dry_run=True)
    stub.on("PUT /environments/first-one", plan)

    ran = trivet("plan", "first-one", "--file", str(folder), "-o", "json")

    assert ran.code == 2
    assert ran.document == [plan]
    assert stub.asked[0].body == {"tags": {"team": "a"}, "dry_run": True}


def test_a_name_that_no_file_declares(trivet: Trivet, folder: Path) -> None:
    ran = trivet("plan", "sixth-one", "--file", str(folder))

    assert ran.code == 3
    assert "declares no sixth-one" in ran.err


def test_options_and_a_file_are_not_mixed(trivet: Trivet, folder: Path) -> None:
    assert trivet("apply", "--file", str(folder), "--tag", "a=b").code == 3
