"""A MiniStack a module, with Trivet's functions at home; and the API as the function has it."""

from collections.abc import Callable, Iterator

import pytest

from tests.kit import product
from tests.kit.http import Api
from tests.kit.wire import Wire
from tests.ministack.stack import PYTHON, STAGE, MiniStack, make_functions_roles, ministack


@pytest.fixture(scope="module")
def aws() -> Iterator[MiniStack]:
    """MiniStack, with the roles of Trivet's functions in its home account."""
    if not PYTHON.exists():
        pytest.skip(f"{PYTHON} is not there: make soak sets it up")
    with ministack() as running:
        make_functions_roles(running)
        yield running


@pytest.fixture
def become(aws: MiniStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """A function that has this process be one of Trivet's functions, by its role's name."""

    def turned(function: str) -> None:
        for name, value in aws.environment(function).items():
            monkeypatch.setenv(name, value)
        product.forget_account()

    yield turned
    product.forget_account()


@pytest.fixture
def api(become: Callable[[str], None]) -> Api:
    """The API over MiniStack, with the rights of the function that serves it."""
    become(f"trivet-{STAGE}-api_handler")
    return Api(Wire())
