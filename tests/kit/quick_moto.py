"""What moto takes long for, and tests need no more of: most tests are quicker than that."""

import copy
import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

from moto.core import responses
from moto.dynamodb.models.table import Table
from moto.iam import models as iam
from moto.kms import models as kms

from . import product

_USED_BY_TESTS = {
    "AdministratorAccess",
    "AWSGlueConsoleFullAccess",
    "IAMFullAccess",
    "PowerUserAccess",
    "ReadOnlyAccess",
}


@contextmanager
def installed() -> Iterator[None]:
    """Have moto do without."""
    with ExitStack() as patched:
        for where, name, what in (
            (iam.IAMBackend, "_init_aws_policies", _managed_policies),
            (responses, "method_names_from_class", _METHOD_NAMES),
            (Table, "__deepcopy__", _copy_of_table),
            (kms, "generate_private_key", _PRIVATE_KEY),
        ):
            patched.enter_context(patch.object(where, name, what, create=where is Table))
        yield


_METHOD_NAMES = cache(vars(responses)["method_names_from_class"])
"""moto lists a class's methods anew at every call."""

_PRIVATE_KEY = cache(vars(kms)["generate_private_key"])
"""A key for moto's encrypted tables, which encrypt nothing."""


def _managed_policies(backend: iam.IAMBackend) -> list[iam.ManagedPolicy]:
    """Return those of AWS's managed policies that the templates and tests name.

    moto makes all 1,582 anew for each account.
    """
    return [copy.copy(each) for each in _made(backend.account_id, backend.region_name)]


@cache
def _made(account: str, region: str) -> list[iam.ManagedPolicy]:
    return [
        iam.AWSManagedPolicy.from_data(name, account, region, data)
        for name, data in _used().items()
    ]


@cache
def _used() -> dict[str, Any]:
    known = json.loads(vars(iam)["aws_managed_policies_data"])
    used = _USED_BY_TESTS | product.managed_policies()
    return {name: known[name] for name in sorted(used & known.keys())}


def _copy_of_table(table: Any, memo: Any) -> Any:
    """Return what moto puts back when a transaction fails.

    It copies the table for each row that a transaction writes, every value in it too. Here rows
    are shared: what Trivet's transactions update stands first, and alone has a condition, so that
    no update ever has to be taken back.
    """
    copied = copy.copy(table)
    # moto changes it in place.
    copied.continuous_backups = dict(table.continuous_backups)
    copied.items = defaultdict(dict, {key: dict(rows) for key, rows in table.items.items()})
    return copied
