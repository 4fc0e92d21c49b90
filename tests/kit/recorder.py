"""A layer of the wire that records what each of Trivet's calls asks of IAM.

It is told from the call and from what the account holds at that moment: the tags of a role, say,
which a policy's condition may speak of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import RLock
from typing import Any

from botocore.awsrequest import AWSResponse

from tests.iam.authorization import (
    AuthorizationRequest,
    Call,
    Entity,
    UnknownCallError,
    requests_of,
)

from . import wire
from .account import client
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
                    partition=_partition(call.region),
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


def _partition(region: str) -> str:
    prefixes = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
    return next((prefixes[each] for each in prefixes if region.startswith(each)), "aws")


class _Holdings:
    """What the account of a call holds now."""

    def __init__(self, call: Call) -> None:
        self._iam = client("iam", call.account, call.region)
        self._stepfunctions = client("stepfunctions", call.account, call.region)

    def role(self, name: str) -> Entity | None:
        with suppress(self._iam.exceptions.NoSuchEntityException):
            role = self._iam.get_role(RoleName=name)["Role"]
            return Entity(role["Arn"], tags_of(role.get("Tags", [])), _boundary(role))
        return None

    def user(self, name: str) -> Entity | None:
        with suppress(self._iam.exceptions.NoSuchEntityException):
            user = self._iam.get_user(UserName=name)["User"]
            return Entity(user["Arn"], tags_of(user.get("Tags", [])), _boundary(user))
        return None

    def group(self, name: str) -> Entity | None:
        with suppress(self._iam.exceptions.NoSuchEntityException):
            return Entity(self._iam.get_group(GroupName=name)["Group"]["Arn"])
        return None

    def instance_profile(self, name: str) -> Entity | None:
        with suppress(self._iam.exceptions.NoSuchEntityException):
            profile = self._iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
            return Entity(profile["Arn"], tags_of(profile.get("Tags", [])))
        return None

    def policy(self, arn: str) -> Entity | None:
        with suppress(self._iam.exceptions.NoSuchEntityException):
            return Entity(
                arn, tags_of(self._iam.get_policy(PolicyArn=arn)["Policy"].get("Tags", []))
            )
        return None

    def state_machine(self, arn: str) -> Entity | None:
        with suppress(self._stepfunctions.exceptions.ResourceNotFound):
            tags = self._stepfunctions.list_tags_for_resource(resourceArn=arn)["tags"]
            return Entity(arn, {tag["key"]: tag["value"] for tag in tags})
        return None


def _boundary(entity: Mapping[str, Any]) -> str | None:
    boundary: Mapping[str, str] = entity.get("PermissionsBoundary", {})
    return boundary.get("PermissionsBoundaryArn")
