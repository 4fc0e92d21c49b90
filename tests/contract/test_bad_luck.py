"""What goes wrong at AWS, and which answer it gets: 409, 500, 502 and 503, each on purpose."""

import io
import json
import re
import time
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from tests.kit import inventory, product
from tests.kit.account import client
from tests.kit.clock import Clock
from tests.kit.http import Api, on_lambda
from tests.kit.names import RECORDS
from tests.kit.wire import Call, Deliver, refusing

ROUTES = [
    ("POST", "/environments", {"wait": 0}),
    ("PUT", "/environments/{}", {"wait": 0}),
    ("POST", "/environments/{}/reapply", None),
    ("POST", "/environments/{}/smoke-test", None),
    ("DELETE", "/environments/{}", None),
]


def send(api: Api, route: tuple[str, str, Any], name: str) -> Any:
    method, path, body = route
    if path == "/environments":
        body = {**body, "name": name}
    return api.request(method, path.format(name), body)


# --- another call at work


@pytest.fixture
def held(api: Api, name: str, clock: Clock) -> str:
    """An environment that another call holds for 17 more seconds."""
    api.provision(name, wait=0)
    client("dynamodb").update_item(
        TableName="trivet-local",
        Key={"pk": {"S": RECORDS}, "sk": {"S": name}},
        UpdateExpression="SET lease = :lease, lease_until = :until",
        ExpressionAttributeValues={
            ":lease": {"S": "another"},
            ":until": {"N": str(clock.now() + 16.5)},
        },
    )
    return name


@pytest.mark.calm
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route[0]} {route[1]}")
def test_held_environment_is_a_409_that_says_when_to_come_again(
    api: Api, iam: Any, held: str, route: Any, clock: Clock
) -> None:
    iam.update_role(RoleName=f"{held}-SageMaker", Description="drifted")
    before = inventory.held()

    answer = send(api, route, held)

    assert answer.status == 409
    assert answer.body["type"] == "urn:trivet:problem:busy"
    assert answer.headers["retry-after"] == "17"
    assert held in answer.body["detail"]
    assert inventory.held() == before

    clock.sleep(int(answer.headers["retry-after"]))
    assert send(api, route, held).status == 200


@pytest.mark.calm
def test_held_environment_can_be_looked_at(api: Api, held: str) -> None:
    before = inventory.held()

    assert api.get(f"/environments/{held}").status == 200
    assert api.get(f"/environments/{held}/drift").status == 200
    assert api.post("/environments", {"name": held, "dry_run": True}).status == 200
    assert held in [each["name"] for each in api.get("/environments").body["environments"]]
    assert inventory.held() == before


def test_busy_names_the_holder_and_since_when(api: Api, name: str, clock: Clock) -> None:
    api.provision(name, wait=0)
    found: list[Any] = []

    def meanwhile(call: Call, deliver: Deliver) -> AWSResponse:
        if call.action == "TagRole" and not found:
            found.append(None)
            found[0] = on_lambda("DELETE", f"/environments/{name}")
        return deliver()

    with api.wire.through(meanwhile):
        path = f"/environments/{name}"
        on_lambda("PUT", path, {"tags": {"team": "a"}, "wait": 0}, caller="arn:aws:iam::1:user/bob")

    [busy] = found
    assert busy.status == 409
    assert busy.body["type"] == "urn:trivet:problem:busy"
    assert "arn:aws:iam::1:user/bob" in busy.body["detail"]
    assert re.search(r"since 20\d\d-\d\d-\d\dT", busy.body["detail"])


@pytest.mark.parametrize("record", ["{", '{"name": "another"}'])
def test_record_that_cannot_be_read_is_a_500_naming_its_key(
    api: Api, name: str, record: str
) -> None:
    api.provision(name, wait=0)
    api.provision(f"{name}-b", wait=0)
    dynamodb, row = client("dynamodb"), {"pk": {"S": RECORDS}, "sk": {"S": name}}
    item = dynamodb.get_item(TableName="trivet-local", Key=row)["Item"]
    [attribute] = [key for key, each in item.items() if each.get("S", "").startswith("{")]
    broken = {**item, attribute: {"S": record}}
    dynamodb.put_item(TableName="trivet-local", Item=broken)

    answers = [
        api.get(f"/environments/{name}"),
        api.put(f"/environments/{name}", {}),
        api.delete(f"/environments/{name}"),
    ]
    other = api.put(f"/environments/{name}-b", {"wait": 0})
    dynamodb.put_item(TableName="trivet-local", Item=item)

    assert [answer.status for answer in answers] == [500] * 3
    for answer in answers:
        assert answer.body["type"] == "urn:trivet:problem:unreadable-record"
        assert f"{RECORDS} / {name} " in answer.body["detail"]
    assert other.status == 200
    assert api.get(f"/environments/{name}").status == 200


# --- quotas, refusals, failures


def test_quota_is_a_409_and_a_later_call_completes_it(api: Api, name: str) -> None:
    said = "Cannot exceed quota for RolesPerAccount: 1000"

    def is_last(call: Call) -> bool:
        return call.name == f"CreateRole {name}-LambdaTriggerStepFunc"

    with api.wire.through(refusing(is_last, "LimitExceeded", said)):
        answer = api.post("/environments", {"name": name})
    incomplete = api.get(f"/environments/{name}").body
    completed = api.post("/environments", {"name": name})

    assert answer.status == 409
    assert said in answer.body["detail"]
    assert f"create_role on role/{name}-LambdaTriggerStepFunc" in answer.body["detail"]
    assert "attach_managed_policy" in answer.body["detail"]
    assert incomplete["status"] == "incomplete"
    assert incomplete["smoke_test"]["status"] == "pending"
    assert (completed.status, completed.body["status"]) == (200, "ready")
    assert completed.body["smoke_test"]["status"] == "succeeded"
    assert api.get(f"/environments/{name}/drift").body["in_sync"] is True


DENIED = "User: arn:aws:sts::123456789012:assumed-role/trivet/x is not authorized to perform: {}"


@pytest.mark.parametrize(
    ("operation", "code", "action"),
    [
        ("CreateRole", "AccessDenied", "iam:CreateRole"),
        ("AttachRolePolicy", "AccessDenied", "iam:AttachRolePolicy"),
        ("GetRole", "AccessDenied", "iam:GetRole"),
        ("CreateStateMachine", "AccessDeniedException", "states:CreateStateMachine"),
        ("TransactWriteItems", "AccessDeniedException", "dynamodb:PutItem"),
        ("BatchGetItem", "AccessDeniedException", "dynamodb:BatchGetItem"),
    ],
)
def test_refusal_is_a_502_naming_the_action(
    api: Api, name: str, operation: str, code: str, action: str
) -> None:
    with api.wire.through(refusing(operation, code, DENIED.format(action), 403)):
        answer = api.post("/environments", {"name": name, "wait": 0})
    again = api.post("/environments", {"name": name})

    assert answer.status == 502
    assert action in answer.body["detail"]
    assert again.status in (200, 201)
    assert (again.body["status"], again.body["smoke_test"]["status"]) == ("ready", "succeeded")


def test_withdrawn_managed_policy_is_named(api: Api, name: str, iam: Any) -> None:
    missing = "arn:aws:iam::aws:policy/AmazonAthenaFullAccess"

    def asks_for_it(call: Call) -> bool:
        return call.parameters.get("PolicyArn") == missing

    with api.wire.through(refusing(asks_for_it, "NoSuchEntity", f"{missing} does not exist")):
        answer = api.post("/environments", {"name": name, "wait": 0})

    assert answer.status == 502
    assert missing in answer.body["detail"]
    assert "Left to do" in answer.body["detail"]
    assert api.get(f"/environments/{name}").body["status"] == "incomplete"


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    ("operation", "code", "status"),
    [
        ("CreateRole", "Throttling", 400),
        ("AttachRolePolicy", "ServiceUnavailable", 503),
        ("PutRolePolicy", "InternalFailure", 500),
        ("CreateStateMachine", "ThrottlingException", 400),
    ],
)
def test_failure_past_all_retries_is_a_503_and_incomplete(
    api: Api, name: str, operation: str, code: str, status: int
) -> None:
    with api.wire.through(refusing(operation, code, "on purpose", status)):
        answer = api.post("/environments", {"name": name, "wait": 0})
    incomplete = api.get(f"/environments/{name}").body
    again = api.post("/environments", {"name": name})

    assert answer.status == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert name in answer.body["detail"]
    assert incomplete["status"] == "incomplete"
    assert (again.status, again.body["status"]) == (200, "ready")
    assert again.body["smoke_test"]["status"] == "succeeded"


@pytest.mark.parametrize("path", ["/environments", "/environments/abc", "/drift-runs/latest"])
def test_table_that_cannot_be_read_is_a_503(api: Api, path: str, clock: Clock) -> None:
    def reads(call: Call) -> bool:
        return call.action in ("BatchGetItem", "GetItem", "Query")

    with api.wire.through(refusing(reads, "InternalServerError")):
        assert api.get(path).status == 503


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "InternalFailure"])
def test_health_without_aws_is_a_503(api: Api, code: str, clock: Clock) -> None:
    with api.wire.through(refusing("GetCallerIdentity", code, status=500)):
        assert api.get("/health").status == 503
    assert api.get("/health").status == 200


# --- the unexpected


def test_unexpected_error_is_a_500_without_internals_and_in_the_log(
    api: Api, name: str, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("a secret that must stay inside")

    monkeypatch.setattr(*product.reading_records(), broken)
    answer = api.get(f"/environments/{name}")

    assert answer.status == 500
    assert answer.body["type"] == "urn:trivet:problem:unexpected"
    correlation_id = answer.body["correlation_id"]
    assert correlation_id in answer.body["detail"]
    assert not any(word in json.dumps(answer.body) for word in ("secret", "Zero", "Traceback"))
    [line] = [
        line
        for line in map(json.loads, log.getvalue().splitlines())
        if line.get("correlation_id") == correlation_id
    ]
    assert line["level"] == "ERROR"
    assert "ZeroDivisionError" in line["exception"]


def test_time_that_runs_out_is_a_503_and_the_next_call_goes_on(
    api: Api, name: str, clock: Clock
) -> None:
    def slow(call: Call, deliver: Deliver) -> AWSResponse:
        if call.action == "AttachRolePolicy":
            clock.sleep(product.CALL_TIMEOUT)
        return deliver()

    with api.wire.through(slow):
        answer = api.post("/environments", {"name": name})

    assert answer.status == 503
    assert api.get(f"/environments/{name}").body["status"] == "incomplete"
    assert api.post("/environments", {"name": name}).body["status"] == "ready"
    assert inventory.role(f"{name}-SageMaker")["attached"]
    assert clock.now() > time.time() + 15
