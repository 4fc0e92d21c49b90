"""AWS as it is where moto is kinder."""

from collections import Counter
from threading import Lock

from botocore.awsrequest import AWSResponse

from .clock import Clock
from .wire import Call, Deliver


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


class SlowToAppear:
    """A role made a moment ago, which IAM and Step Functions do not see yet.

    To IAM it does not exist for a while, save that it cannot be made again; to Step Functions it
    cannot be assumed.
    """

    def __init__(self, clock: Clock, iam: float, states: float) -> None:
        """Set for how many seconds each does not see a new role."""
        self._clock = clock
        self._iam = iam
        self._states = states
        self._made: dict[str, float] = {}
        self.refusals: Counter[str] = Counter()
        """How often who saw nothing: `IAM`, `SFN`."""

    def __call__(self, call: Call, deliver: Deliver) -> AWSResponse:
        now, parameters = self._clock.now(), call.parameters
        name = str(parameters.get("RoleName"))
        if call.action == "CreateRole":
            answer = deliver()
            if answer.status_code == 200:
                self._made[name] = now
            return answer
        if call.service == "IAM" and now < self._made.get(name, 0) + self._iam:
            self.refusals["IAM"] += 1
            return no_such_role(call)
        if call.action in ("CreateStateMachine", "UpdateStateMachine"):
            name = str(parameters["roleArn"]).rsplit("/", 1)[-1]
            if now < self._made.get(name, 0) + self._states:
                self.refusals["SFN"] += 1
                return not_assumable(call)
        return deliver()


def no_such_role(call: Call) -> AWSResponse:
    """Return IAM's answer for a role that it does not see."""
    message = f"The role with name {call.parameters['RoleName']} cannot be found."
    return call.refused("NoSuchEntity", message)


def not_assumable(call: Call) -> AWSResponse:
    """Return Step Functions' answer for a role that it cannot assume, yet or ever."""
    message = (
        "Neither the global service principal states.amazonaws.com, nor the regional one is "
        "authorized to assume the provided role."
    )
    return call.refused("AccessDeniedException", message)


def concurrent_modification(call: Call) -> AWSResponse:
    """Return IAM's refusal of a change that overlaps with another one."""
    message = "The request was rejected because multiple requests to change this object were "
    return call.refused("ConcurrentModification", f"{message}submitted simultaneously.")
