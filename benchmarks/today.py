"""Today's ways, measured: each function in a process of its own (`measuring.measure`)."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import boto3
from botocore.config import Config
from msgspec.structs import replace

from benchmarks import procedure, role_by_role
from benchmarks.cloud import PLACE
from benchmarks.measuring import Sample, report, sample
from chalicelib import templates
from chalicelib.model import Desired


def manual_procedure(names: Sequence[str]) -> list[Sample]:
    """Follow the appendix for new environments, one call after the other."""
    iam, states = boto3.client("iam"), boto3.client("stepfunctions")
    # A client connects on its first call, which shall not be one of those measured.
    iam.list_roles(MaxItems=1)
    states.list_state_machines(maxResults=1)
    return [
        sample(partial(procedure.follow, iam, states, desired)) for desired in map(_desired, names)
    ]


def fleet_role_by_role(names: Sequence[str], lanes: int) -> list[Sample]:
    """Check environments role by role; the result is the number of those in sync.

    Args:
        lanes: so many are read at a time, to save the reader's time. Each is timed by itself,
            and the times are added up, as if they had been read one after the other.
    """
    iam = boto3.client("iam", config=Config(max_pool_connections=lanes))
    fleet = [_desired(name) for name in names]

    def check(desired: Desired) -> tuple[float, bool]:
        start = time.perf_counter()
        found = role_by_role.drift(iam, desired)
        return time.perf_counter() - start, not found.all

    def check_all() -> list[tuple[float, bool]]:
        with ThreadPoolExecutor(lanes) as pool:
            return list(pool.map(check, fleet))

    checked = sample(check_all)
    return [
        replace(
            checked,
            seconds=sum(seconds for seconds, _ in checked.result),
            in_sequence=checked.call_count,
            result=sum(in_sync for _, in_sync in checked.result),
        )
    ]


def one_drift_each(names: Sequence[str]) -> list[Sample]:
    """Detach a policy from one role of each environment, behind Trivet's back."""
    iam = boto3.client("iam", config=Config(max_pool_connections=8))
    policy = "arn:aws:iam::aws:policy/AmazonS3FullAccess"

    def detach(name: str) -> None:
        role = _desired(name).role("notebook").name
        iam.detach_role_policy(RoleName=role, PolicyArn=policy)

    def detach_all() -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(detach, names))

    return [sample(detach_all, latency=0)]


def _desired(name: str) -> Desired:
    return templates.load().render(name, PLACE, {}, None)


if __name__ == "__main__":
    report(globals())
