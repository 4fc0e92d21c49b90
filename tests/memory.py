"""An AWS account in memory: moto in this process, with AWS's own managed policies."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any
from unittest.mock import patch

from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber
from moto.iam import models

from chalicelib import aws, templates

_USED_BY_TESTS = {
    "AdministratorAccess",
    "AWSGlueConsoleFullAccess",
    "IAMFullAccess",
    "PowerUserAccess",
    "ReadOnlyAccess",
}


def keep_few_managed_policies() -> None:
    """Have moto know only those of AWS's managed policies that the templates and tests name.

    It builds all 1,582 anew for each account, which takes longer than most tests.
    """
    held = vars(models)
    known = json.loads(held["aws_managed_policies_data"])
    used = _USED_BY_TESTS.union(templates.load().aws_managed_policies())
    few = {name: known[name] for name in used if name in known}
    held["aws_managed_policies_data"] = json.dumps(few)


@contextmanager
def account_in_memory(executions: bool = True) -> Iterator[None]:
    """Have an empty account.

    Args:
        executions: whether Step Functions executions really run.
    """
    aws.own_account.cache_clear()
    settings: Any = {
        "stepfunctions": {"execute_state_machine": executions},
        "iam": {"load_aws_managed_policies": True},
    }
    with mock_aws(config=settings), _one_call_at_a_time():
        yield
    aws.own_account.cache_clear()


@contextmanager
def _one_call_at_a_time() -> Iterator[None]:
    """Have moto work on one call at a time: its dictionaries are not made for threads."""
    lock, process = RLock(), BotocoreStubber.process_request

    def locked(stubber: Any, request: Any) -> Any:
        with lock:
            return process(stubber, request)

    with patch.object(BotocoreStubber, "process_request", locked):
        yield
