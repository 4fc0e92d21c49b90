"""Declare an environment and print the ARN of its notebook role. Needs botocore alone.

    python provision.py NAME ['{"profile": "scoped"}']

Safe to repeat: the same call again changes nothing, or goes on where the last one ended.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.session import Session


def ask(session: Session, method: str, path: str, body: Any = None) -> Any:
    """Send one signed request, and return the answer's document."""
    credentials = session.get_credentials()
    if credentials is None:
        sys.exit("No AWS credentials were found.")
    url = os.environ["TRIVET_URL"] + path
    data = None if body is None else json.dumps(body).encode()
    request = AWSRequest(method, url, {"Content-Type": "application/json"}, data)
    region = session.get_config_variable("region")
    SigV4Auth(credentials, "execute-api", region).add_auth(request)
    sent = urllib.request.Request(url, data, dict(request.headers), method=method)
    with urllib.request.urlopen(sent, timeout=60) as answer:
        return json.load(answer)


def main(name: str, body: str = "{}") -> int:
    """Declare the environment, wait for its smoke test, and print the ARN."""
    session = Session()
    path = f"/environments/{name}"
    try:
        environment = ask(session, "PUT", path, json.loads(body))
        while environment["smoke_test"]["status"] in {"pending", "running"}:
            time.sleep(5)
            environment = ask(session, "GET", path)
    except urllib.error.HTTPError as error:
        print(json.load(error).get("detail", error), file=sys.stderr)
        return 1
    if environment["smoke_test"]["status"] != "succeeded":
        print(f"{name}: the smoke test failed", file=sys.stderr)
        return 1
    print(environment["roles"]["notebook"]["arn"])
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
