"""What the tests over several accounts share: members, and the fleet's machine, step by step."""

import json
from collections.abc import Mapping
from typing import Any

from botocore.awsrequest import AWSResponse
from chalice.local import LambdaContext

from tests.kit import product
from tests.kit.names import NAME
from tests.kit.wire import Call, Deliver, Layer, refusing
from tests.kit.world import World

MEMBER = "210987654321"
OTHERS = tuple(f"{number:012}" for number in range(300000000001, 300000000005))


def register(world: World, account_id: str) -> None:
    """Register a member account."""
    answer = world.put(f"/accounts/{account_id}", {})
    assert answer.status == 201, answer


def in_account(account_id: str, path: str = "") -> str:
    """Return the path of environments in an account."""
    return f"/accounts/{account_id}/environments{path}"


def provision(world: World, account_id: str, name: str = NAME, **fields: Any) -> Any:
    """Provision an environment in an account, and return its document."""
    answer = world.put(in_account(account_id, f"/{name}"), {"wait": 20, **fields})
    assert answer.status == 201, answer
    return answer.body


def withdrawn(*account_ids: str) -> Layer:
    """Return a layer of members that let Trivet in no more: sessions that are open end, too."""

    def concerned(call: Call) -> bool:
        role = str(call.parameters.get("RoleArn", ""))
        entering = call.action == "AssumeRole" and any(f"::{each}:" in role for each in account_ids)
        return entering or call.account in account_ids

    return refusing(concerned, "AccessDenied", "not authorized to perform: sts:AssumeRole")


class Stage:
    """The fleet's state machine, as a layer that takes its calls, and a test that takes its steps.

    It runs nothing by itself: `steps` does what the definition has Step Functions do.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.orders: dict[str, Any] = {}
        """The input of each execution, by its name."""
        self.status: dict[str, str] = {}

    def machine(self, call: Call, deliver: Deliver) -> AWSResponse:
        """Answer for Step Functions what concerns the fleet's state machine."""
        if "-fleet" not in str(call.parameters):
            return deliver()
        if call.action == "StartExecution":
            name = call.parameters["name"]
            self.orders[name] = json.loads(call.parameters["input"])
            self.status[name] = "RUNNING"
            arn = (
                call.parameters["stateMachineArn"].replace("stateMachine", "execution") + f":{name}"
            )
            return call.answered({"executionArn": arn, "startDate": self.world.clock.now()})
        if call.action == "DescribeExecution":
            arn = call.parameters["executionArn"]
            name = arn.rsplit(":", 1)[-1]
            if name not in self.status:
                return call.refused("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
            machine = arn.replace("execution", "stateMachine").rsplit(":", 1)[0]
            return call.answered(
                {
                    "executionArn": arn,
                    "stateMachineArn": machine,
                    "status": self.status[name],
                    "startDate": self.world.clock.now(),
                }
            )
        return deliver()

    def step(self, step: str, run: str, **more: str) -> Any:
        """Do one step, as Lambda does it."""
        handler = product.app.handler_map["fleet_step"]
        context = LambdaContext("fleet_step", memory_size=1769, max_runtime_ms=900_000)
        return handler({"step": step, "run": run, **more}, context)

    def over(self, step: str, run: str, accounts: list[str]) -> list[str]:
        """Do a step of each account, those that fail left out; return which failed."""
        failed = []
        for account_id in accounts:
            try:
                self.step(step, run, account_id=account_id)
            except product.TrivetError:
                failed.append(account_id)
        return failed

    def steps(self, run: str) -> None:
        """Do all steps of a run in the order of the state machine."""
        self.over("look", run, self.step("begin", run)["accounts"])
        self.over("repair", run, self.step("decide", run)["accounts"])
        self.step("conclude", run)
        self.status[run] = "SUCCEEDED"

    def start(self, body: Mapping[str, Any] | None = None) -> Any:
        """Ask for a run, and return the answer's report: it is accepted."""
        answer = self.world.post("/drift-runs", {"wait": 0, **(body or {})})
        assert answer.status == 202, answer
        assert answer.headers["location"] == f"/drift-runs/{answer.body['id']}"
        return answer.body

    def run(self, body: Mapping[str, Any] | None = None) -> Any:
        """Do a run from beginning to end, and return its report."""
        started = self.start(body)
        self.steps(started["id"])
        return self.report(started["id"])

    def report(self, run: str) -> Any:
        """Return a report."""
        answer = self.world.get(f"/drift-runs/{run}")
        assert answer.status == 200, answer
        return answer.body
