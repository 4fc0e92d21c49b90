"""What moto does not do, done in its place: executions that end, and the policy simulator."""

import json
from typing import Any

from botocore.awsrequest import AWSResponse

from . import product
from .account import client
from .clock import Clock
from .wire import Call, Deliver


class Executions:
    """Step Functions executions that run for a while and succeed: moto's own stay as they began."""

    def __init__(self, clock: Clock, seconds: float = 0.3) -> None:
        self._clock = clock
        self._seconds = seconds
        self.ends: dict[str, float] = {}
        """When each ends, by its ARN: seconds since the epoch, on the test's clock."""

    def __call__(self, call: Call, deliver: Deliver) -> AWSResponse:
        now = self._clock.now()
        if call.action == "StartExecution":
            machine = call.parameters["stateMachineArn"].replace("stateMachine", "execution", 1)
            arn = f"{machine}:{call.parameters['name']}"
            if now >= self.ends.get(arn, now + 1):
                message = f"Execution Already Exists: '{arn}'"
                return call.refused("ExecutionAlreadyExists", message)
            answer = deliver()
            if answer.status_code == 200:
                self.ends.setdefault(arn, now + self._seconds)
            return answer
        answer = deliver()
        ended = call.parameters.get("executionArn") in self.ends and (
            now >= self.ends[call.parameters["executionArn"]]
        )
        if call.action != "DescribeExecution" or answer.status_code != 200 or not ended:
            return answer
        found: dict[str, Any] = json.loads(answer.content)
        found |= {
            "status": "SUCCEEDED",
            "stopDate": found["startDate"] + self._seconds,
            "output": json.dumps({"identity": {"arn": _session_of(found["stateMachineArn"])}}),
        }
        return call.answered(found)


def _session_of(machine: str) -> str:
    """Return what STS calls whoever runs under the role that a state machine has now."""
    states = client("stepfunctions", machine.split(":")[4])
    role = states.describe_state_machine(stateMachineArn=machine)["roleArn"]
    _, partition, _, _, account, name = role.split(":")
    return f"arn:{partition}:sts::{account}:assumed-role/{name.rsplit('/', 1)[-1]}/execution"


def simulator(call: Call, deliver: Deliver) -> AWSResponse:
    """Answer SimulatePrincipalPolicy as the templates expect it, where the role exists."""
    if call.action != "SimulatePrincipalPolicy":
        return deliver()
    context = {
        each["ContextKeyName"]: each["ContextKeyValues"]
        for each in call.parameters["ContextEntries"]
    }
    source = call.parameters["PolicySourceArn"]
    evaluated = [
        {
            "EvalActionName": action,
            "EvalResourceName": resource,
            "EvalDecision": product.expected_decision(source, action, resource, context),
        }
        for action in call.parameters["ActionNames"]
        for resource in call.parameters["ResourceArns"]
    ]
    return call.answered({"IsTruncated": False, "EvaluationResults": evaluated})
