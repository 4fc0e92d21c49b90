"""The routes about Trivet itself: its health, and the OpenAPI document."""

from chalice.app import Blueprint

from chalicelib import VERSION
from chalicelib.api import openapi, schemas
from chalicelib.api.endpoints import Answer, Call, endpoint
from chalicelib.aws import own_account
from chalicelib.errors import TrivetError, Unavailable

blueprint = Blueprint(__name__)


@endpoint(blueprint, "GET", "/health", answers={200: schemas.Health})
def get_health(_: Call) -> Answer:
    """Tell that Trivet reaches AWS, and as whom."""
    try:
        place = own_account().ask_place()
    except TrivetError as error:
        raise Unavailable(str(error)) from error
    return Answer(schemas.Health("ok", place.account_id, place.partition, place.region, VERSION))


@endpoint(blueprint, "GET", "/openapi.json", answers={200: None})
def get_openapi(_: Call) -> Answer:
    """Show this API as an OpenAPI 3.1 document."""
    return Answer(openapi.document())
