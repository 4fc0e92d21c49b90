"""Every error that AWS declares for a call of Trivet's is known by its code."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.loaders import create_loader
from botocore.model import OperationModel, ServiceModel

from chalicelib.aws import answers

SERVICES = ("dynamodb", "events", "iam", "stepfunctions", "sts")
PRODUCT = Path(answers.__file__).parent.parent


def called() -> Iterator[OperationModel]:
    """Return the operations whose methods, or paginators' names, are in Trivet's code."""
    text = "".join(path.read_text() for path in PRODUCT.rglob("*.py"))
    words = set(re.findall(r"[.\"](\w+)", text))
    for service in SERVICES:
        model = ServiceModel(create_loader().load_service_model(service, "service-2"), service)
        for name in model.operation_names:
            if xform_name(name) in words:
                yield model.operation_model(name)


OPERATIONS = {each.name: each for each in called()}


def test_the_operations_are_found() -> None:
    assert {"CreateRole", "CreateStateMachine", "TransactWriteItems", "PutEvents"} <= set(
        OPERATIONS
    )
    assert "SimulatePrincipalPolicy" in OPERATIONS


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_declared_code_is_known_by_name(name: str) -> None:
    declared = {
        each.metadata.get("error", {}).get("code", each.name)
        for each in OPERATIONS[name].error_shapes
    }
    assert declared <= answers.KNOWN
