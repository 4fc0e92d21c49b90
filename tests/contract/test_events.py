"""An event that API Gateway would not make is refused, and nothing is asked of AWS for it."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.kit import product
from tests.kit.http import Context, on_lambda, request_event
from tests.kit.wire import Wire

PATH = "/environments/lake"
LEAVING_OUT: dict[str, Callable[[dict[str, Any]], Any]] = {
    "everything": lambda event: event.clear(),
    "the request's context": lambda event: event.pop("requestContext"),
    "the route": lambda event: event["requestContext"].pop("resourcePath"),
    "the method": lambda event: event["requestContext"].pop("httpMethod"),
    "who signed it": lambda event: event["requestContext"].pop("identity"),
    "the headers": lambda event: event.pop("headers"),
    "the body": lambda event: event.pop("body"),
}


@pytest.mark.parametrize("what", LEAVING_OUT)
def test_an_event_without_api_gateways_shape_is_refused(cloud: Wire, what: str) -> None:
    event = request_event("PUT", PATH, {"wait": 0})
    LEAVING_OUT[what](event)

    try:
        status = product.app(event, Context())["statusCode"]
    except KeyError:  # Chalice misses it: Lambda answers with an error of the function.
        status = 500

    assert status in (403, 500)
    assert cloud.calls == []


def test_an_event_of_eventbridge_is_no_request(cloud: Wire) -> None:
    event = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}

    assert product.app(event, Context())["statusCode"] == 500
    assert cloud.calls == []


@pytest.mark.home
def test_a_well_forged_event_is_answered_as_a_request(cloud: Wire) -> None:
    """Whoever may invoke the function is every caller: nothing in the event tells."""
    anybody = "arn:aws:iam::999999999999:role/Anybody"

    answer = on_lambda("PUT", PATH, {"wait": 0}, caller=anybody)

    assert (answer.status, answer.body["created_by"]) == (201, anybody)
    assert "CreateRole" in cloud.calls.names
