"""What moto does not do, done in its place: executions that end, and the policy simulator."""

import json
from typing import Any

from botocore.awsrequest import AWSResponse

from chalicelib import templates
from chalicelib.model import Place

from . import answers
from .clock import FakeClock
from .wire import Call, Deliver


class Executions:
    """Step Functions executions that run for a while and succeed: moto's own stay as they began."""

    def __init__(self, clock: FakeClock, seconds: float = 0.3) -> None:
        self._clock = clock
        self._seconds = seconds
        self._ends: dict[str, float] = {}

    def __call__(self, call: Call, deliver: Deliver) -> AWSResponse:
        now = self._clock.now()
        if call.action == "StartExecution":
            machine = call.parameters["stateMachineArn"].replace("stateMachine", "execution", 1)
            arn = f"{machine}:{call.parameters['name']}"
            if now >= self._ends.get(arn, now + 1):
                message = f"Execution Already Exists: '{arn}'"
                return answers.error(call.service, call.url, "ExecutionAlreadyExists", message)
            answer = deliver()
            if answer.status_code == 200:
                self._ends.setdefault(arn, now + self._seconds)
            return answer
        answer = deliver()
        ended = call.parameters.get("executionArn") in self._ends and (
            now >= self._ends[call.parameters["executionArn"]]
        )
        if call.action != "DescribeExecution" or answer.status_code != 200 or not ended:
            return answer
        found: dict[str, Any] = json.loads(answer.content)
        found |= {
            "status": "SUCCEEDED",
            "stopDate": found["startDate"] + self._seconds,
            "output": json.dumps({"identity": {"arn": "arn:aws:sts::123456789012:assumed-role"}}),
        }
        return answers.raw(call.url, 200, "application/x-amz-json-1.0", json.dumps(found))


def simulator(call: Call, deliver: Deliver) -> AWSResponse:
    """Answer SimulatePrincipalPolicy as the templates expect it, where the role exists."""
    if call.action != "SimulatePrincipalPolicy":
        return deliver()
    given = call.parameters
    _, partition, _, _, account, role = given["PolicySourceArn"].split(":")
    environment = templates.load().environment_of(role.removeprefix("role/"))
    assert environment is not None
    place = Place(account, partition, "us-east-1")
    desired = templates.load().render(environment, place, {}, None)
    asked = (given["ActionNames.member.1"], given["ResourceArns.member.1"])
    context = {
        value: given[key.replace("ContextKeyName", "ContextKeyValues.member.1")]
        for key, value in given.items()
        if key.endswith(".ContextKeyName")
    }
    expected = next(
        each.expect
        for each in desired.expectations
        if desired.role(each.role).arn == given["PolicySourceArn"]
        and (each.action, each.resource) == asked
        and each.context.items() <= context.items()
    )
    decision = "allowed" if expected == "allowed" else "implicitDeny"
    xml = (
        '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
        "<SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults><member>"
        f"<EvalActionName>{asked[0]}</EvalActionName><EvalDecision>{decision}</EvalDecision>"
        "</member></EvaluationResults></SimulatePrincipalPolicyResult>"
        "</SimulatePrincipalPolicyResponse>"
    )
    return answers.raw(call.url, 200, "text/xml", xml)
