"""The fleet's state machine as it is generated, run by moto's interpreter of its language.

moto runs no Lambda function without Docker: here its invocations are handed to the function itself,
and an error goes back the way that Lambda sends it.
"""

import json
import time
from typing import Any

import pytest
from chalice.local import LambdaContext
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils

from tests.accounts.support import MEMBER, OTHERS, in_account, register, withdrawn
from tests.kit import product
from tests.kit.account import client, in_memory
from tests.kit.http import Api
from tests.kit.names import ACCOUNT, NAME
from tools.operations.fleet_machine import definition

ROLE = f"{NAME}-SageMaker"
NOT_THERE, REFUSING = OTHERS[1], OTHERS[2]


def generated() -> str:
    """Return the definition as CloudFormation puts it in."""
    values = {"AWS::Partition": "aws", "AWS::Region": "us-east-1", "AWS::AccountId": ACCOUNT}
    text = json.dumps(definition())
    for name, value in {**values, "Stage": "dev"}.items():
        text = text.replace(f"${{{name}}}", value)
    assert "${" not in text
    return text


def invoked(parameters: dict[str, Any], region: str, state_credentials: Any) -> dict[str, Any]:
    """Invoke the function in this process, as Lambda answers Step Functions."""
    assert parameters["FunctionName"].endswith(":function:trivet-dev-fleet_step")
    event = json.loads(parameters["Payload"])
    context = LambdaContext("fleet_step", memory_size=1769, max_runtime_ms=900_000)
    try:
        answer = product.app.handler_map["fleet_step"](event, context)
    except Exception as error:  # what Lambda does with whatever a function raises
        failure = {"errorType": type(error).__name__, "errorMessage": str(error)}
        return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": failure}
    return {"StatusCode": 200, "Payload": json.loads(json.dumps(answer))}


@pytest.mark.slow
def test_five_accounts_of_which_one_refuses_and_one_was_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "trivet-dev")
    monkeypatch.setenv("TRIVET_STAGE", "dev")
    monkeypatch.setattr(lambda_eval_utils, "_invoke_lambda_function", invoked)
    with in_memory() as wire:
        api: Any = Api(wire)
        client("stepfunctions").create_state_machine(
            name="trivet-dev-fleet",
            definition=generated(),
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/fleet",
        )
        for account_id in (MEMBER, OTHERS[0], NOT_THERE, REFUSING):
            register(api, account_id)
        for account_id in (ACCOUNT, MEMBER, OTHERS[0]):
            assert api.put(in_account(account_id, f"/{NAME}"), {"wait": 0}).status == 201
        iam = client("iam", MEMBER)
        iam.delete_role_permissions_boundary(RoleName=ROLE)
        with wire.through(withdrawn(REFUSING, NOT_THERE)):
            answer = api.post("/drift-runs", {"wait": 0})
            assert answer.status == 202, answer
            report = _finished(api, answer.headers["location"])
    rows = {each["account_id"]: each for each in report["accounts"]}
    assert sorted(rows) == sorted([ACCOUNT, MEMBER, OTHERS[0], NOT_THERE, REFUSING])
    assert all(rows[each]["error"] for each in (NOT_THERE, REFUSING))
    assert (report["status"], report["checked"], report["stopped"]) == ("finished", 3, None)
    assert rows[MEMBER]["repaired"] == 1


def _finished(api: Any, path: str) -> Any:
    """Return a run's report when it is finished."""
    until = time.monotonic() + 60
    while True:
        report = api.get(path).body
        if report["status"] == "finished":
            return report
        assert time.monotonic() < until, report
        time.sleep(0.2)
