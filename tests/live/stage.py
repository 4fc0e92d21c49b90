"""The stage that is tried, the throw-away environment, and what must not be left behind."""

import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from trivet.api import Api, Problem

_POLLED_EVERY = 5.0


class NotHere(Exception):
    """A step cannot be taken against this AWS; the message says why."""


@dataclass(frozen=True)
class Live:
    """A deployed stage, and AWS as the caller sees it.

    Attributes:
        client: makes a client of an AWS service, in a region or the caller's own.
        federated: returns the API for a caller of one policy statement alone; raises `NotHere`.
        refused: returns what AWS refused to Trivet's roles from then on; raises `NotHere`.
        now: returns seconds, from whenever.
    """

    api: Api
    client: Callable[..., Any]
    federated: Callable[[dict[str, str]], Api]
    refused: Callable[[], list[str]]
    now: Callable[[], float]
    sleep: Callable[[float], None]
    name: str = field(default_factory=lambda: f"live-{uuid.uuid4().hex[:8]}")

    @property
    def path(self) -> str:
        return f"/environments/{self.name}"

    @property
    def role(self) -> str:
        """The name of the notebook role."""
        return f"{self.name}-SageMaker"

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        return self.api.call(method, path, body).body

    def in_sync(self) -> bool:
        return bool(self.ask("GET", f"{self.path}/drift")["in_sync"])

    def until(self, holds: Callable[[], bool], seconds: float, what: str) -> float:
        """Wait for something outside of our hands, and return after how many seconds it was so."""
        began = self.now()
        while not holds():
            assert self.now() - began < seconds, f"{what}: not within {seconds:g} s"
            self.sleep(_POLLED_EVERY)
        return self.now() - began

    def clean(self) -> None:
        """Remove the throw-away environment, whatever became of it."""
        with suppress(Problem):
            self.ask("DELETE", f"{self.path}/deletion-protection")
        with suppress(Problem):
            self.ask("DELETE", self.path)

    def left(self) -> list[str]:
        """Return the ARNs of what there is under the throw-away name."""
        iam, states = self.client("iam"), self.client("stepfunctions")
        pages = (
            (iam.get_paginator("list_roles").paginate(), "Roles", "Arn"),
            (iam.get_paginator("list_policies").paginate(Scope="Local"), "Policies", "Arn"),
            (
                states.get_paginator("list_state_machines").paginate(),
                "stateMachines",
                "stateMachineArn",
            ),
        )
        found = [each[arn] for paged, key, arn in pages for page in paged for each in page[key]]
        return [arn for arn in found if self.name in arn]
