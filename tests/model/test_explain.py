"""A difference is told in one line that names what differs, and rated for what it allows."""

import copy
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.iam import models as moto_iam

from chalicelib.model import explain
from chalicelib.model.change import Explanation
from chalicelib.model.documents import listed

ROOT = Path(__file__).parent.parent.parent
PLACES = {
    "${partition}": "aws",
    "${environment}": "lake",
    "${role_arn.notebook}": "arn:aws:iam::123456789012:role/lake-SageMaker",
    "${role_arn.workflow_execution}": "arn:aws:iam::123456789012:role/lake-Workflow",
}
NOTEBOOK = PLACES["${role_arn.notebook}"]
OTHER_ACCOUNT = "arn:aws:iam::999999999999:root"
S3_FULL = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
BOUNDARY = "arn:aws:iam::123456789012:policy/TrivetEnvironmentBoundary"

Edit = Callable[[list[Any]], Any]


def template(path: str) -> Any:
    text = (ROOT / "policies" / path).read_text()
    for place, value in PLACES.items():
        text = text.replace(place, value)
    return json.loads(text)


WORKFLOW = template("standard/workflow_execution/StepFunctionsWorkflowExecutionPolicy.json")
PASS_ROLE = template("standard/notebook/PassWorkflowExecutionRole.json")
TRUST = template("standard/notebook/trust.json")
MACHINE = {"definition": template("smoke-test/definition.asl.json"), "role_arn": NOTEBOOK}


def edited(document: Any, edit: Edit) -> Any:
    changed = copy.deepcopy(document)
    edit(changed["Statement"])
    return changed


def both_ways(
    explained: Callable[..., Explanation], document: Any, edit: Edit
) -> tuple[Explanation, Explanation]:
    """What is said of an edit, and of its opposite: what was declared is found."""
    changed = edited(document, edit)
    return explained(document, changed), explained(changed, document)


OPPOSITE = {"widened": "narrowed", "narrowed": "widened", "altered": "altered", "none": "none"}

IN_EVENTS = (
    "arn:aws:events:*:*:rule/StepFunctionsGetEventsForSageMakerTrainingJobsRule, "
    "arn:aws:events:*:*:rule/StepFunctionsGetEventsForSageMakerTransformJobsRule and 4 more"
)
PASSED = "StringEquals iam:PassedToService"
STEPS = "(statement RunWorkflowSteps)"
PASSES = "(statement PassNotebookRoleToSageMaker)"


@pytest.mark.parametrize(
    ("edit", "effect", "summary"),
    [
        (
            lambda s: s[0]["Action"].append("iam:CreateUser"),
            "widened",
            (
                f"allows iam:CreateUser on {IN_EVENTS} besides "
                "(statement ManageStepFunctionsEventRules)"
            ),
        ),
        (
            lambda s: s.append({"Effect": "Allow", "Action": "iam:CreateUser", "Resource": "*"}),
            "widened",
            "allows iam:CreateUser on * besides",
        ),
        (
            lambda s: s[2]["Action"].remove("sagemaker:AddTags"),
            "narrowed",
            f"no longer allows sagemaker:AddTags on * {STEPS}",
        ),
        (
            lambda s: s[2]["Action"].append("sqs:*"),
            "widened",
            f"allows sqs:* on * besides {STEPS}",
        ),
        (
            lambda s: s[2].update(Action="*"),
            "widened",
            f"allows * on * besides {STEPS}",
        ),
        (
            lambda s: s.pop(2),
            "narrowed",
            (
                "no longer allows batch:DescribeJobs, batch:SubmitJob, batch:TerminateJob, "
                f"dynamodb:DeleteItem and 34 more on * {STEPS}"
            ),
        ),
        (
            lambda s: s[2].update(Resource="arn:aws:sqs:*:*:q"),
            "narrowed",
            (
                "no longer allows batch:DescribeJobs, batch:SubmitJob, batch:TerminateJob, "
                f"dynamodb:DeleteItem and 34 more on *, still on arn:aws:sqs:*:*:q {STEPS}"
            ),
        ),
        (
            lambda s: s[1].update(Resource="*"),
            "widened",
            (
                f"allows iam:PassRole on * besides, on the condition {PASSED} "
                f"sagemaker.amazonaws.com {PASSES}"
            ),
        ),
        (
            lambda s: s[1].pop("Condition"),
            "widened",
            (
                f"allows iam:PassRole on {NOTEBOOK} without the condition {PASSED} "
                f"sagemaker.amazonaws.com {PASSES}"
            ),
        ),
        (
            lambda s: s[1]["Condition"].update(Bool={"aws:MultiFactorAuthPresent": True}),
            "narrowed",
            (
                f"allows iam:PassRole on {NOTEBOOK} only on the condition "
                f"Bool aws:MultiFactorAuthPresent true {PASSES}"
            ),
        ),
        (
            lambda s: s[1]["Condition"].update(
                StringEquals={
                    "iam:PassedToService": ["sagemaker.amazonaws.com", "ec2.amazonaws.com"]
                }
            ),
            "widened",
            (
                f"allows iam:PassRole on {NOTEBOOK} on the condition {PASSED} "
                f"sagemaker.amazonaws.com or ec2.amazonaws.com; declared: {PASSED} "
                f"sagemaker.amazonaws.com {PASSES}"
            ),
        ),
        (
            lambda s: s[1]["Condition"].update(
                StringEquals={"iam:PassedToService": "ec2.amazonaws.com"}
            ),
            "altered",
            (
                f"allows iam:PassRole on {NOTEBOOK} on the condition {PASSED} "
                f"ec2.amazonaws.com; declared: {PASSED} sagemaker.amazonaws.com {PASSES}"
            ),
        ),
        (
            lambda s: s.append({"Effect": "Deny", "Action": "sqs:*", "Resource": "*", "Sid": "No"}),
            "narrowed",
            "denies sqs:* on * besides (statement No)",
        ),
        (
            lambda s: s.append({"Effect": "Allow", "NotAction": ["iam:*"], "Resource": "*"}),
            "widened",
            "allows all but iam:* on * besides",
        ),
        (
            lambda s: s.append({"Effect": "Deny", "NotAction": ["iam:*"], "NotResource": "a*"}),
            "narrowed",
            "denies all but iam:* on all but a* besides",
        ),
        (
            lambda s: s.append({"Effect": "Deny", "Acton": "iam:*", "Resource": "*"}),
            "altered",
            'says what cannot be compared: {"Acton": "iam:*", "Effect": "Deny", "Resource": "*"}',
        ),
    ],
)
def test_edited_policies(edit: Edit, effect: str, summary: str) -> None:
    said, opposite = both_ways(explain.policy, WORKFLOW, edit)

    assert (said.effect, said.summary) == (effect, summary)
    assert opposite.effect == OPPOSITE[effect]


def test_opposites_of_edits() -> None:
    def added(s: list[Any]) -> None:
        s.append({"Effect": "Deny", "Action": "sqs:*", "Resource": "*", "Sid": "No"})
        s[2]["Action"].append("iam:CreateUser")

    said, opposite = both_ways(explain.policy, WORKFLOW, added)

    assert said == Explanation(
        f"allows iam:CreateUser on * besides {STEPS}; denies sqs:* on * besides (statement No)",
        "altered",
    )
    assert opposite == Explanation(
        f"no longer denies sqs:* on * (statement No); no longer allows iam:CreateUser on * {STEPS}",
        "altered",
    )


def test_what_is_still_said_of_something_wider() -> None:
    def named(s: list[Any]) -> None:
        s[2]["Action"] = "*"
        s[0]["Action"] = "events:*"
        s[0]["Resource"] = "*"

    wide = edited(WORKFLOW, named)

    assert explain.policy(
        wide, edited(wide, lambda s: s[2].update(Action=["batch:*Job", "s3:GetObject"]))
    ) == Explanation(
        f"no longer allows * on *, still events:*, batch:*Job, s3:GetObject {STEPS}", "narrowed"
    )
    everyone = edited(TRUST, lambda s: s[0].update(Principal="*"))
    assert explain.trust(everyone, TRUST) == Explanation(
        "may no longer be assumed by *, still by sagemaker.amazonaws.com", "narrowed"
    )


def split(s: list[Any]) -> None:
    actions = s[2]["Action"]
    s.append({**s[2], "Sid": "Rest", "Action": [action.upper() for action in actions[5:]]})
    s[2]["Action"] = actions[:7]


def rename(s: list[Any]) -> None:
    s[0]["Sid"] = "Another"


@pytest.mark.parametrize(
    ("edit", "summary"),
    [
        (lambda s: s.reverse(), "says the same in other words"),
        (lambda s: s[0]["Resource"].reverse(), "says the same in other words"),
        (lambda s: s[2].update(Resource=["*", NOTEBOOK]), "says the same in other words"),
        (
            rename,
            (
                "says the same, but names its statements "
                "Another, HandsOffTrivet, PassNotebookRoleToSageMaker, RunWorkflowSteps; declared: "
                "HandsOffTrivet, ManageStepFunctionsEventRules, PassNotebookRoleToSageMaker, "
                "RunWorkflowSteps"
            ),
        ),
        (
            split,
            (
                "says the same, but names its statements HandsOffTrivet, "
                "ManageStepFunctionsEventRules, PassNotebookRoleToSageMaker, Rest, "
                "RunWorkflowSteps; declared: HandsOffTrivet, ManageStepFunctionsEventRules, "
                "PassNotebookRoleToSageMaker, RunWorkflowSteps"
            ),
        ),
    ],
)
def test_what_is_said_otherwise_is_the_same(edit: Edit, summary: str) -> None:
    said, opposite = both_ways(explain.policy, WORKFLOW, edit)

    assert said == Explanation(summary, "none")
    assert opposite.effect == "none"


def test_version_matters_to_variables_only() -> None:
    older = {**WORKFLOW, "Version": "2008-10-17"}
    own = {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::${aws:username}/*",
    }
    with_variable = edited(WORKFLOW, lambda s: s.append(own))

    assert explain.policy(WORKFLOW, older) == Explanation(
        "says the same, but has Version 2008-10-17; declared: 2012-10-17", "none"
    )
    assert explain.policy(with_variable, {**with_variable, "Version": "2008-10-17"}) == Explanation(
        "has Version 2008-10-17; declared: 2012-10-17, which reads policy variables otherwise",
        "altered",
    )


def test_missing_and_added_policies() -> None:
    passing = (
        "allows iam:PassRole on arn:aws:iam::123456789012:role/lake-Workflow on the condition "
        f"{PASSED} states.amazonaws.com (statement PassWorkflowExecutionRoleToStepFunctions)"
    )
    allowing = edited(PASS_ROLE, lambda s: s.pop())
    denying = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"},
    }

    assert explain.policy(allowing, None) == Explanation(
        f"does not exist; declared: {passing}", "narrowed"
    )
    assert explain.policy(None, allowing) == Explanation(f"exists besides: {passing}", "widened")
    assert explain.inline("PassWorkflowExecutionRole", allowing, None) == Explanation(
        f"lacks inline policy PassWorkflowExecutionRole: {passing}", "narrowed"
    )
    assert explain.inline("Extra", None, allowing) == Explanation(
        f"inline policy Extra is there besides: {passing}", "widened"
    )
    # With what it allows goes what it denies.
    assert explain.policy(PASS_ROLE, None).effect == "altered"
    assert explain.inline("Extra", None, denying) == Explanation(
        "inline policy Extra is there besides: denies * on *", "narrowed"
    )
    assert explain.inline("Own", denying, edited(denying, lambda s: None)).effect == "none"


def test_edited_inline_policy_is_named() -> None:
    def other_service(s: list[Any]) -> None:
        s[0]["Action"] = ["iam:PassRole", "iam:CreateUser"]

    assert explain.inline("Pass", PASS_ROLE, edited(PASS_ROLE, other_service)) == Explanation(
        "inline policy Pass: allows iam:CreateUser on arn:aws:iam::123456789012:role/lake-Workflow "
        f"besides, on the condition {PASSED} states.amazonaws.com "
        "(statement PassWorkflowExecutionRoleToStepFunctions)",
        "widened",
    )


def assume(principal: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}


@pytest.mark.parametrize(
    ("edit", "effect", "summary"),
    [
        (
            lambda s: s.append(assume({"AWS": OTHER_ACCOUNT})),
            "widened",
            f"may be assumed by {OTHER_ACCOUNT} besides",
        ),
        (
            lambda s: s.append(assume({"AWS": "999999999999"}, Sid="Partner")),
            "widened",
            "may be assumed by 999999999999 besides (statement Partner)",
        ),
        (
            lambda s: s[0].update(Principal={"Service": ["sagemaker.amazonaws.com", "a.b"]}),
            "widened",
            "may be assumed by a.b besides",
        ),
        (
            lambda s: s[0].update(Principal={"Service": "lambda.amazonaws.com"}),
            "altered",
            (
                "may be assumed by lambda.amazonaws.com besides; "
                "may no longer be assumed by sagemaker.amazonaws.com"
            ),
        ),
        (lambda s: s[0].update(Principal="*"), "widened", "may be assumed by * besides"),
        (lambda s: s.clear(), "narrowed", "may no longer be assumed by sagemaker.amazonaws.com"),
        (
            lambda s: s[0].update(Condition={"StringEquals": {"aws:SourceAccount": 123}}),
            "narrowed",
            (
                "may be assumed by sagemaker.amazonaws.com only on the condition "
                "StringEquals aws:SourceAccount 123"
            ),
        ),
        (
            lambda s: s[0].update(Action=["sts:AssumeRole", "sts:TagSession"]),
            "widened",
            "allows sts:TagSession to sagemaker.amazonaws.com besides",
        ),
        (
            lambda s: s.append({**assume({"AWS": OTHER_ACCOUNT}), "Effect": "Deny"}),
            "narrowed",
            f"denies sts:AssumeRole to {OTHER_ACCOUNT} besides",
        ),
        (
            lambda s: s[0].update(Resource="*"),
            "altered",
            None,
        ),
    ],
)
def test_trust_policies(edit: Edit, effect: str, summary: str | None) -> None:
    said, opposite = both_ways(explain.trust, TRUST, edit)

    assert said.effect == effect
    assert summary is None or said.summary == summary
    assert opposite.effect == OPPOSITE[effect]


def test_two_ways_to_write_an_account_are_one() -> None:
    by_id, by_arn = (
        edited(TRUST, lambda s, p=p: s.append(assume({"AWS": p})))  # type: ignore[misc]
        for p in ("999999999999", OTHER_ACCOUNT)
    )

    assert explain.trust(by_id, by_arn).effect == "none"


def test_who_is_left_out_of_trust_is_compared_by_name_only() -> None:
    def all_but(*principals: str) -> Any:
        statement = assume(None, NotPrincipal={"AWS": [*principals]})
        del statement["Principal"]
        return {"Version": "2012-10-17", "Statement": [statement]}

    role = "arn:aws:iam::999999999999:role/a"

    assert explain.trust(all_but(OTHER_ACCOUNT), all_but(OTHER_ACCOUNT, role)).effect == "narrowed"
    assert explain.trust(all_but(OTHER_ACCOUNT, role), all_but(role)) == Explanation(
        f"may be assumed by all but {role} besides", "widened"
    )
    assert explain.trust(all_but(OTHER_ACCOUNT), edited(TRUST, lambda s: None)).effect == "altered"


def test_attachments() -> None:
    assert explain.attachment(None, S3_FULL) == Explanation(
        "AmazonS3FullAccess is attached besides", "widened"
    )
    assert explain.attachment(S3_FULL, None) == Explanation(
        "AmazonS3FullAccess is not attached", "narrowed"
    )
    assert explain.attachment(S3_FULL, BOUNDARY) == Explanation(
        "TrivetEnvironmentBoundary is attached; declared: AmazonS3FullAccess", "altered"
    )
    assert explain.attachment(S3_FULL, S3_FULL) == Explanation("nothing differs", "none")


def test_aws_managed_policies_that_only_deny_narrow() -> None:
    told = {
        name
        for name in known_managed_policies()
        if explain.attachment(None, f"arn:aws:iam::aws:policy/{name}").effect == "narrowed"
    }
    allow_nothing = {
        name
        for name, policy in known_managed_policies().items()
        if policy["Path"] == "/"
        and all(each["Effect"] == "Deny" for each in listed(policy["Document"]["Statement"]))
    }
    assert told == allow_nothing
    theirs = explain.attachment(None, "arn:aws:iam::123456789012:policy/AWSDenyAll")
    assert theirs.effect == "widened"


def known_managed_policies() -> Any:
    """Return AWS's managed policies, as moto has them from AWS."""
    return json.loads(vars(moto_iam)["aws_managed_policies_data"])


def test_boundaries() -> None:
    elsewhere = BOUNDARY.replace("123456789012", "999999999999")

    assert explain.boundary(BOUNDARY, None) == Explanation(
        "has no permissions boundary; declared: TrivetEnvironmentBoundary", "widened"
    )
    assert explain.boundary(None, S3_FULL) == Explanation(
        "has the permissions boundary AmazonS3FullAccess; declared: none", "narrowed"
    )
    assert explain.boundary(BOUNDARY, S3_FULL) == Explanation(
        "has the permissions boundary AmazonS3FullAccess; declared: TrivetEnvironmentBoundary",
        "altered",
    )
    assert explain.boundary(BOUNDARY, elsewhere) == Explanation(
        f"has the permissions boundary {elsewhere}; declared: {BOUNDARY}", "altered"
    )
    assert explain.boundary(BOUNDARY, BOUNDARY) == Explanation("nothing differs", "none")


def test_tags() -> None:
    expected = {"team": "datalake", "trivet:role": "notebook", "stage": "dev"}
    actual = {"team": "web", "trivet:role": "notebook", "owner": "eve", "aws:x": "y"}

    assert explain.tags(expected, actual) == Explanation(
        "has tag team=web; declared: team=datalake; lacks tag stage=dev; has tag owner=eve besides",
        "none",
    )
    assert explain.tags(expected, actual, of=["stage"]).summary == "lacks tag stage=dev"
    assert explain.tags(expected, expected).summary == "nothing differs"


def test_many_tags_are_cut() -> None:
    many = {f"key{number}": "x" for number in range(20)}

    assert explain.tags(many, {}).summary == (
        "lacks tag key0=x; lacks tag key1=x; lacks tag key2=x; lacks tag key3=x; "
        "and 16 more differences"
    )


def test_settings() -> None:
    expected = {"description": "Notebooks of lake.", "max_session_duration": 3600}

    assert explain.settings(expected, {**expected, "description": 'Not\n "mine"'}) == Explanation(
        'description is "Not\\n \\"mine\\""; declared: "Notebooks of lake."', "none"
    )
    assert explain.settings(expected, {**expected, "max_session_duration": 7200}) == Explanation(
        "max_session_duration is 7200; declared: 3600", "none"
    )


def test_state_machines() -> None:
    changed = copy.deepcopy(MACHINE)
    changed["role_arn"] = "arn:aws:iam::123456789012:role/admin"
    definition = changed["definition"]
    definition["States"]["WhoAmI"]["Next"] = "Done"
    definition["States"]["WhoAmI"].pop("ResultPath")
    definition["States"]["Extra"] = definition["States"].pop("Done")
    definition["TimeoutSeconds"] = 5

    assert explain.state_machine(MACHINE, None) == Explanation("does not exist", "none")
    assert explain.state_machine(MACHINE, MACHINE) == Explanation("nothing differs", "none")
    assert explain.state_machine(MACHINE, changed) == Explanation(
        "runs under the role admin; declared: lake-SageMaker; "
        "state WhoAmI differs in ResultPath, Next; lacks state Done; has state Extra besides; "
        "TimeoutSeconds is 5; declared: 120",
        "none",
    )
    assert explain.state_machine(MACHINE, {**MACHINE, "definition": []}).summary == (
        "its definition is []"
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Version", "Statement", "Effect", "Action", "NotAction", "Resource", "Principal",
                 "NotPrincipal", "Condition", "Sid", "StringEquals", "AWS", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip
some_statements = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny", "Maybe"])},
    optional={
        "Action": json_values,
        "NotAction": json_values,
        "Resource": json_values,
        "Principal": json_values,
        "Condition": json_values | st.dictionaries(st.text(max_size=3), json_values, max_size=2),
    },
)
odd_documents = json_values | st.fixed_dictionaries(
    {"Statement": some_statements | st.lists(some_statements, max_size=3)},
    optional={"Version": json_values, "Id": json_values},
)


@settings(max_examples=40)
@given(one=odd_documents, other=odd_documents | st.just(WORKFLOW))
def test_no_document_is_too_odd_for_one_line(one: Any, other: Any) -> None:
    for explained in (explain.policy, explain.trust):
        said, opposite = explained(one, other), explained(other, one)

        assert said.summary
        assert "\n" not in said.summary
        assert said.effect == OPPOSITE[opposite.effect]
        assert explained(one, one).effect == "none"


def test_explaining_takes_no_time() -> None:
    changed = edited(WORKFLOW, lambda s: s[2]["Action"].append("iam:CreateUser"))
    explain.policy(WORKFLOW, changed)

    begun = time.process_time()
    for _ in range(20):
        explain.policy(WORKFLOW, changed)

    assert (time.process_time() - begun) / 20 < 0.01


def test_a_document_full_of_wildcards_takes_no_longer() -> None:
    hostile = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:" + "*a" * 20 + "b", "s3:" + "a" * 3000],
                "Resource": ["*a" * 1000 + "b", "a" * 3000],
            }
        ],
    }

    begun = time.process_time()
    assert explain.policy(hostile, edited(hostile, lambda s: s[0]["Action"].pop())).effect == (
        "narrowed"
    )
    assert time.process_time() - begun < 1
