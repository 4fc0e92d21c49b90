"""AWS in memory: moto in this process, with AWS's own managed policies.

The home account is there from the start. Another one comes to be when somebody assumes a role in
it, and has a memory of its own.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from functools import cache
from typing import Any
from unittest.mock import patch

import botocore.session
from moto import mock_aws
from moto.core import responses
from moto.core.models import botocore_stubber
from moto.iam import models

from . import product, wire
from .names import ACCOUNT

_USED_BY_TESTS = {
    "AdministratorAccess",
    "AWSGlueConsoleFullAccess",
    "IAMFullAccess",
    "PowerUserAccess",
    "ReadOnlyAccess",
}


_METHOD_NAMES = cache(vars(responses)["method_names_from_class"])
"""moto lists a class's methods anew at every call."""


@contextmanager
def in_memory(region: str = "us-east-1", executions: bool = True) -> Iterator[wire.Wire]:
    """Have an empty home account, and the wire from Trivet to it.

    Args:
        region: Trivet's; its partition is the account's.
        executions: whether Step Functions executions really run.
    """
    assert not botocore_stubber.enabled, "one AWS at a time: moto has but one memory"
    settings: Any = {
        "stepfunctions": {"execute_state_machine": executions},
        "iam": {"load_aws_managed_policies": True},
    }
    product.forget_account()
    with (
        patch.dict(os.environ, {"AWS_DEFAULT_REGION": region}),
        patch.object(models.IAMBackend, "_init_aws_policies", _managed_policies),
        patch.object(responses, "method_names_from_class", _METHOD_NAMES),
        patch.object(botocore.session, "get_session", _session),
        mock_aws(config=settings),
        wire.installed() as installed,
    ):
        yield installed
    product.forget_account()


def client(service: str, account: str = ACCOUNT, region: str | None = None) -> Any:
    """Return a client that works behind Trivet's back, in whichever AWS is in memory.

    Args:
        account: the id of the account; another one than home is entered by STS AssumeRole.
        region: if it is not that of the account in memory.
    """
    region = region or os.environ["AWS_DEFAULT_REGION"]
    if account == ACCOUNT:
        return _session().create_client(service, region_name=region)
    arn = f"arn:{'aws-cn' if region.startswith('cn-') else 'aws'}:iam::{account}:role/any"
    given = client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    return _session().create_client(
        service,
        region_name=region,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )


class _Session(botocore.session.Session):
    """A session that makes no client of the home account twice.

    Making one takes longer than what it is for.
    """

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
    return _Session()


def _managed_policies(backend: models.IAMBackend) -> list[models.ManagedPolicy]:
    """Return those of AWS's managed policies that the templates and tests name.

    moto builds all 1,582 anew for each account, which takes longer than most tests.
    """
    return [copy(each) for each in _made(backend.account_id, backend.region_name)]


@cache
def _made(account: str, region: str) -> list[models.ManagedPolicy]:
    known = json.loads(vars(models)["aws_managed_policies_data"])
    used = _USED_BY_TESTS | product.managed_policies()
    return [
        models.AWSManagedPolicy.from_data(name, account, region, known[name])
        for name in sorted(used & known.keys())
    ]
