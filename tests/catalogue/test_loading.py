"""Templates that are wrong are refused when they are loaded, with the file named."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib import documents, templates
from chalicelib.model import Place
from chalicelib.templates import TemplateError
from tests.kit.names import ROOT

HERE = Place("123456789012", "aws", "us-east-1")


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    shutil.copytree(ROOT / "policies", folder)
    return folder


def edit(file: Path, change: Callable[[Any], Any]) -> None:
    content = json.loads(file.read_text())
    changed = change(content)
    file.write_text(json.dumps(content if changed is None else changed))


def with_statement(**elements: Any) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        document["Statement"][0].update(elements)

    return change


def with_fields(**fields: Any) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        content.update(fields)

    return change


def own_policy(name: str, document: str = "PassWorkflowExecutionRole.json") -> dict[str, str]:
    return {"name": name, "document": document}


NOTEBOOK, TRUST = "notebook/role.json", "notebook/trust.json"
INLINE = "notebook/PassWorkflowExecutionRole.json"
WORKFLOW = "workflow_execution/role.json"
MANAGED = "workflow_execution/StepFunctionsWorkflowExecutionPolicy.json"
MACHINE, ASL = "smoke-test/state-machine.json", "smoke-test/definition.asl.json"
EXPECTATIONS = "smoke-test/expectations.json"

TOO_LONG_NAME = "${environment}-" + "x" * 61


def no_key(key: str) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        del content[key]

    return change


WRONG: list[tuple[str, str, Callable[[Any], Any], str]] = [
    # placeholders
    ("unknown in a policy", INLINE, with_statement(Resource="${role_arn.none}"), "role_arn.none"),
    ("unknown in a list", MANAGED, with_statement(Resource=["a", "${regoin}"]), "regoin"),
    ("unknown in a key", TRUST, with_statement(Condition={"X": {"${nope}": 1}}), "nope"),
    ("empty", TRUST, with_statement(Sid="${}"), ""),
    ("unclosed", INLINE, with_statement(Resource="arn:${partition"), "partition"),
    ("nested", INLINE, with_statement(Resource="${role_arn.${environment}}"), "environment"),
    ("colon for dot", INLINE, with_statement(Resource="${role_arn:notebook}"), "role_arn:notebook"),
    ("in capitals", INLINE, with_statement(Resource="${PARTITION}"), "PARTITION"),
    ("in a description", NOTEBOOK, with_fields(description="${who}"), "who"),
    ("in a definition", ASL, with_fields(Comment="${who}"), "who"),
    ("in an expectation", EXPECTATIONS, lambda each: each[0].update(resource="${who}"), "who"),
    (
        "in a context",
        EXPECTATIONS,
        lambda each: each[0].update(context={"iam:PassedToService": "${who}"}),
        "who",
    ),
    # names
    ("too long", NOTEBOOK, with_fields(name=TOO_LONG_NAME), "too long"),
    (
        "policy too long",
        WORKFLOW,
        lambda role: role["customer_managed_policies"][0].update(name="${environment}" + "x" * 126),
        "too long",
    ),
    ("machine too long", MACHINE, with_fields(name="${environment}" + "x" * 78), "too long"),
    ("without environment", NOTEBOOK, with_fields(name="SageMaker"), "environment"),
    ("with it twice", NOTEBOOK, with_fields(name="${environment}${environment}"), "environment"),
    ("of bad characters", NOTEBOOK, with_fields(name="${environment}/x"), "characters"),
    ("not ASCII", NOTEBOOK, with_fields(name="${environment}-é"), "characters"),
    ("other placeholder", NOTEBOOK, with_fields(name="${environment}-${region}"), "characters"),
    (
        "taken",
        NOTEBOOK,
        with_fields(name="${environment}-LAMBDATRIGGERSTEPFUNC"),
        "LAMBDATRIGGERSTEPFUNC",
    ),
    (
        "inline taken",
        NOTEBOOK,
        with_fields(inline_policies=[own_policy("Same"), own_policy("same")]),
        "same",
    ),
    (
        "policy taken",
        NOTEBOOK,
        with_fields(
            customer_managed_policies=[own_policy("${environment}-lambdatriggerSTEPFUNCROLE")]
        ),
        "lambdatriggerSTEPFUNCROLE",
    ),
    # sizes
    ("trust", TRUST, with_statement(Sid="x" * 2_048), "2048"),
    ("managed", MANAGED, with_statement(Sid="x" * 6_144), "6144"),
    ("inline", INLINE, with_statement(Sid="x" * 10_240), "10240"),
    ("description", NOTEBOOK, with_fields(description="x" * 1_001), "1000"),
    # managed policies
    (
        "eleven",
        NOTEBOOK,
        with_fields(aws_managed_policies=[f"Policy{number}" for number in range(11)]),
        "11 managed policies",
    ),
    ("one twice", NOTEBOOK, with_fields(aws_managed_policies=["A", "A"]), "twice"),
    ("an ARN", NOTEBOOK, with_fields(aws_managed_policies=["arn:aws:iam::aws:policy/A"]), "arn:"),
    ("a session", NOTEBOOK, with_fields(max_session_duration=3_599), "3600"),
    # shapes
    ("extra key", NOTEBOOK, with_fields(path="/"), "path"),
    ("missing key", NOTEBOOK, no_key("trust_policy"), "trust_policy"),
    ("missing name", MACHINE, no_key("name"), "name"),
    ("wrong type", NOTEBOOK, with_fields(aws_managed_policies="A"), "array"),
    ("extra in expectation", EXPECTATIONS, lambda each: each[0].update(why="x"), "why"),
    ("odd expectation", EXPECTATIONS, lambda each: each[0].update(expect="maybe"), "maybe"),
    ("no object", TRUST, lambda _: [], "object"),
    ("no document", NOTEBOOK, with_fields(trust_policy="none.json"), "none.json"),
    # references
    ("machine's role", MACHINE, with_fields(role="none"), "none"),
    ("expectation's role", EXPECTATIONS, lambda each: each[0].update(role="none"), "none"),
]


@pytest.mark.parametrize(
    ("file", "change", "said"), [each[1:] for each in WRONG], ids=[each[0] for each in WRONG]
)
def test_wrong_templates_are_refused_with_the_file_named(
    policies: Path, file: str, change: Callable[[Any], Any], said: str
) -> None:
    edit(policies / file, change)

    with pytest.raises(TemplateError) as refused:
        templates.load(policies)

    # The limit on inline policies is on all of a role's together.
    named = {"none.json": "notebook/none.json", "10240": NOTEBOOK}.get(said, file)
    assert (
        str(policies / named) in str(refused.value)
        # A name taken twice is reported at the second of the two, which names the first.
        or "is taken" in str(refused.value)
    )
    assert said in str(refused.value)


@pytest.mark.parametrize("file", [NOTEBOOK, TRUST, INLINE, MANAGED, MACHINE, ASL, EXPECTATIONS])
@pytest.mark.parametrize("content", ["", "{", "{'a': 1}", '{"a": 1,}', "\ufffe"])
def test_templates_that_are_no_json_are_refused(policies: Path, file: str, content: str) -> None:
    (policies / file).write_text(content)

    with pytest.raises(TemplateError, match=re.escape(str(policies / file))):
        templates.load(policies)


@pytest.mark.parametrize("file", [TRUST, INLINE, MACHINE, ASL, EXPECTATIONS])
def test_missing_files_are_refused(policies: Path, file: str) -> None:
    (policies / file).unlink()

    with pytest.raises(TemplateError, match=re.escape(str(policies / file))):
        templates.load(policies)


def test_folder_without_roles_is_refused(policies: Path) -> None:
    for role in ("notebook", "workflow_execution", "lambda_trigger"):
        shutil.rmtree(policies / role)

    with pytest.raises(TemplateError, match=re.escape(str(policies))):
        templates.load(policies)


def test_ten_managed_policies_of_both_kinds_fit_and_eleven_do_not(policies: Path) -> None:
    for more, fits in ((8, True), (9, False)):
        names = ["CloudWatchEventsFullAccess"] + [f"Policy{number}" for number in range(more)]
        edit(policies / WORKFLOW, with_fields(aws_managed_policies=names))
        templates.load.cache_clear()
        if fits:
            templates.load(policies)
        else:
            with pytest.raises(TemplateError, match="11 managed policies"):
                templates.load(policies)


def test_size_counts_the_longest_environment(policies: Path) -> None:
    """A document that fits a short name only is refused."""
    room = 2_048 - documents.size(json.loads((policies / TRUST).read_text())) - len(',"Sid":""')
    for spare, fits in ((33, True), (32, False)):
        sid = "x" * (room - spare) + "${environment}"
        edit(policies / TRUST, with_statement(Sid=sid))
        templates.load.cache_clear()
        if fits:
            templates.load(policies)
        else:
            with pytest.raises(TemplateError, match=r"trust\.json"):
                templates.load(policies)


@pytest.mark.parametrize("variable", ["${aws:username}", "${*}", "${?}", "${$}", "${saml:sub}"])
def test_variables_of_iam_stay_as_they_are(policies: Path, variable: str) -> None:
    edit(policies / INLINE, with_statement(Resource=f"arn:${{partition}}:s3:::b/{variable}"))

    role = templates.load(policies).render("abc", HERE, {}, None).role("notebook")

    document = role.inline_policies["PassWorkflowExecutionRole"]
    assert document["Statement"][0]["Resource"] == f"arn:aws:s3:::b/{variable}"


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-eusc"])
def test_rendering_leaves_no_placeholder_and_no_other_partition(partition: str) -> None:
    place = Place("210987654321", partition, "xx-region-1")

    desired = templates.load().render("a" * 33, place, {"team": "x"}, None)

    assert not re.findall(r"\$\{", repr(desired))
    assert set(re.findall(r"arn:(aws[a-z-]*):", repr(desired))) == {partition}
    assert set(re.findall(r"\d{12}", repr(desired))) <= {"210987654321"}


texts = st.text(st.characters(codec="utf-8"), max_size=30)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, derandomize=True, database=None, deadline=None)
@given(template=json_values, values=st.fixed_dictionaries({"one": texts, "two.three": texts}))
def test_substituted_values_never_break_out_of_their_string(
    template: Any, values: dict[str, str]
) -> None:
    marked = _marked(template)

    filled = templates._substituted(marked, values, Path("x"))

    assert _shape(json.loads(json.dumps(filled))) == _shape(json.loads(json.dumps(marked)))
    assert _strings(filled) == [
        values["one"] + text + values["two.three"] for text in _strings(_cleaned(template))
    ]


def _cleaned(template: Any) -> Any:
    """Return the template without dollar signs of its own."""
    if isinstance(template, str):
        return template.replace("$", "")
    if isinstance(template, list):
        return [_cleaned(each) for each in template]
    if isinstance(template, dict):
        return {f"k{at}": _cleaned(each) for at, each in enumerate(template.values())}
    return template


def _marked(template: Any) -> Any:
    cleaned = _cleaned(template)
    if isinstance(cleaned, str):
        return "${one}" + cleaned + "${two.three}"
    if isinstance(cleaned, list):
        return [_marked(each) for each in cleaned]
    if isinstance(cleaned, dict):
        return {key: _marked(each) for key, each in cleaned.items()}
    return cleaned


def _shape(value: Any) -> Any:
    if isinstance(value, str):
        return "string"
    if isinstance(value, list):
        return [_shape(each) for each in value]
    if isinstance(value, dict):
        return {key: _shape(each) for key, each in value.items()}
    return value


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for each in value for text in _strings(each)]
    if isinstance(value, dict):
        return [text for each in value.values() for text in _strings(each)]
    return []
