"""`make serve`: the API on this machine over the embedded AWS, until Ctrl-C.

Prints one line per request; Trivet's logs and metrics go to a file that it names.
"""

import sys
from typing import IO

from tools.embedded_aws import embedded_aws
from tools.local_api import local_api
from tools.until_stopped import port_of_command_line, run

NAME = "datalake-consumer-dev"
EXAMPLES = """\
Provision an environment:

  curl -s -X POST {url}/environments \\
    -H 'Content-Type: application/json' \\
    -d '{{"name": "{name}", "tags": {{"team": "datalake"}}}}' | python3 -m json.tool

Cause drift by hand (any AWS SDK or CLI does; the embedded AWS takes any credentials):

  curl -s {aws} -d Action=DetachRolePolicy -d Version=2010-05-08 \\
    -d RoleName={name}-SageMaker -d PolicyArn=arn:aws:iam::aws:policy/AmazonS3FullAccess \\
    -H 'Authorization: AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/iam/aws4_request'

See it, and put it back:

  curl -s {url}/environments/{name}/drift | python3 -m json.tool
  curl -s -X POST {url}/environments/{name}/reapply | python3 -m json.tool
"""


def serve(port: int) -> int:
    """Serve until SIGINT or SIGTERM; return the exit status."""

    def serving(log: IO[str]) -> int:
        with (
            embedded_aws() as aws,
            local_api(aws.environment, port, log, show_requests=True) as (url, process),
        ):
            print(f"\nTrivet listens on {url}, over an embedded AWS at {aws.endpoint}.")
            print("Everything is kept in memory and is gone when this ends (Ctrl-C).")
            print(f"Logs and metrics: {log.name}\n")
            print(EXAMPLES.format(url=url, aws=aws.endpoint, name=NAME), flush=True)
            return process.wait()

    return run("serve", port, serving)


if __name__ == "__main__":
    sys.exit(serve(port_of_command_line("serve", __doc__, 8000)))
