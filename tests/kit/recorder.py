"""A layer of the wire that records what each of Trivet's calls asks of IAM.

It is told from the call and from what the account holds at that moment: the tags of a role, say,
which a policy's condition may speak of.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock

from botocore.awsrequest import AWSResponse
from moto.iam.models import iam_backends
from moto.stepfunctions.models import stepfunctions_backends
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from tests.iam.authorization import (
    AuthorizationRequest,
    Call,
    Entity,
    UnknownCallError,
    requests_of,
)

from . import wire
from .inventory import tags_of

_SDK_NAMES = {
    "DynamoDB": "dynamodb",
    "EventBridge": "events",
    "IAM": "iam",
    "SFN": "stepfunctions",
    "STS": "sts",
}


@dataclass(frozen=True)
class RecordedCall:
    """A call, the function that made it, and what AWS would have asked IAM about it."""

    function: str
    call: Call
    requests: tuple[AuthorizationRequest, ...]


class Recorder:
    """The calls recorded so far, in the order in which they were made."""

    def __init__(self, function: str) -> None:
        self.function = function
        self.calls: list[RecordedCall] = []
        self.unknown: list[str] = []
        # One call at a time, so that nothing moves between the look at the resource and the call.
        self._one_at_a_time = RLock()

    def __call__(self, call: wire.Call, deliver: wire.Deliver) -> AWSResponse:
        with self._one_at_a_time:
            self._note(
                Call(
                    service=_SDK_NAMES[call.service],
                    operation=call.action,
                    parameters=call.parameters,
                    partition=call.partition,
                    region=call.region,
                    account=call.account,
                )
            )
            return deliver()

    @contextmanager
    def attributing(self, function: str) -> Iterator[None]:
        """Attribute the calls in the block, on whatever thread, to another function."""
        before, self.function = self.function, function
        try:
            yield
        finally:
            self.function = before

    def requests(self) -> Iterator[tuple[str, AuthorizationRequest]]:
        """Every request with the function that needs it, as `simulator.simulate` takes them."""
        for recorded in self.calls:
            for request in recorded.requests:
                yield recorded.function, request

    def _note(self, call: Call) -> None:
        try:
            requests = tuple(requests_of(call, _Holdings(call)))
        except UnknownCallError as error:
            self.unknown.append(str(error))
        else:
            self.calls.append(RecordedCall(self.function, call, requests))


@contextmanager
def recording(over: wire.Wire, function: str) -> Iterator[Recorder]:
    """Record Trivet's calls made in the block.

    Args:
        function: the name of the function that the calls belong to, unless `attributing` says
            otherwise.

    Raises:
        UnknownCallError: at the end of the block, for calls whose authorization is not known.
    """
    recorder = Recorder(function)
    with over.through(recorder):
        yield recorder
    if recorder.unknown:
        raise UnknownCallError("\n".join(dict.fromkeys(recorder.unknown)))


class _Holdings:
    """What the account of a call holds now, looked up in moto's memory without a call."""

    def __init__(self, call: Call) -> None:
        self._iam = iam_backends[call.account][call.partition]
        # moto has two memories for state machines: of those that really run, and of the others.
        self._states = [
            memory[call.account][call.region]
            for memory in (stepfunctions_backends, stepfunctions_parser_backends)
        ]

    def role(self, name: str) -> Entity | None:
        for role in self._iam.roles.values():
            if role.name == name:
                return Entity(role.arn, tags_of(role.tags), role.permissions_boundary_arn or None)
        return None

    def user(self, name: str) -> Entity | None:
        user = self._iam.users.get(name)
        return Entity(user.arn, tags_of(user.tags or [])) if user else None

    def group(self, name: str) -> Entity | None:
        group = self._iam.groups.get(name)
        return Entity(group.arn) if group else None

    def instance_profile(self, name: str) -> Entity | None:
        for profile in self._iam.instance_profiles.values():
            if profile.name == name:
                return Entity(profile.arn, tags_of(profile.tags))
        return None

    def policy(self, arn: str) -> Entity | None:
        policy = self._iam.managed_policies.get(arn)
        return Entity(arn, tags_of(policy.tags.values())) if policy else None

    def state_machine(self, arn: str) -> Entity | None:
        for memory in self._states:
            if any(machine.arn == arn for machine in memory.state_machines):
                tags = memory.list_tags_for_resource(arn)["tags"]
                return Entity(arn, {tag["key"]: tag["value"] for tag in tags})
        return None
