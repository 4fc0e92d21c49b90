"""A hostile AWS: all that the real one is known to do, and moto does not.

Each trait is a layer of the wire by itself; `hostile` gives all of them, with what a test wants
otherwise. What was seen where: terraform-provider-aws#7893 (a role that cannot be assumed yet),
#34371 (changes of one role that overlap), #27673 (a state machine that is being deleted), and
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-read-consistency.html.
"""

import json
from collections import Counter
from collections.abc import Mapping
from threading import Lock

from botocore.awsrequest import AWSResponse

from .account import client
from .answers import THROTTLES
from .clock import Clock
from .limits import limits
from .stale import StaleReads
from .wire import Call, Deliver, Layer

BUCKETS: Mapping[str, tuple[float, float]] = {
    "IAM": (100, 20),
    "SFN": (500, 25),
    "SFN DescribeStateMachine": (200, 20),
}
"""Calls in store, and more a second, by service, or by service and action.

Step Functions': https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html. IAM
publishes none; these are an assumption.
"""

AT_REST = 300
"""Seconds after which such an AWS shows all that was done, as `hostile` has it by default."""


def hostile(
    clock: Clock,
    *,
    stale: float = 3,
    invisible: float = 2,
    unassumable: float = 10,
    deleting: float = 60,
    unheard_of: float = 1,
    outdated: float = 5,
    buckets: Mapping[str, tuple[float, float]] = BUCKETS,
) -> list[Layer]:
    """Return the layers of a hostile AWS; 0 seconds, or no buckets, is without that trait.

    Args:
        stale: seconds for which IAM's reads show what was before.
        invisible: seconds for which a new role or policy is not found.
        unassumable: seconds for which Step Functions cannot assume a new role.
        deleting: seconds for which a state machine is being deleted.
        unheard_of: seconds for which an execution that was started is not found.
        outdated: seconds for which executions still run what a state machine was before.
        buckets: as `BUCKETS`.
    """
    return [
        *(TokenBucket(clock, of, *size) for of, size in buckets.items()),
        limits,
        OneChangeAtATime(),
        SlowToAppear(clock, invisible, unassumable),
        SlowToDisappear(clock, deleting),
        LateExecutions(clock, unheard_of),
        OutdatedExecutions(clock, outdated),
        StaleReads(clock, stale),
    ]


class TokenBucket:
    """Refuses calls past a rate, as the service that they go to words it."""

    def __init__(self, clock: Clock, of: str, capacity: float, per_second: float) -> None:
        """Set whose calls it counts, a service's or those of one action of it, and the rate."""
        self._clock = clock
        self._of = of
        self._capacity = capacity
        self._per_second = per_second
        self._lock = Lock()
        self._full = clock.now()
        """When the bucket would be full, if nothing were taken out of it."""
        self.refused = 0

    def __call__(self, call: Call, deliver: Deliver) -> AWSResponse:
        if self._of not in (call.service, f"{call.service} {call.action}"):
            return deliver()
        with self._lock:
            now = self._clock.now()
            full = max(self._full, now) + 1 / self._per_second
            is_let_through = full - now <= self._capacity / self._per_second
            if is_let_through:
                self._full = full
            else:
                self.refused += 1
        return deliver() if is_let_through else call.refused(THROTTLES[call.service][0], _SLOWLY)


_SLOWLY = "Rate exceeded"


class OneChangeAtATime:
    """IAM's answer to changes of one role or policy that overlap."""

    def __init__(self) -> None:
        self._changing: set[str] = set()
        self._lock = Lock()
        self.overlaps: list[str] = []

    def __call__(self, call: Call, deliver: Deliver) -> AWSResponse:
        name = call.resource
        if name is None or call.service != "IAM" or not call.writes:
            return deliver()
        with self._lock:
            if name in self._changing:
                self.overlaps.append(call.name)
                return concurrent_modification(call)
            self._changing.add(name)
        try:
            return deliver()
        finally:
            with self._lock:
                self._changing.discard(name)


def concurrent_modification(call: Call) -> AWSResponse:
    """Return IAM's refusal of a change that overlaps with another one."""
    message = "The request was rejected because multiple requests to change this object were "
    return call.refused("ConcurrentModification", f"{message}submitted simultaneously.")


class SlowToAppear:
    """A role or policy made a moment ago, which IAM and Step Functions do not see yet.

    To IAM it does not exist for a while, save that it cannot be made again; to Step Functions a
    role cannot be assumed.
    """

    def __init__(self, clock: Clock, iam: float, states: float) -> None:
        """Set for how many seconds each does not see what is new."""
        self._clock = clock
        self._iam = iam
        self._states = states
        self._made: dict[str, float] = {}
        """When each came to be, by a role's name or a policy's ARN."""
        self.refusals: Counter[str] = Counter()
        """How often who saw nothing: `IAM`, `SFN`."""

    def __call__(self, call: Call, deliver: Deliver) -> AWSResponse:
        parameters = call.parameters
        if call.action in ("CreateRole", "CreatePolicy"):
            answer = deliver()
            if answer.status_code == 200:
                self._made[_identity(call)] = self._clock.now()
            return answer
        if call.service == "IAM":
            for key in ("RoleName", "PolicyArn"):
                if self._is_new(parameters.get(key), self._iam):
                    self.refusals["IAM"] += 1
                    return no_such_role(call) if key == "RoleName" else _no_such_policy(call)
        if call.action in ("CreateStateMachine", "UpdateStateMachine"):
            name = str(parameters.get("roleArn")).rsplit("/", 1)[-1]
            if self._is_new(name, self._states):
                self.refusals["SFN"] += 1
                return not_assumable(call)
        return deliver()

    def _is_new(self, name: str | None, seconds: float) -> bool:
        return self._clock.now() < self._made.get(name or "", 0) + seconds


def _identity(call: Call) -> str:
    if call.action == "CreateRole":
        return str(call.parameters["RoleName"])
    return f"arn:{call.partition}:iam::{call.account}:policy/{call.parameters['PolicyName']}"


def no_such_role(call: Call) -> AWSResponse:
    """Return IAM's answer for a role that it does not see."""
    message = f"The role with name {call.parameters['RoleName']} cannot be found."
    return call.refused("NoSuchEntity", message)


def _no_such_policy(call: Call) -> AWSResponse:
    message = f"Policy {call.parameters['PolicyArn']} does not exist or is not attachable."
    return call.refused("NoSuchEntity", message)


def not_assumable(call: Call) -> AWSResponse:
    """Return Step Functions' answer for a role that it cannot assume, yet or ever."""
    message = (
        "Neither the global service principal states.amazonaws.com, nor the regional one is "
        "authorized to assume the provided role."
    )
    return call.refused("AccessDeniedException", message)


class SlowToDisappear:
    """A state machine is being deleted for a while: it can be looked at, and not made again."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._until: dict[str, tuple[float, dict[str, object]]] = {}
        """Until when each is being deleted, and what it was, by ARN."""

    def __call__(self, call: Call, deliver: Deliver) -> AWSResponse:
        arn = call.parameters.get("stateMachineArn") or call.parameters.get("resourceArn")
        if call.action == "CreateStateMachine":
            place = f"arn:{call.partition}:states:{call.region}:{call.account}"
            arn = f"{place}:stateMachine:{call.parameters['name']}"
        until, was = self._until.get(str(arn), (0, {}))
        if self._clock.now() < until:
            if call.action == "DescribeStateMachine":
                return call.answered({**was, "status": "DELETING"})
            if call.action == "DeleteStateMachine":
                return call.answered({})
            return call.refused("StateMachineDeleting", f"State Machine is being deleted: '{arn}'")
        if call.action != "DeleteStateMachine":
            return deliver()
        found = _described(call, str(arn))
        answer = deliver()
        if answer.status_code == 200 and found:
            self._until[str(arn)] = (self._clock.now() + self._seconds, found)
        return answer


class LateExecutions:
    """An execution is not heard of for a while after its start."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._started: dict[str, float] = {}

    def __call__(self, call: Call, deliver: Deliver) -> AWSResponse:
        if call.action == "StartExecution":
            answer = deliver()
            if answer.status_code == 200:
                arn = json.loads(answer.content)["executionArn"]
                self._started.setdefault(arn, self._clock.now())
            return answer
        arn = str(call.parameters.get("executionArn"))
        if self._clock.now() < self._started.get(arn, 0) + self._seconds:
            return call.refused("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
        return deliver()


class OutdatedExecutions:
    """What starts just after an update still runs the old definition under the old role."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._updated: dict[str, tuple[float, dict[str, object]]] = {}
        self._running: dict[str, dict[str, object]] = {}
        """What state machine each such execution is of, as that was, by the execution's ARN."""

    def __call__(self, call: Call, deliver: Deliver) -> AWSResponse:
        machine = str(call.parameters.get("stateMachineArn"))
        if call.action == "UpdateStateMachine":
            was = _described(call, machine)
            answer = deliver()
            if answer.status_code == 200:
                self._updated[machine] = (self._clock.now(), was)
            return answer
        answer = deliver()
        if answer.status_code != 200:
            return answer
        if call.action == "StartExecution":
            at, was = self._updated.get(machine, (0, {}))
            if self._clock.now() < at + self._seconds:
                self._running.setdefault(json.loads(answer.content)["executionArn"], was)
            return answer
        ran = self._running.get(str(call.parameters.get("executionArn")))
        if ran and call.action == "DescribeStateMachineForExecution":
            return call.answered(json.loads(answer.content) | ran)
        if ran and call.action == "DescribeExecution":
            return _under(str(ran["roleArn"]), call, answer)
        return answer


def _under(role: str, call: Call, answer: AWSResponse) -> AWSResponse:
    """Return the answer as it is if the execution ran under this role."""
    found = json.loads(answer.content)
    output = json.loads(found.get("output", "{}"))
    identity = output.get("identity", {}).get("arn", "")
    # Where moto runs executions, they run as the account itself.
    if ":assumed-role/" in identity:
        name = role.rsplit("/", 1)[-1]
        head, _, session = identity.split("/")
        output["identity"]["arn"] = f"{head}/{name}/{session}"
        found["output"] = json.dumps(output)
    return call.answered(found)


def _described(call: Call, arn: str) -> dict[str, object]:
    """Return a state machine as JSON has it, or nothing if there is none."""
    states = client("stepfunctions", call.account, call.region)
    try:
        found = states.describe_state_machine(stateMachineArn=arn)
    except states.exceptions.StateMachineDoesNotExist:
        return {}
    keys = ("stateMachineArn", "name", "definition", "roleArn", "type")
    return {key: found[key] for key in keys} | {"creationDate": found["creationDate"].timestamp()}
