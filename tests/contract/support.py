"""What the contract tests share: what AWS holds, which calls were made, and AWS made to fail."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, unquote

import boto3
import jsonschema  # type: ignore[import-untyped]
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from app import app
from chalicelib.api import openapi
from chalicelib.api.endpoints import ENDPOINTS
from tests.conftest import Answer, Api

PROBLEM = "application/problem+json"
JSON = "application/json"
READS = ("Get", "List", "Describe", "Query", "Simulate", "Scan")


class CheckedApi(Api):
    """The API, every answer of which is held against its own OpenAPI document."""

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        answer = super().request(method, path, body, headers)
        check_answer(method, path, answer)
        return answer


def check_answer(method: str, path: str, answer: Answer) -> None:
    """Assert that the OpenAPI document foresees this answer, every field of it."""
    document = openapi.document()
    route = _route(method, path.split("?", maxsplit=1)[0])
    described = document["paths"][route][method.lower()]["responses"]
    assert str(answer.status) in described, (method, path, answer)
    [(content_type, content)] = described[str(answer.status)]["content"].items()
    assert (
        answer.headers["content-type"] == content_type == (JSON if answer.status < 400 else PROBLEM)
    )
    schema = {**content["schema"], "components": {"schemas": closed(document)}}
    jsonschema.Draft202012Validator(schema).validate(answer.body)
    if answer.status >= 400:
        assert answer.body["status"] == answer.status
        assert answer.body["type"].startswith("urn:trivet:problem:")
        assert answer.body["title"]
        assert answer.body["detail"]
    if answer.status == 503:
        assert int(answer.headers["retry-after"]) >= 1


def closed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document's schemas such that a field they do not name is an error."""
    return {
        name: schema | ({"additionalProperties": False} if "properties" in schema else {})
        for name, schema in document["components"]["schemas"].items()
    }


def _route(method: str, path: str) -> str:
    parts = path.rstrip("/").split("/")
    for each in ENDPOINTS:
        wanted = each.path.split("/")
        if (
            each.method == method
            and len(wanted) == len(parts)
            and all(one in ("{name}", two) for one, two in zip(wanted, parts, strict=True))
        ):
            return each.path
    raise AssertionError(f"no route {method} {path}")


def fields_in_error(answer: Answer) -> list[str]:
    """Return the fields that a 422 names, sorted."""
    assert answer.status == 422, answer
    assert answer.headers["content-type"] == PROBLEM
    assert all(each["message"] for each in answer.body["errors"])
    return sorted(each["field"] for each in answer.body["errors"])


@dataclass(frozen=True)
class LambdaContext:
    """What Lambda hands a function beside its event."""

    remaining_ms: int = 30_000
    aws_request_id: str = "lambda-request"
    function_name: str = "trivet-dev"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:trivet-dev"

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


def on_lambda(
    method: str,
    path: str,
    body: Any = None,
    *,
    caller: str | None = "arn:aws:sts::123456789012:assumed-role/Team/alice",
    request_id: str = "request-1",
    context: LambdaContext | None = None,
) -> Answer:
    """Send a request the way API Gateway hands it to the function."""
    route, _, query = path.partition("?")
    resource = _route(method, route)
    name = route.split("/")[2] if "{name}" in resource else None
    parameters: dict[str, list[str]] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        parameters.setdefault(key, []).append(value)
    event = {
        "resource": resource,
        "path": route,
        "httpMethod": method,
        "headers": {"Content-Type": JSON, "Host": "api.example"},
        "multiValueHeaders": {"Content-Type": [JSON], "Host": ["api.example"]},
        "queryStringParameters": {key: values[-1] for key, values in parameters.items()} or None,
        "multiValueQueryStringParameters": parameters or None,
        "pathParameters": None if name is None else {"name": unquote(name)},
        "stageVariables": None,
        "requestContext": {
            "resourcePath": resource,
            "httpMethod": method,
            "path": f"/dev{route}",
            "stage": "dev",
            "requestId": request_id,
            "identity": {"userArn": caller, "sourceIp": "192.0.2.1", "accountId": "123456789012"},
        },
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }
    given = app(event, context or LambdaContext())
    headers = {key.lower(): values[0] for key, values in given["multiValueHeaders"].items()}
    headers |= {key.lower(): str(value) for key, value in given["headers"].items()}
    answer = Answer(given["statusCode"], json.loads(given["body"]), headers)
    check_answer(method, path, answer)
    return answer


# --- what AWS holds


@cache
def client(service: str) -> Any:
    """Return a client behind Trivet's back; making one takes longer than what it is for."""
    make: Any = boto3.client
    return make(service)


def account_holds() -> dict[str, Any]:
    """Return all that IAM, Step Functions and DynamoDB hold in this account, dates apart."""
    iam, states = client("iam"), client("stepfunctions")
    dynamodb = client("dynamodb")
    tables = dynamodb.list_tables()["TableNames"]
    return {
        "roles": {role["RoleName"]: role_holds(role["RoleName"]) for role in roles()},
        "policies": {
            policy["Arn"]: policy_holds(policy["Arn"])
            for policy in iam.list_policies(Scope="Local", MaxItems=1000)["Policies"]
        },
        "machines": {
            machine["name"]: machine_holds(machine["stateMachineArn"])
            for machine in states.list_state_machines()["stateMachines"]
        },
        "items": {table: dynamodb.scan(TableName=table)["Items"] for table in tables},
    }


def roles() -> list[Any]:
    """Return all roles of the account, heads only."""
    listed: list[Any] = client("iam").list_roles(MaxItems=1000)["Roles"]
    return listed


def role_holds(name: str) -> dict[str, Any]:
    """Return all that IAM holds of a role, except its dates."""
    iam = client("iam")
    role = iam.get_role(RoleName=name)["Role"]
    return {
        "arn": role["Arn"],
        "path": role["Path"],
        "id": role["RoleId"],
        "description": role.get("Description"),
        "session": role["MaxSessionDuration"],
        "trust": role["AssumeRolePolicyDocument"],
        "tags": tags_of(role.get("Tags", [])),
        "boundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        "attached": sorted(
            each["PolicyArn"]
            for each in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        ),
        "inline": {
            policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
        },
    }


def policy_holds(arn: str) -> dict[str, Any]:
    """Return all that IAM holds of a customer managed policy, except its dates."""
    iam = client("iam")
    policy = iam.get_policy(PolicyArn=arn)["Policy"]
    default = policy["DefaultVersionId"]
    version = iam.get_policy_version(PolicyArn=arn, VersionId=default)["PolicyVersion"]
    return {
        "path": policy["Path"],
        "id": policy["PolicyId"],
        "tags": tags_of(policy.get("Tags", [])),
        "document": version["Document"],
    }


def machine_holds(arn: str) -> dict[str, Any]:
    """Return a state machine's definition and role."""
    machine = client("stepfunctions").describe_state_machine(stateMachineArn=arn)
    return {"definition": json.loads(machine["definition"]), "role": machine["roleArn"]}


def tags_of(tags: Iterable[Any]) -> dict[str, str]:
    """Return IAM's list of tags as a map."""
    return {tag["Key"]: tag["Value"] for tag in tags}


# --- AWS calls seen, and made to fail


@dataclass
class AwsCalls:
    """Trivet's own AWS calls, as `Operation` names with their parameters."""

    made: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The operations called, in order."""
        return [name for name, _ in self.made]

    @property
    def writes(self) -> list[str]:
        """The operations called that are no readings."""
        return [name for name in self.names if not name.startswith(READS)]


Handler = Callable[[str, dict[str, Any]], Any]


@contextmanager
def aws_calls(answer: Handler | None = None) -> Iterator[AwsCalls]:
    """Record Trivet's AWS calls, not those of the tests.

    Args:
        answer: is asked first; what it returns, unless `None`, is AWS's answer.
    """
    seen = AwsCalls()
    original: Any = vars(BaseClient)["_make_api_call"]

    def make_api_call(client: Any, name: str, parameters: dict[str, Any]) -> Any:
        if not str(client.meta.config.user_agent_extra).startswith("trivet/"):
            return original(client, name, parameters)
        seen.made.append((name, parameters))
        answered = answer(name, parameters) if answer else None
        return original(client, name, parameters) if answered is None else answered

    with patch.object(BaseClient, "_make_api_call", make_api_call):
        yield seen


def refusing(operation: str, code: str, message: str = "on purpose", status: int = 400) -> Handler:
    """Return a handler that has AWS refuse one operation."""

    def answer(name: str, _: dict[str, Any]) -> None:
        if name == operation:
            raise ClientError(
                {
                    "Error": {"Code": code, "Message": message},
                    "ResponseMetadata": {"HTTPStatusCode": status},  # type: ignore[typeddict-item]
                },
                name,
            )

    return answer


class FakeClock:
    """Time that passes only when someone sleeps; put in the place of `operation.CLOCK`'s."""

    def __init__(self, now: float) -> None:
        self.time = now
        self.slept = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.slept += seconds
