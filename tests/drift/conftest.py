"""A fresh account for each test, with a wire to it that records and a clock of its own."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.world import World, fresh

from .support import client


@pytest.fixture
def world() -> Iterator[World]:
    """An empty account and the API over it."""
    with fresh() as made:
        yield made


@pytest.fixture
def iam(world: World) -> Any:
    """IAM behind Trivet's back."""
    return client("iam")


@pytest.fixture
def states(world: World) -> Any:
    """Step Functions behind Trivet's back."""
    return client("stepfunctions")


@pytest.fixture
def dynamodb(world: World) -> Any:
    """DynamoDB behind Trivet's back."""
    return client("dynamodb")
