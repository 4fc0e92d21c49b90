"""What each role of each profile may do, asked of the policy simulator in three partitions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import product
from typing import Any

import pytest

from chalicelib import catalogue
from chalicelib.model.desired import Desired, Expectation, Place
from chalicelib.model.simulation import grouped
from tests.iam.authorization import AuthorizationRequest
from tests.iam.simulator import Decision, simulate

from .rendered import ACCOUNT, HERE, PLACES, PROFILES, own_documents, policy_of, rendered

ROLES = ("notebook", "workflow_execution", "lambda_trigger")

in_each_partition = pytest.mark.parametrize("place", PLACES, ids=lambda place: place.partition)


def decided(
    desired: Desired, asked: Iterable[tuple[str, str, str, Mapping[str, str]]]
) -> list[Decision]:
    """Decide (role, action, resource, context) by all the policies on the role."""
    requests = [
        (
            role,
            AuthorizationRequest(
                action, resource, desired.role(role).arn, {**_always(action, desired), **context}
            ),
        )
        for role, action, resource, context in asked
    ]
    policies = {
        role: _about(
            policy_of(desired, role), {each.action for asking, each in requests if asking == role}
        )
        for role in ROLES
    }
    return simulate(policies, requests)


def _always(action: str, desired: Desired) -> Mapping[str, str]:
    return {"aws:ResourceAccount": desired.place.account_id} if action.startswith("s3:") else {}


def _about(policy: dict[str, Any], actions: set[str]) -> dict[str, Any]:
    """The statements that name one of the actions: AWS's managed policies have very many."""

    def names_one(statement: Mapping[str, Any]) -> bool:
        named = statement.get("Action", [])
        patterns = [named] if isinstance(named, str) else named
        return "NotAction" in statement or any(
            re.fullmatch(re.escape(each).replace(r"\*", ".*"), action, re.IGNORECASE)
            for each in patterns
            for action in actions
        )

    return {**policy, "Statement": [each for each in policy["Statement"] if names_one(each)]}


@in_each_partition
@pytest.mark.parametrize("profile", PROFILES)
def test_every_expectation_holds(profile: str, place: Place) -> None:
    desired = rendered(profile, place=place)

    decisions = decided(desired, [_asked(each) for each in desired.expectations])

    wrong = [
        f"{expectation.name}: {decision}"
        for expectation, decision in zip(desired.expectations, decisions, strict=True)
        if decision.allowed != (expectation.expect == "allowed")
    ]
    assert wrong == []


def _asked(each: Expectation) -> tuple[str, str, str, Mapping[str, str]]:
    return each.role, each.action, each.resource, each.context


def test_every_expectation_of_standard_is_one_of_scoped() -> None:
    scoped = rendered("scoped").expectations

    assert all(each in scoped for each in rendered("standard").expectations)


def test_scoped_has_many_expectations_asked_in_few_calls() -> None:
    expectations = rendered("scoped").expectations
    questions = grouped(expectations)

    assert len(expectations) >= 40
    assert {each.expect for each in expectations} == {"allowed", "denied"}
    assert len(questions) <= 8
    assert max(len(each.actions) * len(each.resources) for each in questions) <= 100


SERVICES = ("scheduler", "pipes", "lambda", "sagemaker", "states", "ecs-tasks", "glue", "batch")
PASSED = {
    ("notebook", "notebook", "sagemaker"),
    ("notebook", "workflow_execution", "states"),
    ("workflow_execution", "notebook", "sagemaker"),
}


@in_each_partition
def test_scoped_passes_no_role_but_as_the_wiring_says(place: Place) -> None:
    desired = rendered("scoped", place=place)
    arns = {role.key: role.arn for role in desired.roles}
    arns["other"] = rendered("scoped", "another-team", place).role("workflow_execution").arn
    cases = list(product(ROLES, arns, SERVICES))

    decisions = decided(
        desired,
        [
            (role, "iam:PassRole", arns[passed], {"iam:PassedToService": f"{to}.amazonaws.com"})
            for role, passed, to in cases
        ],
    )

    allowed = {case for case, each in zip(cases, decisions, strict=True) if each.allowed}
    assert allowed == PASSED


def arn_in(place: Place, service: str, resource: str) -> str:
    return f"arn:{place.partition}:{service}:{place.region}:{place.account_id}:{resource}"


def on_resources_of(name: str, place: Place) -> list[tuple[str, str]]:
    """What one may do to the resources of an environment: action and resource."""
    training, machine = f"training-job/{name}-job", f"{name}-workflow"
    arn = partial(arn_in, place)
    return [
        ("s3:GetObject", f"arn:{place.partition}:s3:::{name}-data/key"),
        ("s3:ListBucket", f"arn:{place.partition}:s3:::{name}-data"),
        ("secretsmanager:GetSecretValue", arn("secretsmanager", f"secret:{name}/password-AbCdEf")),
        ("dynamodb:GetItem", arn("dynamodb", f"table/{name}-table")),
        ("dynamodb:PutItem", arn("dynamodb", f"table/{name}-table")),
        ("glue:GetTable", arn("glue", f"table/{name}/table")),
        ("glue:GetDatabase", arn("glue", f"database/{name}")),
        ("athena:GetQueryResults", arn("athena", f"workgroup/{name}")),
        ("logs:GetLogEvents", arn("logs", f"log-group:/aws/lambda/{name}-f:log-stream:s")),
        ("logs:PutLogEvents", arn("logs", f"log-group:/aws/lambda/{name}-f:log-stream:s")),
        ("states:StartExecution", arn("states", f"stateMachine:{machine}")),
        ("states:UpdateStateMachine", arn("states", f"stateMachine:{machine}")),
        ("states:DeleteStateMachine", arn("states", f"stateMachine:{machine}")),
        ("states:StopExecution", arn("states", f"execution:{machine}:run")),
        ("sagemaker:CreateTrainingJob", arn("sagemaker", training)),
        ("sagemaker:StopTrainingJob", arn("sagemaker", training)),
        ("sagemaker:DescribeTrainingJob", arn("sagemaker", training)),
        ("sagemaker:AddTags", arn("sagemaker", training)),
        ("sagemaker:UpdateEndpoint", arn("sagemaker", f"endpoint/{name}-endpoint")),
        ("glue:StartJobRun", arn("glue", f"job/{name}-job")),
        ("glue:BatchStopJobRun", arn("glue", f"job/{name}-job")),
        ("batch:SubmitJob", arn("batch", f"job-queue/{name}-queue")),
        ("ecs:StopTask", arn("ecs", f"task/{name}-cluster/1234")),
        ("lambda:InvokeFunction", arn("lambda", f"function:{name}-f")),
        ("lambda:UpdateFunctionCode", arn("lambda", f"function:{name}-f")),
        ("lambda:DeleteFunction", arn("lambda", f"function:{name}-f")),
        ("sqs:SendMessage", arn("sqs", f"{name}-queue")),
        ("sqs:ReceiveMessage", arn("sqs", f"{name}-queue")),
        ("sns:Publish", arn("sns", f"{name}-topic")),
        ("ecr:PutImage", arn("ecr", f"repository/{name}-image")),
    ]


@in_each_partition
def test_scoped_roles_do_nothing_to_another_environment(place: Place) -> None:
    on_anothers = on_resources_of("another-team", place)
    decisions = decided(
        rendered("scoped", place=place),
        [(role, *each, {}) for role in ROLES for each in on_anothers],
    )

    assert [str(each) for each in decisions if each.allowed] == []


@in_each_partition
def test_scoped_roles_do_to_their_own_what_they_do_not_to_others(place: Place) -> None:
    """The questions above mean something: nearly each of them is allowed on one's own."""
    on_own = on_resources_of("lake", place)
    decisions = decided(
        rendered("scoped", "lake", place), [(role, *each, {}) for role in ROLES for each in on_own]
    )

    never = {"lambda:UpdateFunctionCode", "lambda:DeleteFunction"}
    allowed = {each.request.action for each in decisions if each.allowed}
    assert allowed == {action for action, _ in on_own} - never


@pytest.mark.parametrize("profile", PROFILES)
def test_no_role_reaches_trivets_functions_and_tables(profile: str) -> None:
    arn = partial(arn_in, HERE)
    trivets = [
        ("lambda:InvokeFunction", arn("lambda", "function:trivet-dev")),
        ("lambda:InvokeFunction", arn("lambda", "function:trivet-dev-drift_run")),
        ("lambda:UpdateFunctionCode", arn("lambda", "function:trivet-dev")),
        ("dynamodb:PutItem", arn("dynamodb", "table/trivet-dev")),
        ("dynamodb:GetItem", arn("dynamodb", "table/trivet-prod")),
        ("dynamodb:DeleteTable", arn("dynamodb", "table/trivet-prod")),
    ]

    decisions = decided(rendered(profile), [(r, *each, {}) for r in ROLES for each in trivets])

    assert {each.outcome for each in decisions} == {"ExplicitlyDenied"}


def test_scoped_names_no_broad_policy_of_aws() -> None:
    scoped = catalogue.load().profile("scoped")

    assert [role.content.aws_managed_policies for role in scoped.templates] == [(), (), ()]


def test_profiles_have_the_same_roles() -> None:
    named = [
        [(role.key, role.name, role.description) for role in rendered(profile).roles]
        for profile in PROFILES
    ]

    assert named[0] == named[1]
    assert [key for key, _, _ in named[0]] == list(ROLES)


@pytest.mark.parametrize("key", ["notebook", "workflow_execution"])
def test_scoped_roles_are_assumed_for_their_own_account_only(key: str) -> None:
    [statement] = rendered("scoped").role(key).trust_policy["Statement"]

    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


@pytest.mark.parametrize("profile", PROFILES)
def test_documents_name_no_other_account_and_partition(profile: str) -> None:
    for place in PLACES:
        text = json.dumps(list(own_documents(rendered(profile, place=place)).values()))
        assert set(re.findall(r"arn:(aws[a-z-]*):", text)) == {place.partition}
        assert set(re.findall(r"\b\d{12}\b", text)) <= {HERE.account_id}
