"""The smoke test: does this environment's wiring work?

Three kinds of evidence, each a named check. Live: the state machine runs under its role. The other
two are in `flow.evidence`. It succeeds if the live check passed and none failed.

It can be left at any point and carried on later: what it knows is in `model.environment.SmokeTest`.
"""

import json
import random
from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError
from msgspec.structs import replace

from chalicelib.aws import answers
from chalicelib.aws.accounts import Target
from chalicelib.aws.answers import found
from chalicelib.errors import NotYet, Stale
from chalicelib.flow import evidence
from chalicelib.model import documents
from chalicelib.model.desired import Desired
from chalicelib.model.environment import Check, SmokeTest
from chalicelib.resources.change import AnyChange
from chalicelib.work import telemetry, threads
from chalicelib.work.operation import Operation

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import DescribeExecutionOutputTypeDef

GIVE_UP_AFTER = 300
"""Seconds after which a role that Step Functions cannot assume counts as wrong, not as new."""

_UNSEEN_FOR = 60
"""Seconds for which an execution just started may not be visible: DescribeExecution is eventually
consistent (https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html)."""

_LONGEST_PAUSE = 1.0
"""Seconds between two looks at an execution."""

_ASKED_AT_MOST = 4
"""How often evidence is asked for again while what was changed may not count everywhere yet."""

_OTHER_ROLE = " That is not this environment's role."

_RUNS_AT_MOST = 5
"""Executions of one smoke test, where some ran under an old definition or role."""


class Progress(msgspec.Struct):
    """How far a smoke test got, and what had to be made for it."""

    desired: Desired
    smoke_test: SmokeTest
    to_make: AnyChange | None
    """The change to the state machine that still has to be made."""
    made: list[AnyChange] = []
    unique_ids: dict[str, str] = {}
    runs: int = 0
    """Executions started here."""
    asked: int = 0
    """How often the other evidence was asked for here."""
    evidence: list[Future[list[Check]]] = []


def start(target: Target, desired: Desired, name: str) -> str | None:
    """Start an execution of the state machine.

    Args:
        name: of the execution; the same name starts no second one.

    Returns:
        The execution's ARN, or `None` where Step Functions does not see the machine yet.
    """
    machine = desired.state_machine
    arn = f"{machine.arn.replace(':stateMachine:', ':execution:', 1)}:{name}"
    try:
        answer = target.states.start_execution(stateMachineArn=machine.arn, name=name, input="{}")
    except (ClientError, BotoCoreError) as error:
        if answers.code_of(error) == "ExecutionAlreadyExists":
            # Started by this operation, and not heard of.
            return arn
        try:
            doing = f"starting an execution of {machine.name}"
            raise answers.translated(error, doing) from error
        except (Stale, NotYet):
            return None
    return answer["executionArn"]


def advance(target: Target, progress: Progress, current: Operation, until: float) -> None:
    """Carry the smoke test on, as far as it gets until then.

    Args:
        progress: is brought up to date.
        until: seconds since the epoch; one attempt at every step is made in any case.

    Raises:
        TrivetError: AWS refuses or fails; `progress` holds what was reached.
    """
    until, pause = min(until, current.deadline), 0.1
    while True:
        _make_and_start(target, progress, current)
        if progress.smoke_test.status == "running":
            _judge(target, progress, current, until - pause)
        if progress.smoke_test.finished or current.clock.now() + pause > until:
            break
        current.clock.sleep(pause * random.uniform(0.75, 1))  # noqa: S311
        pause = min(2 * pause, _LONGEST_PAUSE)
    if not progress.smoke_test.finished:
        checks = tuple(_waited(progress.evidence))
        progress.smoke_test = replace(progress.smoke_test, checks=checks)


def _judge(target: Target, progress: Progress, current: Operation, until: float) -> None:
    """Look at the execution, and conclude the smoke test where that can be done."""
    desired = progress.desired
    if not progress.evidence:
        progress.evidence = evidence.gather(target, desired)
        progress.asked += 1
    smoke_test, time_left = progress.smoke_test, current.clock.now() < until
    live = _live(target, desired, smoke_test, current.clock.now())
    if live is None:
        return
    outdated = _outdated(target, desired, smoke_test, live)
    if outdated and progress.runs < _RUNS_AT_MOST:
        # Right after a change Step Functions may still run what was there before it.
        telemetry.LOGGER.info("smoke test run again", extra={"reason": outdated})
        progress.smoke_test = replace(smoke_test, status="pending", execution_arn=None)
        return
    seen = _concluded(smoke_test, live, _waited(progress.evidence))
    may_be_early = live.status == "passed" and progress.asked < _ASKED_AT_MOST and time_left
    if seen.status == "failed" and may_be_early:
        # What was changed a moment ago may not count everywhere yet: ask again.
        progress.evidence = []
    else:
        _finish(progress, seen)


def _waited(gathered: Sequence[Future[list[Check]]]) -> list[Check]:
    return [check for checks in threads.waited(gathered) for check in checks]


def _concluded(smoke_test: SmokeTest, live: Check, others: Sequence[Check]) -> SmokeTest:
    """Return the smoke test with its verdict: the live check passed, and none failed."""
    checks = (live, *others)
    passed = live.status == "passed" and not any(check.status == "failed" for check in checks)
    return replace(smoke_test, status="succeeded" if passed else "failed", checks=checks)


def _make_and_start(target: Target, progress: Progress, current: Operation) -> None:
    """Make the state machine and start its execution, where that is still to be done."""
    smoke_test, desired = progress.smoke_test, progress.desired
    if progress.to_make is not None:
        try:
            outcome = progress.to_make.apply(target)
        except NotYet as error:
            if current.clock.now() - (smoke_test.since or 0) > GIVE_UP_AFTER:
                check = Check(_live_name(desired), "failed", not_yet_for_long(str(error)))
                _finish(progress, replace(smoke_test, status="failed", checks=(check,)))
            return
        telemetry.log_change(desired.name, progress.to_make.document())
        progress.made.append(progress.to_make)
        if outcome.unique_id is not None:
            progress.unique_ids[progress.to_make.resource] = outcome.unique_id
        progress.to_make = None
    if smoke_test.execution_arn is None:
        name = f"{current.id}-{progress.runs}" if progress.runs else current.id
        arn = start(target, desired, name)
        if arn is not None:
            progress.runs += 1
            now = current.clock.now()
            progress.smoke_test = replace(
                smoke_test, status="running", execution_arn=arn, started=now
            )


def not_yet_for_long(said: str) -> str:
    """Return what to say of a state machine that could not be made for minutes."""
    return (
        f"Step Functions still refuses after {GIVE_UP_AFTER} s: {said} Either the role is "
        "still spreading through AWS (run the smoke test again in a minute), or its trust policy "
        "or permissions are wrong (see GET .../drift)."
    )


def _finish(progress: Progress, smoke_test: SmokeTest) -> None:
    progress.smoke_test = smoke_test
    telemetry.count(
        "SmokeTestsSucceeded" if smoke_test.status == "succeeded" else "SmokeTestsFailed"
    )


def _live_name(desired: Desired) -> str:
    return f"a workflow runs under the {desired.state_machine.role} role"


def _live(target: Target, desired: Desired, smoke_test: SmokeTest, now: float) -> Check | None:
    """Return what came of the execution, or `None` while it is running or not visible yet."""
    arn, name = str(smoke_test.execution_arn), _live_name(desired)
    answer: DescribeExecutionOutputTypeDef | None = found(
        f"reading execution {arn}", target.states.describe_execution, executionArn=arn
    )
    if answer is None:
        if now - (smoke_test.started or 0) < _UNSEEN_FOR:
            return None
        gone = f"Execution {arn} does not exist any more. Run the smoke test again."
        return Check(name, "failed", gone)
    status = answer["status"]
    if status in ("RUNNING", "PENDING_REDRIVE"):
        return None
    seconds = (answer["stopDate"] - answer["startDate"]).total_seconds()
    if status != "SUCCEEDED":
        said = (answer.get("error", ""), answer.get("cause", ""))
        cause = ": ".join(part for part in said if part)
        detail = f"Execution {answer['name']} ended {status} after {seconds:.1f} s. {cause}"
        return Check(name, "failed", detail.strip())
    identity = json.loads(answer.get("output", "{}")).get("identity", {}).get("arn")
    who = f", as {identity}" if identity else ""
    detail = f"Execution {answer['name']} succeeded in {seconds:.1f} s{who}."
    own = f":assumed-role/{desired.role(desired.state_machine.role).name}/"
    # Emulators run workflows as whoever calls them: that proves nothing, and refutes nothing.
    if ":assumed-role/" in str(identity) and own not in str(identity):
        return Check(name, "failed", detail + _OTHER_ROLE)
    return Check(name, "passed", detail)


def _outdated(target: Target, desired: Desired, smoke_test: SmokeTest, live: Check) -> str | None:
    """Tell whether an execution ran another definition or role than is declared, and which.

    https://docs.aws.amazon.com/step-functions/latest/dg/concepts-read-consistency.html
    """
    if live.detail.endswith(_OTHER_ROLE):
        return live.detail
    if live.status != "passed" or not smoke_test.after_update:
        return None
    arn, machine = str(smoke_test.execution_arn), desired.state_machine
    describe = target.states.describe_state_machine_for_execution
    answer: Any = found(f"reading what execution {arn} ran", describe, executionArn=arn)
    if answer is None:
        return None
    if answer["roleArn"] != machine.role_arn:
        return f"it ran as {answer['roleArn']}"
    same = documents.same_json(machine.definition, json.loads(answer["definition"]))
    return None if same else "it ran another definition"
