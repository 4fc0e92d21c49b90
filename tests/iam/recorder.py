"""Record the AWS calls of the application, with what each asks of IAM.

Whichever client the application makes, before or during the recording, is seen: botocore sends
every call of every client through one method. The application's own calls are told from those of
the tests, and from those that moto makes inside its state machines, by the mark that the
application's client factory puts into `user_agent_extra`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Lock
from typing import Any
from unittest.mock import patch

import boto3
from botocore.client import BaseClient

from .authorization import AuthorizationRequest, Call, Entity, UnknownCallError, requests_of

_HOME_OF_IAM = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}


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
        self._making_state = Lock()
        self._states: dict[tuple[str, str, str | None], _LiveState] = {}

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

    def note(self, client: BaseClient, operation: str, parameters: Mapping[str, Any]) -> None:
        """Record a call that a client is about to make."""
        function = self.function
        state = self._state(client)
        call = Call(
            service=client.meta.service_model.service_name,
            operation=operation,
            parameters=parameters,
            partition=state.partition,
            region=state.region,
            account=state.account,
        )
        try:
            self.calls.append(RecordedCall(function, call, requests_of(call, state)))
        except UnknownCallError as error:
            self.unknown.append(str(error))

    def _state(self, client: BaseClient) -> _LiveState:
        partition: str = client.meta.partition
        region: str = client.meta.region_name
        if client.meta.service_model.service_name == "iam":
            region = _HOME_OF_IAM.get(partition, region)
        url: str = client.meta.endpoint_url
        endpoint = None if "amazonaws.com" in url else url
        key = (partition, region, endpoint)
        with self._making_state:
            if key not in self._states:
                self._states[key] = _LiveState(*key)
            return self._states[key]


@contextmanager
def recording(function: str, *, mark: str = "trivet/") -> Iterator[Recorder]:
    """Record the application's calls made in the block, in this process.

    Args:
        function: the name of the function that the calls belong to, unless `attributing` says
            otherwise.
        mark: the text in a client's `user_agent_extra` that makes it one of the application's.

    Raises:
        UnknownCallError: at the end of the block, for calls whose authorization is not known.
    """
    recorder = Recorder(function)
    original: Any = vars(BaseClient)["_make_api_call"]
    one_at_a_time = Lock()

    def make_api_call(self: Any, operation_name: str, api_params: Any) -> Any:
        if mark in (self.meta.config.user_agent_extra or ""):
            # One at a time, so that nothing moves between the look at the resource and the call.
            with one_at_a_time:
                recorder.note(self, operation_name, api_params)
                return original(self, operation_name, api_params)
        return original(self, operation_name, api_params)

    with patch.object(BaseClient, "_make_api_call", make_api_call):
        yield recorder
    if recorder.unknown:
        raise UnknownCallError("\n".join(dict.fromkeys(recorder.unknown)))


class _LiveState:
    """What an account holds now, read with clients of its own that are not recorded."""

    def __init__(self, partition: str, region: str, endpoint: str | None) -> None:
        self.partition = partition
        self.region = region
        session = boto3.session.Session(region_name=region)
        self._iam = session.client("iam", endpoint_url=endpoint)
        self._stepfunctions = session.client("stepfunctions", endpoint_url=endpoint)
        self.account = session.client("sts", endpoint_url=endpoint).get_caller_identity()["Account"]

    def role(self, name: str) -> Entity | None:
        with suppress(self._iam.exceptions.NoSuchEntityException):
            role = self._iam.get_role(RoleName=name)["Role"]
            return Entity(role["Arn"], _tags(role), _boundary(role))
        return None

    def user(self, name: str) -> Entity | None:
        with suppress(self._iam.exceptions.NoSuchEntityException):
            user = self._iam.get_user(UserName=name)["User"]
            return Entity(user["Arn"], _tags(user), _boundary(user))
        return None

    def group(self, name: str) -> Entity | None:
        with suppress(self._iam.exceptions.NoSuchEntityException):
            return Entity(self._iam.get_group(GroupName=name)["Group"]["Arn"])
        return None

    def instance_profile(self, name: str) -> Entity | None:
        with suppress(self._iam.exceptions.NoSuchEntityException):
            profile = self._iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
            return Entity(profile["Arn"], _tags(profile))
        return None

    def policy(self, arn: str) -> Entity | None:
        with suppress(self._iam.exceptions.NoSuchEntityException):
            return Entity(arn, _tags(self._iam.get_policy(PolicyArn=arn)["Policy"]))
        return None

    def state_machine(self, arn: str) -> Entity | None:
        with suppress(self._stepfunctions.exceptions.ResourceNotFound):
            tags = self._stepfunctions.list_tags_for_resource(resourceArn=arn)["tags"]
            return Entity(arn, {tag["key"]: tag["value"] for tag in tags})
        return None


def _tags(entity: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in entity.get("Tags", [])}


def _boundary(entity: Mapping[str, Any]) -> str | None:
    boundary: Mapping[str, str] = entity.get("PermissionsBoundary", {})
    return boundary.get("PermissionsBoundaryArn")
