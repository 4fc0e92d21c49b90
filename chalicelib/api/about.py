"""The routes about Trivet itself: its health, its profiles, and the OpenAPI document."""

from chalice.app import Blueprint

from chalicelib import VERSION
from chalicelib.api import openapi, schemas
from chalicelib.api.endpoints import Answer, Call, endpoint
from chalicelib.catalogue.profile import Profile
from chalicelib.errors import NotFound, TrivetError, Unavailable

blueprint = Blueprint(__name__)

_TAG = "about"


@endpoint(blueprint, "GET", "/health", name="getHealth", tag=_TAG, answers={200: schemas.Health})
def get_health(call: Call) -> Answer:
    """Tell that Trivet reaches AWS, and as whom."""
    try:
        place = call.installation.home.ask_place()
    except TrivetError as error:
        raise Unavailable(str(error)) from error
    return Answer(schemas.Health("ok", place.account_id, place.partition, place.region, VERSION))


@endpoint(
    blueprint, "GET", "/profiles", name="listProfiles", tag=_TAG, answers={200: schemas.Profiles}
)
def list_profiles(call: Call) -> Answer:
    """List the profiles that this deployment allows."""
    catalogue = call.installation.catalogue
    offered = [_document(each, catalogue.default) for each in catalogue.offered]
    return Answer(schemas.Profiles(offered))


@endpoint(
    blueprint,
    "GET",
    "/profiles/{profile}",
    name="getProfile",
    tag=_TAG,
    answers={200: schemas.ProfileDocument},
    problems=(404,),
)
def get_profile(call: Call, profile: str) -> Answer:
    """Show one profile."""
    catalogue = call.installation.catalogue
    if profile not in catalogue.allowed:
        raise NotFound(
            f"There is no profile {profile[:100]!r}. There are: {', '.join(catalogue.allowed)}."
        )
    return Answer(_document(catalogue.profile(profile), catalogue.default))


@endpoint(blueprint, "GET", "/openapi.json", name="getOpenapi", tag=_TAG, answers={200: None})
def get_openapi(_: Call) -> Answer:
    """Show this API as an OpenAPI 3.1 document."""
    return Answer(openapi.document())


def _document(profile: Profile, default: str) -> schemas.ProfileDocument:
    return schemas.ProfileDocument(
        name=profile.name,
        description=profile.description,
        default=profile.name == default,
        roles=list(profile.roles),
        parameters={
            name: schemas.ParameterDocument(
                each.description,
                each.pattern,
                each.default if isinstance(each.default, str) else list(each.default),
            )
            for name, each in profile.parameters.items()
        },
    )
