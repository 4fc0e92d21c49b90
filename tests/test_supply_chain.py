"""Where what is installed and packaged comes from, and under which licences."""

import re
from email.message import Message
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.child import REPOSITORY
from tools.licences import NOTICE_ONLY, installed, is_allowed, licence_of, refused
from tools.sbom import bill_of_materials, breach_of_schema


def pins(file: str) -> dict[str, list[str]]:
    """The hashes of each pinned package of a lock file, by `name==version`."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in (REPOSITORY / file).read_text().splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+(?:\[[^]]*\])?==[^ ;\\]+)", line):
            name = match.group(1)
            found[name] = []
        found.get(name, []).extend(re.findall(r"--hash=sha256:[0-9a-f]{64}", line))
    return found


@pytest.mark.parametrize(
    "file",
    ["requirements.txt", "requirements-dev.lock", "tests/ministack/requirements.txt"],
)
def test_every_package_has_its_hashes(file: str) -> None:
    locked = pins(file)

    assert len(locked) >= 4
    assert [name for name, hashes in locked.items() if not hashes] == []


def test_package_and_tests_use_the_same_versions() -> None:
    packaged, developed = pins("requirements.txt"), pins("requirements-dev.lock")

    assert {name: developed.get(name) for name in packaged} == packaged


@pytest.mark.parametrize("file", ["requirements.in", "requirements-dev.txt"])
def test_locks_follow_what_is_asked_for(file: str) -> None:
    asked = {
        re.sub(r"\[.*\]", "", line.strip()).lower()
        for line in (REPOSITORY / file).read_text().splitlines()
        if "==" in line and not line.startswith("#")
    }

    assert asked <= set(pins("requirements-dev.lock")), "run make lock"


def test_every_installed_package_has_a_licence_on_the_list() -> None:
    licences = installed()

    assert len(licences) > 50
    assert refused(licences) == []


def test_a_licence_that_is_not_on_the_list_is_named() -> None:
    assert refused({"a": "MIT", "b": "GPL-3.0-only", "c": ""}) == [
        "b: GPL-3.0-only",
        "c: its metadata names no licence",
    ]


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("MIT AND (GPL-3.0-only OR Apache-2.0)", True),
        ("MIT AND GPL-3.0-only OR Apache-2.0", True),
        ("(MIT OR GPL-3.0-only) AND AGPL-3.0-only", False),
        ("Some Licence of Our Own", False),
        ("MIT AND", False),
        ("(MIT", False),
    ],
)
def test_expressions_are_read_as_spdx_has_them(expression: str, allowed: bool) -> None:
    assert is_allowed(expression, NOTICE_ONLY) is allowed


@given(st.lists(st.sampled_from([*sorted(NOTICE_ONLY), "GPL-3.0-only"]), min_size=1))
def test_all_or_any_of_several(licences: list[str]) -> None:
    held = [each in NOTICE_ONLY for each in licences]

    assert is_allowed(" AND ".join(licences), NOTICE_ONLY) == all(held)
    assert is_allowed(" OR ".join(licences), NOTICE_ONLY) == any(held)


def test_licence_is_read_from_expression_classifier_or_text() -> None:
    by_expression, by_classifier, by_text = Message(), Message(), Message()
    by_expression["License-Expression"] = "MIT OR Apache-2.0"
    by_classifier["Classifier"] = "License :: OSI Approved :: BSD License"
    by_classifier["Classifier"] = "License :: OSI Approved :: Apache Software License"
    by_text["License"] = "Apache-2.0"

    assert licence_of(by_expression) == "MIT OR Apache-2.0"
    assert licence_of(by_classifier) == "BSD-3-Clause AND Apache-2.0"
    assert licence_of(by_text) == "Apache-2.0"


def test_bill_of_materials_names_what_is_in_the_package(tmp_path: Path) -> None:
    package = tmp_path / "deployment.zip"
    with ZipFile(package, "w") as zipped:
        zipped.writestr("chalice/app.py", "")
        zipped.writestr(
            "some_package-1.2.dist-info/METADATA",
            "Metadata-Version: 2.4\nName: Some_Package\nVersion: 1.2\nLicense-Expression: MIT\n",
        )

    document = bill_of_materials(package)

    assert document["bomFormat"] == "CycloneDX"
    found = {each["purl"]: each["licenses"] for each in document["components"]}
    assert found["pkg:pypi/some-package@1.2"] == [{"expression": "MIT"}]
    assert len(found) == 2
    assert any(purl.startswith("pkg:pypi/chalice@") for purl in found)
    assert bill_of_materials(package) == document
    assert breach_of_schema(document) is None
    document["components"][0]["type"] = "wheel"
    assert "wheel" in str(breach_of_schema(document))
