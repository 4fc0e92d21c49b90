"""The program of main.tf's data source: a query as JSON in, the roles' ARNs by key out.

Needs botocore, which signs. Terraform shows what goes to standard error.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.session import Session


def put(name: str, declaration: str) -> Any:
    """Declare an environment, and return its document."""
    session = Session()
    credentials = session.get_credentials()
    if credentials is None:
        sys.exit("No AWS credentials were found.")
    url = f"{os.environ['TRIVET_URL']}/environments/{name}"
    request = AWSRequest("PUT", url, {"Content-Type": "application/json"}, declaration.encode())
    region = session.get_config_variable("region")
    SigV4Auth(credentials, "execute-api", region).add_auth(request)
    sent = urllib.request.Request(url, request.data, dict(request.headers), method="PUT")
    try:
        with urllib.request.urlopen(sent, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        sys.exit(json.load(error).get("detail", str(error)))


query = json.load(sys.stdin)
environment = put(query["name"], query["declaration"])
json.dump({key: role["arn"] for key, role in environment["roles"].items()}, sys.stdout)
