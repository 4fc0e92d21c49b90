"""Every error that AWS declares for a call of Trivet's is known by its code."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.model import OperationModel

from chalicelib.aws import answers
from tests.kit.models import NAMES, OLDEST, listed, model

PRODUCT = Path(answers.__file__).parent.parent


def called() -> Iterator[OperationModel]:
    """Return the operations whose methods, or paginators' names, are in Trivet's code."""
    text = "".join(path.read_text() for path in PRODUCT.rglob("*.py"))
    words = set(re.findall(r"[.\"](\w+)", text))
    for service in NAMES.values():
        described = model(service)
        for name in described.operation_names:
            if xform_name(name) in words:
                yield described.operation_model(name)


OPERATIONS = {f"{each.service_model.service_name}:{each.name}": each for each in called()}
KNOWN_TO_THE_OLDEST = json.loads(OLDEST.read_text())["operations"]


def test_the_operations_are_found() -> None:
    assert {"iam:CreateRole", "dynamodb:TransactWriteItems", "events:PutEvents"} <= set(OPERATIONS)
    assert "iam:SimulatePrincipalPolicy" in OPERATIONS


def test_the_oldest_sdk_knows_all_of_them() -> None:
    """An operation that is new to the list is to be looked up there: `test_oldest_sdk.py`."""
    assert set(KNOWN_TO_THE_OLDEST) == set(OPERATIONS)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_declared_code_is_known_by_name(name: str) -> None:
    declared = {*listed(OPERATIONS[name])["errors"], *KNOWN_TO_THE_OLDEST[name]["errors"]}
    assert declared <= answers.KNOWN
