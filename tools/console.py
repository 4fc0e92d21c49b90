"""`make console`: the console over an embedded AWS with a few environments, until Ctrl-C.

The environments are in different states, as an operator meets them: one ready, one scoped and
protected, one to which somebody gave more, one that somebody opened and whose smoke test fails.
"""

import os
import sys
from typing import IO, TYPE_CHECKING, Any

import boto3

from tools.child import REPOSITORY, ChildError, child_process
from tools.embedded_aws import EmbeddedAws, embedded_aws
from tools.local_api import local_api
from tools.local_http import send
from tools.until_stopped import port_of_command_line, run

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

DECLARED: dict[str, dict[str, Any]] = {
    "datalake-consumer-dev": {"tags": {"team": "datalake"}},
    "mlops-prod": {
        "profile": "scoped",
        "parameters": {"buckets": ["mlops-lake", "mlops-prod-*"]},
        "tags": {"team": "mlops"},
        "deletion_protection": True,
    },
    "analytics-test": {"tags": {"team": "analytics"}, "on_extras": "report"},
    "reporting-lab": {"tags": {"team": "reporting"}},
}
OPENED = """{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
    "Principal": {"AWS": "arn:aws:iam::123456789012:root"}}]}"""


def console(port: int) -> int:
    """Serve the console until SIGINT or SIGTERM; return the exit status."""

    def serving(log: IO[str]) -> int:
        with embedded_aws() as aws, local_api(aws.environment, log=log) as (url, _):
            print("Making a few environments ...", flush=True)
            furnish(url, aws)
            print(f"The API listens on {url}; its logs: {log.name}")
            print("Everything is kept in memory and is gone when this ends.\n", flush=True)
            with child_process(
                "tools.console:serve_console",
                *("console", "--port", str(port)),
                environment={**aws.environment, "TRIVET_URL": url},
            ) as process:
                return process.wait()

    return run("console", port, serving)


def furnish(url: str, aws: EmbeddedAws) -> None:
    """Make the environments, and bring them into their states.

    Raises:
        ChildError: the API answered otherwise than it should.
    """
    for name, declaration in DECLARED.items():
        _ask(url, "PUT", f"/environments/{name}", declaration)
    iam = _iam(aws)
    iam.attach_role_policy(
        RoleName="analytics-test-LambdaTriggerStepFunc",
        PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess",
    )
    _ask(url, "POST", "/drift-runs")
    iam.update_assume_role_policy(RoleName="reporting-lab-SageMaker", PolicyDocument=OPENED)
    _ask(url, "POST", "/environments/reporting-lab/smoke-test")
    _ask(url, "POST", "/drift-runs", {"apply": False})


def serve_console() -> None:
    """Run the command line with `sys.argv`; the entry point of the child."""
    sys.path.insert(0, str(REPOSITORY / "cli"))
    from trivet.main import main

    main()


def _iam(aws: EmbeddedAws) -> "IAMClient":
    os.environ.update(
        {name: each for name, each in aws.environment.items() if name.startswith("AWS_")}
    )
    return boto3.client("iam")


def _ask(url: str, method: str, path: str, body: dict[str, Any] | None = None) -> None:
    answer = send(method, url + path, body)
    if answer.status not in {200, 201}:
        raise ChildError(f"{method} {path} was answered {answer.status}: {answer.body}")


if __name__ == "__main__":
    sys.exit(console(port_of_command_line("console", __doc__, 8765)))
