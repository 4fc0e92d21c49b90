"""AWS in memory: moto in this process, with AWS's own managed policies.

The home account is there from the start. Another one comes to be when somebody assumes a role in
it, and has a memory of its own.
"""

import copy
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Semaphore
from typing import Any
from unittest.mock import patch

import botocore.session
from botocore.loaders import create_loader
from moto import mock_aws
from moto.core.models import botocore_stubber
from moto.dynamodb.models.table import Table
from moto.iam import models as moto_iam
from moto.kms import models as kms

from . import models, product, wire
from .names import ACCOUNT

_USED_BY_TESTS = {
    "AdministratorAccess",
    "AWSGlueConsoleFullAccess",
    "IAMFullAccess",
    "PowerUserAccess",
    "ReadOnlyAccess",
}


@contextmanager
def in_memory(region: str = "us-east-1", executions: bool = True) -> Iterator[wire.Wire]:
    """Have an empty home account, and the wire from Trivet to it.

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
    with (
        patch.dict(os.environ, {"AWS_DEFAULT_REGION": region}),
        patch.object(moto_iam, "aws_managed_policies_data", _few_managed_policies()),
        patch.object(botocore.session, "get_session", _session),
        patch.object(Table, "__deepcopy__", _copy_of_table, create=True),
        patch.object(kms, "generate_private_key", _private_key),
        mock_aws(config=settings),
        wire.installed() as installed,
    ):
        product.lock_by(Semaphore)
        yield installed
    product.forget_account()
    assert list(_unsendable(installed.calls)) == []


def _unsendable(calls: wire.Calls) -> Iterator[str]:
    """Return what the real AWS, or the oldest SDK that Lambda may have, would not accept of calls.

    moto accepts it, and so does botocore. A test that means to send such calls forgets them.
    """
    for call in calls:
        yield from models.broken(call)
        yield from models.unknown_to_the_oldest(call)


def client(service: str, account: str = ACCOUNT, region: str | None = None) -> Any:
    """Return a client that works behind Trivet's back, in whichever AWS is in memory.

    Args:
        account: the id of the account; another one than home is entered by STS AssumeRole.
        region: if it is not that of the account in memory.
    """
    region = region or os.environ["AWS_DEFAULT_REGION"]
    if account == ACCOUNT:
        return _client(service, region)
    arn = f"arn:{'aws-cn' if region.startswith('cn-') else 'aws'}:iam::{account}:role/any"
    given = client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    return _session().create_client(
        service,
        region_name=region,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )


@cache
def _client(service: str, region: str) -> Any:
    """Return a client of the home account; making one takes longer than what it is for."""
    return _session().create_client(service, region_name=region)


def _copy_of_table(table: Any, memo: Any) -> Any:
    """Return what moto puts back when a transaction fails.

    It copies the table for each row that a transaction writes, every value in it too, which takes
    longer than all else. Here rows are shared: what Trivet's transactions update stands first, and
    alone has a condition, so that no update ever has to be taken back.
    """
    copied = copy.copy(table)
    copied.items = defaultdict(dict, {key: dict(rows) for key, rows in table.items.items()})
    return copied


_new_private_key: Any = vars(kms)["generate_private_key"]


@cache
def _private_key(kind: str) -> Any:
    """Return a key for moto's encrypted tables, which encrypt nothing; making one takes long."""
    return _new_private_key(kind)


_LOADER = create_loader()


def _session() -> botocore.session.Session:
    """Return a session of its own, whose description of AWS's services was read once."""
    session = botocore.session.Session()
    session.register_component("data_loader", _LOADER)
    return session


@cache
def _few_managed_policies() -> str:
    """Return those of AWS's managed policies that the templates and tests name.

    moto builds all 1,582 anew for each account, which takes longer than most tests.
    """
    known = json.loads(vars(moto_iam)["aws_managed_policies_data"])
    used = _USED_BY_TESTS | product.managed_policies()
    return json.dumps({name: known[name] for name in used if name in known})
