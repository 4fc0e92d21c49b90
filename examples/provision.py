"""Declare an environment and print the ARN of its notebook role, through a generated client.

The client is made once, from the API's description of itself, and lies beside this file:

    curl "$TRIVET_URL/openapi.json" --aws-sigv4 "aws:amz:$AWS_DEFAULT_REGION:execute-api" \
        --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
        -H "x-amz-security-token: $AWS_SESSION_TOKEN" -o openapi.json
    openapi-python-client generate --path openapi.json --meta none --output-path trivet_client

Needs openapi-python-client and botocore.

    python provision.py NAME ['{"profile": "scoped"}']

Safe to repeat: the same call again changes nothing, or goes on where the last one ended.
"""

import json
import os
import sys
import time
from collections.abc import Generator

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.session import Session
from trivet_client import Client
from trivet_client.api.environments import get_environment, put_environment
from trivet_client.models import Declare, Environment, SmokeTestStatus

UNDER_WAY = {SmokeTestStatus.PENDING, SmokeTestStatus.RUNNING}


class SigV4(httpx.Auth):
    """Signs each request with the caller's own AWS credentials."""

    requires_request_body = True

    def __init__(self) -> None:
        session = Session()
        credentials = session.get_credentials()
        if credentials is None:
            sys.exit("No AWS credentials were found.")
        region = session.get_config_variable("region")
        self._signer = SigV4Auth(credentials, "execute-api", region)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign a request, its body included."""
        to_sign = AWSRequest(request.method, str(request.url), data=request.content)
        self._signer.add_auth(to_sign)
        request.headers.update(dict(to_sign.headers))
        yield request


def main(name: str, body: str = "{}") -> int:
    """Declare the environment, wait for its smoke test, and print the ARN."""
    url = os.environ["TRIVET_URL"]
    client = Client(url, timeout=httpx.Timeout(60), httpx_args={"auth": SigV4()})
    declared = Declare.from_dict(json.loads(body))
    environment = put_environment.sync(name, client=client, body=declared)
    while isinstance(environment, Environment) and environment.smoke_test.status in UNDER_WAY:
        time.sleep(5)
        environment = get_environment.sync(name, client=client)
    if not isinstance(environment, Environment):
        print(environment.detail if environment else "no answer of Trivet's", file=sys.stderr)
        return 1
    if environment.smoke_test.status is not SmokeTestStatus.SUCCEEDED:
        print(f"{name}: the smoke test failed", file=sys.stderr)
        return 1
    print(environment.roles["notebook"].arn)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
