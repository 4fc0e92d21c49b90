"""What is asked of AWS itself: a signature, and where the API is."""

import functools
import re
import urllib.parse
from typing import Any

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from trivet.errors import Unreachable

_SIGN_IN = "Sign in (aws sso login, aws login), or name a profile with AWS_PROFILE."


@functools.cache
def session() -> Session:
    """Return the session with the AWS SDK's standard credentials, profile and region."""
    return botocore.session.Session()


def signed(
    method: str,
    url: str,
    content: bytes | None,
    headers: dict[str, str],
    signer: Session | None = None,
) -> dict[str, str]:
    """Return the headers with those of SigV4 for `execute-api`.

    Args:
        signer: whose credentials sign; `session()` where it is left out.

    Raises:
        Unreachable: there are no credentials, or no region.
    """
    signer = signer or session()
    try:
        credentials = signer.get_credentials()
        if credentials is None:
            raise Unreachable(f"There are no AWS credentials to sign with. {_SIGN_IN}")
        frozen = credentials.get_frozen_credentials()
        region = _region(url, signer)
    except BotoCoreError as error:
        raise Unreachable(f"Your AWS credentials cannot be used: {error}. {_SIGN_IN}") from error
    request = AWSRequest(method=method, url=url, data=content, headers=headers)
    SigV4Auth(frozen, "execute-api", region).add_auth(request)
    return {name: str(value) for name, value in request.headers.items()}


def _region(url: str, signer: Session) -> str:
    """Return the region in the API's host name, else (a domain of one's own) the caller's."""
    host = urllib.parse.urlsplit(url).hostname or ""
    found = re.search(r"\.execute-api(?:-fips)?\.([a-z0-9-]+)\.", host)
    region = found[1] if found else signer.get_config_variable("region")
    if region is None:
        raise Unreachable(f"The region of {host} is needed to sign. Set AWS_DEFAULT_REGION to it.")
    return str(region)


def find_url(stage: str) -> str:
    """Find the URL of the API by its stage, in the caller's account and region.

    Chalice names the REST API `trivet`, and gives it the stage's name as API Gateway stage.

    Raises:
        Unreachable: AWS cannot be asked, or there is not exactly one such API.
    """
    try:
        client: Any = session().create_client("apigateway")
        pages = client.get_paginator("get_rest_apis").paginate()
        ids = [api["id"] for page in pages for api in page["items"] if api.get("name") == "trivet"]
        found = [
            api_id
            for api_id in ids
            for each in client.get_stages(restApiId=api_id)["item"]
            if each["stageName"] == stage
        ]
    except (BotoCoreError, ClientError) as error:
        raise Unreachable(
            f"The API of stage {stage} cannot be looked up in API Gateway: {error}. {_SIGN_IN} "
            "Or name the API itself with --url or TRIVET_URL."
        ) from error
    if len(found) != 1:
        have = (
            f"{len(found)} REST APIs named trivet have" if found else "No REST API named trivet has"
        )
        raise Unreachable(
            f"{have} a stage {stage} in {client.meta.region_name}, in the account of your "
            "credentials. Check AWS_PROFILE and AWS_DEFAULT_REGION, or name the API itself with "
            "--url or TRIVET_URL."
        )
    # apigateway.REGION.SUFFIX answers, whatever the partition's suffix is.
    place = client.meta.endpoint_url.removeprefix("https://apigateway.")
    return f"https://{found[0]}.execute-api.{place}/{stage}"
