"""The deployment that is looked at: its names, its clients, and what it was released with."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

from botocore.session import Session

Document = dict[str, Any]


@cache
def packaged() -> Document:
    """Return what this package was released with: policies, boundary, names, version."""
    text = files("trivet.doctor").joinpath("packaged.json").read_text()
    document: Document = json.loads(text)
    return document


@dataclass(frozen=True)
class Deployment:
    """A stage in the account and region of the caller's credentials.

    Attributes:
        ask: returns the API's document for a path, such as `/health`.
    """

    stage: str
    session: Session
    ask: Callable[[str], Mapping[str, Any]]

    @property
    def app(self) -> str:
        """What the names of the stage's resources begin with."""
        return f"trivet-{self.stage}"

    @property
    def functions(self) -> dict[str, str]:
        """The functions' names by their keys."""
        return {
            key: self.app + ("" if key == "api_handler" else f"-{key}")
            for key in packaged()["functions"]
        }

    @property
    def released(self) -> Document | None:
        """What the stage was released with; None for a stage of another checkout."""
        stages: dict[str, Document] = packaged()["stages"]
        return stages.get(self.stage)

    @property
    def table(self) -> str:
        """The table's name."""
        return str(self.released["table"]) if self.released else self.app

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}

    def client(self, service: str) -> Any:
        """Return the client of a service; one for all checks."""
        if service not in self._clients:
            self._clients[service] = self.session.create_client(service)
        return self._clients[service]

    @cached_property
    def _caller(self) -> Any:
        return self.client("sts").get_caller_identity()

    @property
    def partition(self) -> str:
        """The partition, such as `aws`."""
        return str(self._caller["Arn"].split(":")[1])

    @property
    def region(self) -> str:
        """The region."""
        return str(self.client("lambda").meta.region_name)

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of something in this account; IAM's have no region."""
        region = "" if service == "iam" else self.region
        return f"arn:{self.partition}:{service}:{region}:{self._caller['Account']}:{resource}"

    @cached_property
    def configurations(self) -> dict[str, Any]:
        """What Lambda tells of each function that is there, by the functions' keys."""
        client = self.client("lambda")
        told = {}
        for key, name in self.functions.items():
            try:
                told[key] = client.get_function_configuration(FunctionName=name)
            except client.exceptions.ResourceNotFoundException:
                continue
        return told
