"""A fleet in which every environment drifted, and drift runs over it in bad weather."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from benchmarks import copies
from benchmarks.cloud import names

from .account import client
from .faults import Latency, Weather
from .world import World, fresh

API_GATEWAY = 29
"""Seconds after which nobody hears an answer."""

BAD: Mapping[str, float] = {"throttled": 0.2, "failing": 0.1, "unheard": 0.1}
"""A fifth of all calls throttled, a tenth failing, a tenth of the answers lost."""

S3 = "arn:aws:iam::aws:policy/AmazonS3FullAccess"

SECONDS_A_CALL = 0.05
"""What a call to AWS takes."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a drift run came to."""

    status: int
    seconds: float
    report: Mapping[str, Any]

    @property
    def counts(self) -> dict[str, int]:
        """Return how many environments were checked, and what became of them."""
        counted = {each: self.report[each] for each in ("checked", "repaired", "failed")}
        return {**counted, "not_reached": len(self.report["not_reached"])}


class Fleet:
    """A fleet in an account in memory, every call to which takes a while."""

    def __init__(self, world: World, size: int) -> None:
        self.world = world
        self.names = names(size)

    def drift(self) -> None:
        """Take a policy from a role of each, behind Trivet's back."""
        iam = client("iam")
        for name in self.names:
            with suppress(iam.exceptions.NoSuchEntityException):
                iam.detach_role_policy(RoleName=f"{name}-SageMaker", PolicyArn=S3)

    def in_order(self) -> int:
        """Return how many have the policy that `drift` takes."""
        iam = client("iam")
        attached = [
            iam.list_attached_role_policies(RoleName=f"{name}-SageMaker")["AttachedPolicies"]
            for name in self.names
        ]
        return sum(S3 in [each["PolicyArn"] for each in of_one] for of_one in attached)

    def seconds_of_a_look(self) -> float:
        """Return how long a call takes that looks at one of them."""
        began = self.world.clock.now()
        answer = self.world.get(f"/environments/{self.names[0]}/drift")
        assert answer.status == 200, answer
        return self.world.clock.now() - began

    def run(self) -> Run:
        """Check and repair them all, as a caller does."""
        began = self.world.clock.now()
        answer = self.world.post("/drift-runs")
        return Run(answer.status, self.world.clock.now() - began, answer.body)

    def run_in_bad_weather(self, seed: int) -> Run:
        """Check and repair them all, in the weather of this seed."""
        with self.world.wire.through(Weather(seed, BAD)):
            return self.run()


@contextmanager
def fleet(size: int, seconds_a_call: float = SECONDS_A_CALL) -> Iterator[Fleet]:
    """Have a fleet of which every environment drifted."""
    with fresh() as world:
        copies.fill(size)
        made = Fleet(world, size)
        made.drift()
        with world.wire.through(Latency(world.clock, seconds_a_call)):
            yield made
