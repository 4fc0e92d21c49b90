"""What callers may set of a profile, and what becomes of it in the documents."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib import catalogue
from chalicelib.catalogue.files import Parameter, TemplateError
from chalicelib.catalogue.parameters import fits
from chalicelib.catalogue.placeholders import filled
from chalicelib.errors import Invalid
from chalicelib.model import documents
from chalicelib.model.desired import Desired, Place

from .rendered import HERE, POLICIES, own_documents, rendered

KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def statement(desired: Desired, sid: str) -> Any:
    """The only statement of this Sid in the notebook's documents, or None."""
    found = [
        each
        for name, document in own_documents(desired).items()
        for each in document["Statement"]
        if name.startswith("notebook/") and each["Sid"] == sid
    ]
    return found[0] if found else None


def refused(name: str = "lake-dev", profile: str = "scoped", **given: Any) -> dict[str, str]:
    """The errors of these parameters, by field; each field once."""
    with pytest.raises(Invalid) as raised:
        catalogue.load().profile(profile).check_parameters(name, given)
    return {each.field: each.message for each in raised.value.errors}


def refusal(name: str, given: dict[str, Any]) -> Invalid | None:
    try:
        catalogue.load().profile("scoped").check_parameters(name, given)
    except Invalid as error:
        return error
    return None


def test_defaults_are_the_environments_own() -> None:
    desired = rendered("scoped", name="lake-dev")

    assert statement(desired, "OwnBuckets")["Resource"] == ["arn:aws:s3:::lake-dev-*"]
    assert statement(desired, "OwnObjects")["Resource"] == ["arn:aws:s3:::lake-dev-*/*"]
    glue = "arn:aws:glue:us-east-1:123456789012"
    assert statement(desired, "OwnTables")["Resource"] == [
        f"{glue}:catalog",
        *(f"{glue}:database/{each}" for each in ("lake_dev", "lake_dev_*")),
        *(f"{glue}:table/{each}/*" for each in ("lake_dev", "lake_dev_*")),
    ]
    [workgroup] = statement(desired, "OwnQueries")["Resource"]
    assert workgroup.endswith(":workgroup/lake-dev")


def test_a_list_stands_for_one_string_per_element() -> None:
    desired = rendered("scoped", buckets=["one", "two-*"])

    assert statement(desired, "OwnBuckets")["Resource"] == [
        "arn:aws:s3:::one",
        "arn:aws:s3:::two-*",
    ]
    assert statement(desired, "OwnObjects")["Resource"] == [
        "arn:aws:s3:::one/*",
        "arn:aws:s3:::two-*/*",
    ]


def test_a_statement_left_with_no_resource_is_left_out() -> None:
    assert statement(rendered("scoped"), "OwnKeys") is None
    assert statement(rendered("scoped", kms_keys=[KEY]), "OwnKeys")["Resource"] == [KEY]
    assert statement(rendered("scoped", buckets=[]), "OwnObjects") is None


def test_expectations_speak_of_the_first_element() -> None:
    def expected(*buckets: str) -> list[str]:
        expectations = rendered("scoped", buckets=list(buckets)).expectations
        return [
            each.resource
            for each in expectations
            if each.name == "trigger may read its own buckets"
        ]

    assert expected("data-*", "more") == ["arn:aws:s3:::data-x/key"]
    assert expected() == []


def test_what_was_recorded_and_is_no_parameter_any_more_is_passed_over() -> None:
    assert rendered("standard", buckets=["one"]) == rendered("standard")


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"bucket": ["one"]}, "bucket", "buckets, athena_workgroups, glue_databases, kms_keys"),
        ({"buckets": "one"}, "buckets", "a list of strings"),
        ({"buckets": ["ONE"]}, "buckets", "lower-case letters"),
        ({"buckets": ["ok", "a/b"]}, "buckets", "'a/b'"),
        ({"buckets": ["${aws:username}"]}, "buckets", "does not fit"),
        ({"buckets": [""]}, "buckets", "does not fit"),
        ({"buckets": ["one\n"]}, "buckets", "does not fit"),
        ({"kms_keys": ["*"]}, "kms_keys", "ARNs of KMS keys"),
        ({"kms_keys": [KEY + "*"]}, "kms_keys", "does not fit"),
        ({"athena_workgroups": ["*"]}, "athena_workgroups", "does not fit"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_in_words(
    given: dict[str, Any], field: str, said: str
) -> None:
    errors = refused(**given)

    assert list(errors) == [f"parameters.{field}"]
    assert said in errors[f"parameters.{field}"]


def test_all_errors_are_told_together() -> None:
    assert set(refused(buckets=["A"], kms_keys="x", other="y")) == {
        "parameters.buckets",
        "parameters.kms_keys",
        "parameters.other",
    }


def test_a_profile_without_parameters_says_so() -> None:
    assert refused(profile="standard", buckets=["one"]) == {
        "parameters.buckets": "the profile has no parameters"
    }


def test_what_would_not_fit_iams_limits_is_refused_with_the_parameter_named() -> None:
    profile = catalogue.load().profile("scoped")
    many = [f"{at:03}-" + "b" * 59 for at in range(30)]

    profile.check_parameters("x" * 33, {"buckets": many[:5], "kms_keys": [KEY, KEY]})
    errors = refused(buckets=many, kms_keys=[KEY])

    assert list(errors) == ["parameters.buckets"]
    assert "IAM allows" in errors["parameters.buckets"]


bucket_names = st.text("abz09*.-", min_size=3, max_size=63)


@settings(max_examples=60, derandomize=True, database=None, deadline=None)
@given(
    name=st.text("az", min_size=3, max_size=33),
    buckets=st.lists(bucket_names, max_size=30),
    databases=st.lists(st.text("ab_", min_size=1, max_size=255), max_size=12),
    keys=st.integers(0, 20),
)
def test_what_is_accepted_fits_iams_limits_wherever_it_is_rendered(
    name: str, buckets: list[str], databases: list[str], keys: int
) -> None:
    given_ = {"buckets": buckets, "glue_databases": databases, "kms_keys": [KEY] * keys}
    error = refusal(name, given_)
    if error is not None:
        [said] = error.errors
        assert "IAM allows" in said.message
        return

    desired = rendered("scoped", name, Place("1" * 12, "aws-us-gov", "us-gov-west-1"), **given_)
    for role in desired.roles:
        assert sum(map(documents.size, role.inline_policies.values())) <= 10_240
        assert documents.size(role.trust_policy) <= 2_048
    assert all(documents.size(each.document) <= 6_144 for each in desired.policies)


def test_values_that_fit_are_accepted() -> None:
    profile = catalogue.load().profile("scoped")

    profile.check_parameters("lake", {"buckets": ["one", "two-*"], "kms_keys": [KEY]})
    profile.check_parameters("lake", {})
    profile.check_parameters("lake", {"buckets": []})


def changed(tmp_path: Path, file: str, change: Callable[[Any], None]) -> str:
    """What is said of `scoped` after a change to one of its files."""
    folder = tmp_path / "policies"
    shutil.copytree(POLICIES, folder)
    content = json.loads((folder / "scoped" / file).read_text())
    change(content)
    (folder / "scoped" / file).write_text(json.dumps(content))
    return str(catalogue.load(folder).broken["scoped"])


def test_lists_stand_in_lists_of_resources_only(tmp_path: Path) -> None:
    where = {"StringLike": {"s3:prefix": ["${parameter.buckets}"]}}
    said = changed(
        tmp_path,
        "notebook/Data.json",
        lambda document: document["Statement"][0].update(Condition=where),
    )

    assert "Data.json" in said
    assert "only in a list of Resource" in said


def test_lists_stand_in_no_string_by_itself(tmp_path: Path) -> None:
    said = changed(
        tmp_path,
        "notebook/Data.json",
        lambda document: document["Statement"][0].update(Resource="${parameter.buckets}"),
    )

    assert "is a list, and stands in no list" in said


def test_a_pattern_lets_no_placeholder_through() -> None:
    """Whatever a profile's own pattern would let through."""

    anything = Parameter(description="Anything.", pattern=".*", default="")

    assert fits(anything, "a $ b {c}")
    assert not fits(anything, "${role_arn.notebook}")
    assert not fits(anything, "a${*}")


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

    result = filled(marked, values, Path("x"))

    assert _shape(json.loads(json.dumps(result))) == _shape(json.loads(json.dumps(marked)))
    assert _strings(result) == [
        values["one"] + text + values["two.three"] for text in _strings(_cleaned(template))
    ]


@settings(max_examples=100, derandomize=True, database=None, deadline=None)
@given(several=st.lists(texts, max_size=4), before=texts, after=texts)
def test_a_list_gives_one_string_per_element_in_order(
    several: list[str], before: str, after: str
) -> None:
    before, after = before.replace("$", ""), after.replace("$", "")

    result = filled(["a", before + "${many}" + after, "z"], {"many": tuple(several)}, Path("x"))

    assert result == ["a", *(before + each + after for each in several), "z"]


def test_a_list_outside_a_list_is_refused() -> None:
    with pytest.raises(TemplateError, match="stands in no list"):
        filled({"a": "${many}"}, {"many": ("b",)}, Path("x"))


def test_rendering_leaves_no_placeholder() -> None:
    for profile in ("standard", "scoped"):
        text = repr(rendered(profile, "a" * 33, HERE))
        assert "${" not in text.replace("${aws:userid}", "")


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
