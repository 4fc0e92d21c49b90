"""The embedded AWS: moto's server in a child process, set up to behave like AWS for Trivet.

It knows the AWS managed policies, it runs Step Functions executions for real, and it keeps
everything in memory: when the context ends, the process and all its state are gone. The calls
that an execution makes to other services stay inside it; nothing here reaches a network.

    with embedded_aws() as aws:
        subprocess.run([...], env=aws.environment)
"""

import logging
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from tools.child import ChildError, child_process, end_of_log
from tools.local_http import HOST, NoAnswerError, is_free, send

DEFAULT_REGION = "us-east-1"
SECONDS_TO_START = 30


@dataclass(frozen=True)
class EmbeddedAws:
    """A running embedded AWS.

    Attributes:
        endpoint: its URL, for every service alike.
        environment: a whole environment for a process that is to use it through the AWS SDK:
            the caller's own, with every AWS setting replaced.
    """

    endpoint: str
    environment: Mapping[str, str]

    def reset(self) -> None:
        """Forget everything that was created; settings stay."""
        _configure(self.endpoint, "/moto-api/reset", {})


@contextmanager
def embedded_aws(port: int = 0, region: str | None = None) -> Iterator[EmbeddedAws]:
    """Run an embedded AWS for as long as the context lasts.

    Args:
        port: the port to listen on at 127.0.0.1; 0 takes a free one.
        region: the region its clients get; by default AWS_DEFAULT_REGION, else us-east-1.

    Raises:
        ChildError: when it does not start within 30 seconds; the message holds the end of its log.
    """
    if port and not is_free(port):
        raise ChildError(f"the embedded AWS cannot start: port {port} is in use")
    region = region or os.environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION
    settings = {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}
    with (
        tempfile.TemporaryFile("w+") as log,
        child_process(
            "tools.embedded_aws:serve_moto",
            str(port),
            environment=without_aws(os.environ) | settings,
            stdout=subprocess.PIPE,
            stderr=log,
        ) as process,
    ):
        try:
            endpoint = f"http://{HOST}:{_announced_port(process)}"
            _configure(
                endpoint, "/moto-api/config", {"stepfunctions": {"execute_state_machine": True}}
            )
        except (ChildError, NoAnswerError) as error:
            raise ChildError(f"the embedded AWS did not start: {error}{end_of_log(log)}") from error
        yield EmbeddedAws(endpoint, without_aws(os.environ) | client_settings(endpoint, region))


def client_settings(endpoint: str, region: str) -> dict[str, str]:
    """Return the variables that make the AWS SDK use an endpoint, and nothing beside it."""
    return {
        "AWS_ACCESS_KEY_ID": "embedded",
        "AWS_SECRET_ACCESS_KEY": "embedded",
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def without_aws(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without its AWS and moto settings, and with no proxy to ourselves."""
    kept = {
        name: value
        for name, value in environment.items()
        if not name.startswith(("AWS_", "MOTO_", "BOTO_"))
    }
    not_proxied = [environment.get("no_proxy") or environment.get("NO_PROXY"), HOST, "localhost"]
    kept["no_proxy"] = kept["NO_PROXY"] = ",".join(filter(None, not_proxied))
    return kept


def serve_moto() -> None:
    """Serve moto on the port in `sys.argv[1]` and print the port; the entry point of the child."""
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server(
        HOST,
        int(sys.argv[1]),
        DomainDispatcherApplication(create_backend_app),
        threaded=True,
        request_handler=MotoRequestHandler,
    )
    # Where moto's Step Functions send the calls of an execution; otherwise to port 5000.
    os.environ["MOTO_PORT"] = str(server.server_port)
    print(server.server_port, flush=True)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    server.serve_forever()


def _announced_port(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], SECONDS_TO_START)
    if not ready:
        raise ChildError(f"nothing heard from it in {SECONDS_TO_START} s")
    announcement = process.stdout.readline().strip()
    if not announcement:
        raise ChildError("it ended at once")
    return int(announcement)


def _configure(endpoint: str, path: str, body: dict[str, object]) -> None:
    answer = send("POST", endpoint + path, body)
    if answer.status >= 300:
        raise ChildError(f"POST {path} was answered {answer.status}: {answer.body}")
