"""AWS in memory: moto in this process, with AWS's own managed policies.

One account is there from the start. Another one comes to be when somebody assumes a role in it,
and has a memory of its own: home too, where environments are made in a member.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Semaphore
from typing import Any
from unittest.mock import patch

import boto3
import botocore.session
from moto import mock_aws
from moto.core.models import botocore_stubber
from moto.utilities.utils import get_partition

from . import models, product, quick_moto, wire
from .names import ACCOUNT, HOME, IN_MEMBER


@contextmanager
def in_memory(region: str = "us-east-1", executions: bool = True) -> Iterator[wire.Wire]:
    """Have an empty account, and the wire from Trivet, which is at home, to it.

    Args:
        region: Trivet's; its partition is the account's.
        executions: whether Step Functions executions really run.

    Raises:
        AssertionError: in the end, if the wire saw a call that the real AWS would not accept.
    """
    assert not botocore_stubber.enabled, "one AWS at a time: moto has but one memory"
    settings: Any = {
        "stepfunctions": {"execute_state_machine": executions},
        "iam": {"load_aws_managed_policies": True},
    }
    product.forget_account()
    _clients.clear()
    with (
        patch.dict(os.environ, {"AWS_DEFAULT_REGION": region}),
        quick_moto.installed(),
        mock_aws(config=settings),
        # Executions that really run make clients of any service, which Trivet's session has not.
        patch.object(boto3, "DEFAULT_SESSION", boto3.Session(botocore_session=_session())),
        wire.installed() as installed,
        patch.dict(os.environ, _home_credentials(region)),
    ):
        # For Trivet alone: moto's executions call services that Trivet's session knows no more.
        with patch.object(botocore.session, "get_session", _trivets_session):
            product.home()
        product.lock_by(Semaphore)
        yield installed
        if IN_MEMBER:
            assert _made_in(HOME) == [], "what is made is in the account of the environments alone"
    product.forget_account()
    assert list(unsendable(installed.calls)) == []


def unsendable(calls: wire.Calls) -> Iterator[str]:
    """Return what the real AWS, or the oldest SDK that Lambda may have, would not accept of calls.

    moto accepts it, and so does botocore. A test that means to send such calls forgets them.
    """
    for call in calls:
        yield from models.broken(call)
        yield from models.unknown_to_the_oldest(call)


def client(service: str, account: str | None = None, region: str | None = None) -> Any:
    """Return a client that works behind Trivet's back, in whichever AWS is in memory.

    Args:
        account: the id of the account; by default the one with what the service has: home with the
            table, else that of the environments.
        region: if it is not that of the account in memory.
    """
    region = region or os.environ["AWS_DEFAULT_REGION"]
    account = account or (HOME if service in _OF_HOME else ACCOUNT)
    if account == ACCOUNT:
        return _client(service, region)
    made = _clients.get((service, account, region))
    if made is None:
        given = _credentials(account, region)
        made = _clients[service, account, region] = _session().create_client(
            service,
            region_name=region,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )
    return made


_OF_HOME = ("dynamodb", "events")
_clients: dict[tuple[str, str, str], Any] = {}
"""Clients of the accounts that were entered, by service, id and region."""


def _credentials(account: str, region: str) -> Any:
    arn = f"arn:{get_partition(region)}:iam::{account}:role/any"
    entered = _client("sts", region).assume_role(RoleArn=arn, RoleSessionName="test")
    return entered["Credentials"]


def _home_credentials(region: str) -> dict[str, str]:
    """Return what the SDK finds in the environment where Trivet is."""
    if not IN_MEMBER:
        return {}
    given = _credentials(HOME, region)
    return {
        "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        "AWS_SESSION_TOKEN": given["SessionToken"],
    }


def _made_in(account: str) -> list[str]:
    """Return the ARNs of an account's roles, own policies and state machines."""
    iam, states = client("iam", account), client("stepfunctions", account)
    return [
        *(each["Arn"] for each in iam.list_roles()["Roles"]),
        *(each["Arn"] for each in iam.list_policies(Scope="Local")["Policies"]),
        *(each["stateMachineArn"] for each in states.list_state_machines()["stateMachines"]),
    ]


@cache
def _client(service: str, region: str) -> Any:
    """Return a client of the first account; making one takes longer than what it is for."""
    return _session().create_client(
        service,
        region_name=region,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


class _Session(botocore.session.Session):
    """A session that makes no client twice: to make one takes longer than what it is for."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[tuple[str, str, Any], Any] = {}

    def create_client(
        self, service_name: str, region_name: str | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        if args or kwargs.keys() - {"config"}:
            return super().create_client(service_name, region_name, *args, **kwargs)
        region = region_name or os.environ["AWS_DEFAULT_REGION"]
        key = (service_name, region, kwargs.get("config"))
        if key not in self._made:
            self._made[key] = super().create_client(service_name, region, **kwargs)
        return self._made[key]


@cache
def _session() -> botocore.session.Session:
    return botocore.session.Session()


def _trivets_session() -> botocore.session.Session:
    return _session_of(os.environ["AWS_ACCESS_KEY_ID"])


@cache
def _session_of(_access_key: str) -> botocore.session.Session:
    return _Session()
