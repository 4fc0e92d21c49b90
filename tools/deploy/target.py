"""Where a deployment goes, and what it consists of: actions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3

from tools.deploy.preflight import variables
from tools.operations.names import APP


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do.

    Attributes:
        line: what it is, for the one who deploys.
        do: does it; raises botocore's errors.
    """

    line: str
    do: Callable[[], Any]


Actions = Iterator[Action]


@dataclass(frozen=True)
class Target:
    """A stage in the account and region of the deployer's credentials.

    Attributes:
        planning: nothing is to be changed.
        settings: parameters of the operations stack that the deployer gave.
    """

    stage: str
    repository: Path
    planning: bool = False
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def app(self) -> str:
        """The name that the functions' names begin with."""
        return f"{APP}-{self.stage}"

    @cached_property
    def _session(self) -> Any:
        return boto3.Session()

    def client(self, service: str) -> Any:
        """Return a client of an AWS service, with the SDK's standard settings."""
        return self._session.client(service)

    @cached_property
    def _caller(self) -> Any:
        return self.client("sts").get_caller_identity()

    def arn(self, service: str, resource: str, region: str = "") -> str:
        """Return the ARN of something in the deployer's account."""
        partition = self._caller["Arn"].split(":")[1]
        return f"arn:{partition}:{service}:{region}:{self._caller['Account']}:{resource}"

    @cached_property
    def variables(self) -> dict[str, str]:
        """The environment variables of the stage's functions."""
        return variables(self.stage, self.repository)

    def api_id(self) -> str | None:
        """Return the id of the REST API that has this stage, if there is one."""
        client = self.client("apigateway")
        for page in client.get_paginator("get_rest_apis").paginate():
            for api in page["items"]:
                if api["name"] == APP and self._has_stage(client, api["id"]):
                    return str(api["id"])
        return None

    def _has_stage(self, client: Any, api_id: str) -> bool:
        stages = client.get_stages(restApiId=api_id)["item"]
        return any(each["stageName"] == self.stage for each in stages)
