"""The ready permissions boundary: what a provisioned role can do under it, and what it cannot.

The boundary is asked alone: what it allows, a role still needs a policy for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import pytest

from chalicelib import templates
from chalicelib.model import Place
from tools.child import REPOSITORY

from .authorization import AuthorizationRequest, ContextValue
from .cases import ACCOUNT
from .conftest import Recorded
from .simulator import actions_of, simulate

BOUNDARY = json.loads((REPOSITORY / "policies" / "permissions-boundary.json").read_text())
PLACES = [
    Place(ACCOUNT, "aws", "us-east-1"),
    Place(ACCOUNT, "aws-cn", "cn-north-1"),
    Place(ACCOUNT, "aws-us-gov", "us-gov-west-1"),
]
TAG = "aws:PrincipalTag/trivet:environment"

# Service-linked roles are AWS's own: one makes them by name, and cannot choose what they may do.
ON_SERVICE_LINKED_ROLES = {"iam:CreateServiceLinkedRole", "iam:DeleteServiceLinkedRole"}


def outcomes(*asked: AuthorizationRequest) -> list[bool]:
    decisions = simulate({"boundary": BOUNDARY}, [("boundary", one) for one in asked])
    return [decision.allowed for decision in decisions]


def asked(
    action: str,
    resource: str,
    context: Mapping[str, ContextValue] | None = None,
    environment: str | None = "lake",
) -> AuthorizationRequest:
    """A request of a role of this environment; None for a role that lost its tag."""
    tag: dict[str, ContextValue] = {TAG: environment} if environment else {}
    partition = "aws" if resource == "*" else resource.split(":")[1]
    principal = f"arn:{partition}:iam::{ACCOUNT}:role/{environment}-SageMaker"
    return AuthorizationRequest(action, resource, principal, {**tag, **(context or {})})


def passing(role: str, service: str, environment: str | None = "lake") -> AuthorizationRequest:
    return asked(
        "iam:PassRole",
        f"arn:aws:iam::{ACCOUNT}:role/{role}",
        {"iam:PassedToService": service},
        environment,
    )


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.partition)
def test_the_wiring_works_under_it(place: Place) -> None:
    """All that the smoke test expects to be allowed is allowed, in every partition."""
    desired = templates.load().render("lake", place, {}, None)
    expected = [each for each in desired.expectations if each.expect == "allowed"]

    allowed = outcomes(*(asked(each.action, each.resource, each.context) for each in expected))

    assert len(expected) > 5
    assert allowed == [True] * len(expected)


def test_roles_are_passed_only_within_the_environment() -> None:
    suffixes = ("-SageMaker", "-StepFunctionsWorkflowExecution", "-LambdaTriggerStepFunc")
    own = [passing(f"lake{suffix}", "sagemaker.amazonaws.com") for suffix in suffixes]
    others = [
        passing(role, "lambda.amazonaws.com")
        for role in (
            *("admin", "service-role/some", "lake", "lake-admin", "x-lake-SageMaker"),
            *("lake-dev-SageMaker", "other-StepFunctionsWorkflowExecution"),
            *("trivet-dev-api_handler", "lake-SageMaker-2"),
        )
    ]

    assert outcomes(*own) == [True] * 3
    assert outcomes(*others) == [False] * len(others)


def test_a_role_without_its_tag_passes_no_role() -> None:
    states = "states.amazonaws.com"

    assert outcomes(
        passing("lake-StepFunctionsWorkflowExecution", states, environment=None),
        passing("none-StepFunctionsWorkflowExecution", states, environment="lake"),
    ) == [False, False]


def test_no_principal_and_no_policy_is_changed() -> None:
    """Every action by which IAM is changed is refused, those included that AWS adds."""
    changing = {
        action: details
        for action, details in actions_of("iam").items()
        if not set(details.access_levels) <= {"List", "Read"}
    }
    del changing["iam:PassRole"]
    requests = [
        asked(action, _example(details.resource_types))
        for action, details in changing.items()
        if action not in ON_SERVICE_LINKED_ROLES
    ]

    allowed = outcomes(*requests)

    assert len(requests) > 100
    assert [r.action for r, yes in zip(requests, allowed, strict=True) if yes] == []
    assert set(changing) >= ON_SERVICE_LINKED_ROLES


def _example(resource_types: tuple[str, ...]) -> str:
    if not resource_types:
        return "*"
    return f"arn:aws:iam::{ACCOUNT}:{resource_types[0]}/any"


def test_trivet_is_out_of_reach() -> None:
    assert not any(outcomes(*_on_trivet("trivet-dev")))
    assert all(outcomes(*_on_trivet("lake-own")))


def _on_trivet(name: str) -> Iterator[AuthorizationRequest]:
    """What could be done to Trivet's own resources, if they had this name."""
    for service, resource, actions in (
        ("dynamodb", f"table/{name}", ("DeleteTable", "GetItem", "PutItem")),
        ("lambda", f"function:{name}", ("InvokeFunction", "UpdateFunctionCode")),
        ("lambda", f"function:{name}-drift_run", ("DeleteFunction", "InvokeFunction")),
        ("events", f"rule/{name}-drift_run-event", ("DisableRule", "RemoveTargets")),
        ("logs", f"log-group:/aws/lambda/{name}", ("DeleteLogGroup", "PutRetentionPolicy")),
    ):
        for action in actions:
            arn = f"arn:aws:{service}:us-east-1:{ACCOUNT}:{resource}"
            yield asked(f"{service}:{action}", arn)


def test_no_event_is_put_in_trivets_name() -> None:
    bus = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"

    def putting(*sources: str) -> AuthorizationRequest:
        return asked("events:PutEvents", bus, {"events:source": sources})

    assert outcomes(putting("lake"), putting("trivet"), putting("lake", "trivet")) == [
        True, False, False,
    ]  # fmt: skip


def test_all_else_is_left_to_the_roles_policies() -> None:
    assert (
        outcomes(
            asked("s3:GetObject", "arn:aws:s3:::bucket/key"),
            asked("iam:GetRole", f"arn:aws:iam::{ACCOUNT}:role/lake-SageMaker"),
            asked("iam:ListRoles", "*"),
            asked(
                "iam:CreateServiceLinkedRole",
                f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/"
                "sagemaker.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling",
            ),
        )
        == [True] * 4
    )


def test_simulations_tell_of_the_roles_tags(recorded: Recorded) -> None:
    """IAM's simulator does not know a role's tags, on which the boundary rests."""
    simulations = [
        each.call.parameters
        for each in recorded("us-east-1")
        if each.call.operation == "SimulatePrincipalPolicy"
    ]

    assert simulations
    for parameters in simulations:
        context = {
            each["ContextKeyName"]: each["ContextKeyValues"]
            for each in parameters["ContextEntries"]
        }
        role = parameters["PolicySourceArn"].rpartition("/")[2]
        [environment] = context[TAG]
        assert role.startswith(f"{environment}-")
