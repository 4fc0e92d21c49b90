"""The wiring picture: everything that the checks say is in it, with its result."""

import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cli import documents
from tests.cli.documents import EXPECTATIONS, NAME
from trivet import wiring
from trivet.wiring import graph, picture, shapes

SVG = "{http://www.w3.org/2000/svg}"
Draw = Callable[[Any, Any], str]
FORMS = (wiring.svg, wiring.mermaid, wiring.text)
EVERY_CHECK = [each["name"] for each in documents.checks()]


def _with_checks(*checks: dict[str, Any]) -> documents.Document:
    found = documents.environment()
    found["smoke_test"]["checks"] = [*checks]
    return found


def _marks(document: documents.Document) -> list[str]:
    root = ET.fromstring(wiring.svg(document))
    kinds = [each.get("class", "") for each in root.iter(f"{SVG}g")]
    # The last four are the legend's.
    return [each.removeprefix("wiring-result-") for each in kinds][:-4]


@pytest.mark.parametrize("failed", EVERY_CHECK)
def test_a_failed_check_is_seen_in_every_form(failed: str) -> None:
    document = documents.with_smoke_test("failed", failed)

    assert _marks(document).count("failed") == 2  # on the arrow, and at the top
    assert f"failed: {failed}" in ET.tostring(ET.fromstring(wiring.svg(document)), "unicode")
    assert wiring.text(document).count("✗") == 2
    assert "stroke:#cf222e,stroke-width:4px" in wiring.mermaid(document)


def test_where_all_passed_nothing_is_red() -> None:
    document = documents.environment()

    assert set(_marks(document)) == {"passed"}
    assert "failed" not in wiring.text(document)
    assert "cf222e" not in wiring.mermaid(document)


def test_text_says_who_may_do_what_to_whom() -> None:
    lines = wiring.text(documents.environment(), documents.profile()).splitlines()

    start = lines.index(f"notebook  {documents.role_name('notebook')}")
    assert lines[start + 1 : start + 6] == [
        "  ✓ assumed by sagemaker.amazonaws.com",
        "  ✓ may pass workflow_execution to Step Functions ──▶ workflow_execution",
        "  ✓ may not pass lambda_trigger to Step Functions ──┤ lambda_trigger",
        "  ✓ may create workflows ──▶ state machine",
        "  ✓ may not create roles of its own",
    ]
    assert "  ✓ may not pass its own role to SageMaker ──┤ workflow_execution" in lines
    assert "  ✓ may start workflow executions ──▶ state machine" in lines
    assert "  ✓ runs under workflow_execution ──▶ workflow_execution" in lines


def test_mermaid_has_an_arrow_for_each_that_leads_somewhere() -> None:
    drawn = wiring.mermaid(documents.environment())

    assert drawn.startswith("flowchart LR\n")
    assert 'n0 -->|"✓ may pass workflow_execution to Step Functions"| n1' in drawn
    assert 'n1 --x|"✓ may not pass its own role to SageMaker"| n1' in drawn
    assert 'n3 -->|"✓ runs under workflow_execution"| n1' in drawn
    links = re.findall(r"(?:-->|--x)\|", drawn)
    styled = re.search(r"linkStyle ([\d,]+) stroke:#1a7f37", drawn)
    assert styled is not None
    assert [int(each) for each in styled[1].split(",")] == list(range(len(links)))


def test_every_expectation_of_the_templates_is_understood() -> None:
    files = list(Path("policies").rglob("expectations.json"))
    assert files
    for file in files:
        names = [each["name"] for each in json.loads(file.read_text())]
        document = _with_checks(*({"name": each, "status": "passed"} for each in names))
        assert [each.check for each in graph.read(document).others] == [], file


def test_what_is_not_understood_is_listed_beside() -> None:
    document = _with_checks({"name": "the moon is full", "status": "failed", "detail": "no"})

    for draw in FORMS:
        assert "the moon is full" in draw(document)
    assert "failed" in _marks(document)


def test_before_the_first_smoke_test_all_is_unknown() -> None:
    document = documents.with_smoke_test("pending")

    assert set(_marks(document)) == {"unknown"}
    assert "may pass workflow_execution to Step Functions" in wiring.text(document)
    assert "assumed by states.amazonaws.com" in wiring.text(document)


def test_another_trust_policy_shows_who_really_may_assume_the_role() -> None:
    check = {
        "name": "notebook role's trust policy reads back as declared",
        "status": "failed",
        "detail": "IAM holds another trust policy for x: it may be assumed by "
        "sagemaker.amazonaws.com, arn:aws:iam::666666666666:root.",
    }

    card = graph.read(_with_checks(check)).cards[0]

    assert card.services == ("sagemaker.amazonaws.com", "arn:aws:iam::666666666666:root")
    assert card.trust is not None
    assert card.trust.result == "failed"


def test_roles_of_ones_own_profile() -> None:
    document = _with_checks(
        {"name": "glue may pass the notebook role to SageMaker", "status": "skipped"},
        {"name": "glue_job role's trust policy reads back as declared", "status": "passed"},
    )
    document["roles"]["glue_job"] = {"name": f"{NAME}-Glue", "arn": "arn:glue"}
    profile = {**documents.profile("own"), "roles": ["glue_job", "notebook"]}

    cards = graph.read(document, profile).cards

    keys = ["glue_job", "notebook", "workflow_execution", "lambda_trigger", graph.MACHINE]
    assert [each.key for each in cards] == keys
    assert [each.target for each in cards[0].statements] == ["notebook"]


def test_a_profiles_parameters_are_told() -> None:
    default = {"description": "Buckets.", "pattern": ".*", "default": ["*"]}
    profile = documents.profile("scoped", buckets=default, keys={**default, "default": []})
    document = documents.environment(profile="scoped", parameters={})

    assert graph.read(document, profile).parameters == ("buckets: *", "keys: none")
    document["parameters"] = {"buckets": ["lake-*", "x"]}
    assert "buckets: lake-*, x" in wiring.svg(document, profile)


CHECKS = st.fixed_dictionaries(
    {"name": st.text() | st.sampled_from(EXPECTATIONS), "status": st.text(), "detail": st.text()}
)


@settings(deadline=None)
@given(checks=st.lists(CHECKS, max_size=8))
def test_whatever_checks_say_it_is_drawn(checks: list[dict[str, Any]]) -> None:
    document = _with_checks(*checks)

    ET.fromstring(wiring.svg(document))
    told = wiring.mermaid(document)
    assert all(line.count('"') % 2 == 0 for line in told.splitlines())
    statements = list(graph.read(document).statements())
    assert len(statements) >= len({each["name"] for each in checks})


TARGETS = st.lists(st.sampled_from(["a", "b", "c", graph.MACHINE, None]), max_size=6)


@given(st.tuples(TARGETS, TARGETS, TARGETS, TARGETS))
def test_no_two_lines_lie_on_each_other(targets: tuple[list[str | None], ...]) -> None:
    cards = [
        graph.Card(
            key,
            key,
            (),
            None,
            tuple(graph.Statement("", "", "passed", "", target=each) for each in own),
        )
        for key, own in zip(("a", "b", "c", graph.MACHINE), targets, strict=True)
    ]

    placed = picture._place(cards, 0)
    lines = picture._routed(placed)

    assert len(lines) == sum(each is not None for own in targets for each in own)
    assert len({each.end for each in lines}) == len(lines)
    for one in lines:
        others = [each for each in lines if each is not one and each.lane == one.lane]
        assert all(one.span[1] < each.span[0] or each.span[1] < one.span[0] for each in others)
    for above, below in pairwise(placed):
        assert above.top + above.height < below.top


def test_the_picture_brings_all_it_needs() -> None:
    drawn = wiring.svg(documents.environment())

    root = ET.fromstring(drawn)
    assert [each.text for each in root.iter(f"{SVG}style")] == [shapes.STYLE]
    assert root.findtext(f"{SVG}title") == f"Wiring of {NAME}"
    assert not re.search(r"href|url\(|<script|<image|id=", drawn)
    # Every colour is an attribute too, so that it shows where styles are refused.
    shown = [each for each in root.iter() if each.tag in (f"{SVG}rect", f"{SVG}text")]
    assert all(each.get("fill") for each in shown)
