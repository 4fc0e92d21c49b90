"""Trivet over many accounts, measured: a run's steps, as the fleet's state machine takes them."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import boto3
from msgspec.structs import replace

from benchmarks.cloud import PLACE
from benchmarks.lambda_calls import request, step_of_fleet_run
from benchmarks.measuring import Sample, report, sample

STAGE = "bench"


def fleet_run(at_once: int) -> list[Sample]:
    """Do a run over all accounts; the result is its report.

    Args:
        at_once: accounts that are worked on side by side.
    """
    _deploy()
    run = request("POST", "/drift-runs", {"wait": 0})["id"]
    measured = sample(partial(_steps, run, at_once))
    return [replace(measured, result=request("GET", "/drift-runs/{run_id}", run_id=run))]


def _deploy() -> None:
    """Have this process be on Lambda, where there is a state machine that nothing runs."""
    # The table that was filled is that of a process outside Lambda.
    os.environ |= {
        "AWS_LAMBDA_FUNCTION_NAME": f"trivet-{STAGE}",
        "TRIVET_STAGE": STAGE,
        "TRIVET_TABLE": "trivet-local",
    }
    states: Any = boto3.client("stepfunctions")
    states.create_state_machine(
        name=f"trivet-{STAGE}-fleet",
        definition='{"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}',
        roleArn=f"{PLACE.iam}:role/fleet",
    )


def _steps(run: str, at_once: int) -> None:
    accounts = step_of_fleet_run("begin", run)["accounts"]
    with ThreadPoolExecutor(at_once) as children:
        list(children.map(lambda each: step_of_fleet_run("look", run, account_id=each), accounts))
    assert step_of_fleet_run("decide", run)["accounts"] == []
    step_of_fleet_run("conclude", run)


if __name__ == "__main__":
    report(globals())
