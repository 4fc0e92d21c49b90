"""A profile that is wrong is refused when it is loaded, with the file named, and stops no other."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chalicelib import catalogue
from chalicelib.catalogue.catalogue import Catalogue
from chalicelib.catalogue.files import TemplateError
from chalicelib.errors import Invalid
from chalicelib.model import documents
from chalicelib.model.desired import Desired

from .rendered import HERE, POLICIES


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    shutil.copytree(POLICIES, folder)
    return folder


def refusal(policies: Path, profile: str = "standard") -> str:
    """Load the profiles, and return what is said of the one that is refused."""
    try:
        return str(loaded(policies).broken[profile])
    except TemplateError as error:  # none is left: what is wrong is shared
        return str(error)


def loaded(policies: Path) -> Catalogue:
    catalogue.load.cache_clear()
    return catalogue.load(policies)


def rendered(policies: Path, name: str = "abc") -> Desired:
    return (
        loaded(policies)
        .profile("standard")
        .render(name, HERE, tags={}, permissions_boundary=None, parameters={})
    )


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


NOTEBOOK, TRUST = "standard/notebook/role.json", "standard/notebook/trust.json"
INLINE = "standard/notebook/PassWorkflowExecutionRole.json"
WORKFLOW = "standard/workflow_execution/role.json"
MANAGED = "standard/workflow_execution/StepFunctionsWorkflowExecutionPolicy.json"
MACHINE, ASL = "smoke-test/state-machine.json", "smoke-test/definition.asl.json"
EXPECTATIONS = "smoke-test/expectations.json"
PROFILE = "standard/profile.json"

TOO_LONG_NAME = "${environment}-" + "x" * 61


def no_key(key: str) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        del content[key]

    return change


def with_state(name: str, **fields: Any) -> Callable[[Any], None]:
    def change(machine: Any) -> None:
        machine["States"][name].update(fields)

    return change


def with_parameter(**fields: Any) -> Callable[[Any], None]:
    parameter = {"description": "Letters.", "pattern": "[a-z]+", "default": "a", **fields}
    return with_fields(parameters={"letters": parameter})


NESTED = {"StartAt": "Inside", "States": {"Inside": {"Type": "Pass", "Next": "Outside"}}}


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
    # what AWS's models say, and botocore does not hold requests to
    ("en dash", NOTEBOOK, with_fields(description="a \u2013 b"), "Latin-1"),
    (
        "policy's description",
        WORKFLOW,
        lambda role: role["customer_managed_policies"][0].update(description="x" * 1_001),
        "1000",
    ),
    ("a space", NOTEBOOK, with_fields(inline_policies=[own_policy("Pass Role")]), "Pass Role"),
    ("a long name", NOTEBOOK, with_fields(inline_policies=[own_policy("x" * 129)]), "128"),
    ("a spaced Sid", INLINE, with_statement(Sid="Pass role"), "Pass role"),
    ("a Sid in trust", TRUST, with_statement(Sid="a-b"), "a-b"),
    ("a Sid twice", INLINE, with_statement(Sid="HandsOffTrivet"), "HandsOffTrivet"),
    ("no statement", TRUST, with_fields(Statement=[]), "no statement"),
    # the workflow
    ("no start", ASL, with_fields(StartAt="Nowhere"), "Nowhere"),
    ("no next", ASL, with_state("WhoAmI", Next="Nowhere"), "Nowhere"),
    ("no default", ASL, with_state("RunTrainingJob?", Default="Nowhere"), "Nowhere"),
    ("no choice", ASL, with_state("RunTrainingJob?", Choices=[{"Next": "Nowhere"}]), "Nowhere"),
    ("no catch", ASL, with_state("WhoAmI", Catch=[{"Next": "Nowhere"}]), "Nowhere"),
    ("no branch", ASL, with_state("WhoAmI", Branches=[NESTED]), "Outside"),
    ("no item", ASL, with_state("WhoAmI", ItemProcessor=NESTED), "Outside"),
    # the profile
    ("role unlisted", PROFILE, with_fields(roles=["notebook", "workflow_execution"]), "lambda_"),
    ("role twice", PROFILE, lambda each: each["roles"].append("notebook"), "twice"),
    ("odd field", PROFILE, with_fields(owner="x"), "owner"),
    ("odd pattern", PROFILE, with_parameter(pattern="["), "pattern"),
    ("odd default", PROFILE, with_parameter(default="B"), "does not match"),
    ("check twice", EXPECTATIONS, lambda each: each.append(each[0]), "is taken"),
]


@pytest.mark.parametrize(
    ("file", "change", "said"), [each[1:] for each in WRONG], ids=[each[0] for each in WRONG]
)
def test_wrong_templates_are_refused_with_the_file_named(
    policies: Path, file: str, change: Callable[[Any], Any], said: str
) -> None:
    edit(policies / file, change)

    said_of = refusal(policies)

    # The limit on inline policies is on all of a role's together.
    named = {"none.json": "standard/notebook/none.json", "10240": NOTEBOOK}.get(said, file)
    assert (
        str(policies / named) in said_of
        # A name taken twice is reported at the second of the two, which names the first.
        or "is taken" in said_of
    )
    # Of two names that are one without regard to case, the second is named.
    assert said.lower() in said_of.lower()


OWN = [PROFILE, NOTEBOOK, TRUST, INLINE, MANAGED]
SHARED = [MACHINE, ASL, EXPECTATIONS]


@pytest.mark.parametrize("file", OWN)
@pytest.mark.parametrize("content", ["", "{", "{'a': 1}", '{"a": 1,}', "\ufffe"])
def test_files_that_are_no_json_are_refused(policies: Path, file: str, content: str) -> None:
    (policies / file).write_text(content)

    assert str(policies / file) in refusal(policies)


@pytest.mark.parametrize("file", OWN[2:])
def test_missing_files_are_refused(policies: Path, file: str) -> None:
    (policies / file).unlink()

    assert str(policies / file) in refusal(policies)


@pytest.mark.parametrize("file", SHARED)
@pytest.mark.parametrize("content", ["{", None])
def test_a_file_that_all_profiles_share_stops_them_all(
    policies: Path, file: str, content: str | None
) -> None:
    (policies / file).unlink()
    if content is not None:
        (policies / file).write_text(content)

    with pytest.raises(TemplateError) as refused:
        loaded(policies)

    assert str(refused.value).count(Path(file).name) >= 2


def test_folder_without_profiles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=re.escape(str(tmp_path))):
        loaded(tmp_path)


def test_one_wrong_profile_stops_no_other(policies: Path) -> None:
    (policies / TRUST).write_text("{")

    found = loaded(policies)

    assert list(found.profiles) == ["scoped"]
    assert found.declarable("scoped").name == "scoped"
    for asked in (found.profile, found.declarable):
        with pytest.raises(TemplateError, match=r"trust\.json"):
            asked("standard")


def test_ten_managed_policies_of_both_kinds_fit_and_eleven_do_not(policies: Path) -> None:
    for more, fits in ((8, True), (9, False)):
        names = ["CloudWatchEventsFullAccess"] + [f"Policy{number}" for number in range(more)]
        edit(policies / WORKFLOW, with_fields(aws_managed_policies=names))
        if fits:
            assert "standard" in loaded(policies).profiles
        else:
            assert "11 managed policies" in refusal(policies)


def test_size_counts_the_longest_environment(policies: Path) -> None:
    """A document that fits a short name only is refused."""
    room = 2_048 - documents.size(json.loads((policies / TRUST).read_text())) - len(',"Sid":""')
    for spare, fits in ((33, True), (32, False)):
        sid = "x" * (room - spare) + "${environment}"
        edit(policies / TRUST, with_statement(Sid=sid))
        if fits:
            assert "standard" in loaded(policies).profiles
        else:
            assert "trust.json" in refusal(policies)


@pytest.mark.parametrize("variable", ["${aws:username}", "${*}", "${?}", "${$}", "${saml:sub}"])
def test_variables_of_iam_stay_as_they_are(policies: Path, variable: str) -> None:
    edit(policies / INLINE, with_statement(Resource=f"arn:${{partition}}:s3:::b/{variable}"))

    role = rendered(policies).role("notebook")

    document = role.inline_policies["PassWorkflowExecutionRole"]
    assert document["Statement"][0]["Resource"] == f"arn:aws:s3:::b/{variable}"


NEW_PROFILE = {
    "description": "One role.",
    "roles": ["only"],
    "state_machine": "machine.json",
    "expectations": [],
}


def test_adding_a_profile_is_adding_a_folder(policies: Path) -> None:
    shutil.copytree(policies / "standard" / "workflow_execution", policies / "mine" / "only")
    (policies / "mine" / "profile.json").write_text(json.dumps(NEW_PROFILE))
    edit(
        policies / "mine" / "only" / "role.json",
        with_fields(name="${environment}-Only" + "y" * 20),
    )
    machine = {"name": "${environment}-m", "role": "only", "definition": "asl.json"}
    (policies / "mine" / "machine.json").write_text(json.dumps(machine))
    ends = {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}
    (policies / "mine" / "asl.json").write_text(json.dumps(ends))
    document = policies / "mine" / "only" / "StepFunctionsWorkflowExecutionPolicy.json"
    document.write_text(document.read_text().replace("role_arn.notebook", "role_arn.only"))

    found = loaded(policies)

    assert found.broken == {}
    assert found.profile("mine").roles == ("only",)
    assert "${environment}-Only" + "y" * 20 in found.role_names()
    assert "${environment}-m" in found.state_machine_names()
    assert "${environment}-Only" + "y" * 20 in found.state_machine_role_names()
    # The shortest limit of all profiles: there is room for it in IAM's 64.
    assert found.longest_name == min(33, 64 - len("-Only") - 20)
    with pytest.raises(Invalid):
        found.declarable("mine")


def test_what_is_allowed_is_what_callers_may_name(policies: Path) -> None:
    found = catalogue.load(policies, ("scoped",))

    assert found.default == "scoped"
    assert found.profile("standard").name == "standard"
    with pytest.raises(Invalid) as refused:
        found.declarable("standard")
    assert [(each.field, each.message) for each in refused.value.errors] == [
        ("profile", "one of: scoped")
    ]


def test_a_profile_allowed_that_is_not_there_is_named(policies: Path) -> None:
    found = catalogue.load(policies, ("standard", "scopd"))

    assert "scopd/profile.json" in str(found.broken["scopd"])
    with pytest.raises(TemplateError, match="no profile gone"):
        found.profile("gone")


def test_shipped_profiles_are_sound() -> None:
    found = catalogue.load()

    assert found.broken == {}
    assert set(found.profiles) == set(found.allowed) == {"standard", "scoped"}
    assert (found.default, found.longest_name) == ("standard", 33)
    assert found.is_name("a" * 33)
    assert not found.is_name("a" * 34)


@pytest.mark.parametrize(
    ("resource", "environment"),
    [
        ("lake-dev-SageMaker", "lake-dev"),
        ("LAKE-dev-sagemaker", "lake-dev"),
        ("lake-SageMakerData", "lake"),
        ("lake-LambdaTriggerStepFuncRole", "lake"),
        ("-SageMaker", None),
        ("la-SageMaker", None),
        ("a" * 34 + "-SageMaker", None),
        ("lake-Admin", None),
    ],
)
def test_whose_a_name_is(resource: str, environment: str | None) -> None:
    assert catalogue.load().environment_of(resource) == environment


@pytest.mark.parametrize(
    ("name", "profile", "others", "contested"),
    [
        ("lake", "scoped", [("lake-dev", "standard")], "lake-dev"),
        ("lake", "standard", [("lake-dev", "scoped")], "lake-dev"),
        ("lake-dev", "scoped", [("lake", "standard")], "lake"),
        ("lake", "standard", [("lake-dev", "standard")], None),
        ("lake", "scoped", [("lakes", "scoped"), ("my-lake", "scoped")], None),
        ("lake", "scoped", [("lake", "standard")], None),
        # Of a profile that is not there it cannot be told what it reaches.
        ("lake", "standard", [("lake-dev", "gone")], "lake-dev"),
    ],
)
def test_names_that_cannot_stand_together(
    name: str, profile: str, others: list[tuple[str, str]], contested: str | None
) -> None:
    assert catalogue.load().contested(name, profile, others) == contested


def test_all_that_cannot_stand_together_are_named() -> None:
    profiles = {"lake": "scoped", "lake-a-b": "standard", "pond": "scoped", "sea": "standard"}

    found = catalogue.load().all_contested({**profiles, "sea-a": "standard"})

    assert found == {"lake": "lake-a-b", "lake-a-b": "lake"}
