"""What the tests of this package share: names, statements, requests and calls made by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .authorization import AuthorizationRequest, Call, ContextValue, Entity, requests_of
from .simulator import Decision, simulate

ACCOUNT = "123456789012"
PRINCIPAL = f"arn:aws:iam::{ACCOUNT}:role/caller"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/lake-dev-SageMaker"
WORKFLOW_ROLE = f"arn:aws:iam::{ACCOUNT}:role/lake-dev-StepFunctionsWorkflowExecution"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
S3_FULL = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
MACHINE = f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:lake-dev-smoke-test"
TAGS = [
    {"Key": "trivet:environment", "Value": "lake-dev"},
    {"Key": "trivet:role", "Value": "notebook"},
]

Statement = dict[str, Any]
Context = Mapping[str, ContextValue]


def allow(
    action: str | list[str], resource: str | list[str] = "*", sid: str = "Given", **more: Any
) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource, **more}


def when(operator: str, key: str, value: str | list[str]) -> Statement:
    return {"Condition": {operator: {key: value}}}


def request(action: str, resource: str, context: Context | None = None) -> AuthorizationRequest:
    return AuthorizationRequest(action, resource, PRINCIPAL, context or {})


def decide(statements: list[Statement], *requests: AuthorizationRequest) -> list[Decision]:
    policy = {"Version": "2012-10-17", "Statement": statements}
    return simulate({"given": policy}, [("given", r) for r in requests])


def outcomes(statements: list[Statement], *requests: AuthorizationRequest) -> list[bool]:
    return [decision.allowed for decision in decide(statements, *requests)]


class Holding:
    """An account that holds the given resources, by ARN."""

    def __init__(self, *entities: Entity) -> None:
        self._entities = {entity.arn: entity for entity in entities}

    def _named(self, kind: str, name: str) -> Entity | None:
        of_kind = (e for arn, e in self._entities.items() if f":{kind}/" in arn)
        return next((e for e in of_kind if e.arn.rpartition("/")[2] == name), None)

    def role(self, name: str) -> Entity | None:
        return self._named("role", name)

    def user(self, name: str) -> Entity | None:
        return self._named("user", name)

    def group(self, name: str) -> Entity | None:
        return self._named("group", name)

    def instance_profile(self, name: str) -> Entity | None:
        return self._named("instance-profile", name)

    def policy(self, arn: str) -> Entity | None:
        return self._entities.get(arn)

    def state_machine(self, arn: str) -> Entity | None:
        return self._entities.get(arn)


def call(service: str, operation: str, **parameters: Any) -> Call:
    return Call(service, operation, parameters, "aws", "us-east-1", ACCOUNT)


def asked(given: Call, *entities: Entity) -> list[AuthorizationRequest]:
    return list(requests_of(given, Holding(*entities)))
