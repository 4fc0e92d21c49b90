"""The smoke test: does this environment's wiring work?

Three kinds of evidence, each a named check. Live: the state machine runs under its role.
Simulated: the expectations in `policies/`, asked of `iam:SimulatePrincipalPolicy`. Read back:
the trust policies as IAM stored them. It succeeds if the live check passed and none failed.

It can be left at any point and carried on later: what it knows is in `records.SmokeTest`.
"""

import json
import random
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from msgspec.structs import replace

from chalicelib import apply, documents, errors, operation, telemetry
from chalicelib.aws import Account
from chalicelib.errors import NotAssumable, NotOffered, Stale
from chalicelib.model import Change, Desired, Expectation, Role
from chalicelib.operation import Operation
from chalicelib.read import found, role_head
from chalicelib.records import Check, SmokeTest

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import DescribeExecutionOutputTypeDef

GIVE_UP_AFTER = 300
"""Seconds after which a role that Step Functions cannot assume counts as wrong, not as new."""

_LONGEST_PAUSE = 1.0
"""Seconds between two looks at an execution."""

_ASKED_AT_MOST = 4
"""How often evidence is asked for again while what was changed may not count everywhere yet."""


@dataclass(slots=True)
class Progress:
    """How far a smoke test got, and what had to be made for it."""

    smoke_test: SmokeTest
    to_make: Change | None
    """The change to the state machine that still has to be made."""
    made: list[Change] = field(default_factory=list)
    unique_ids: dict[str, str] = field(default_factory=dict)


def start(account: Account, desired: Desired, name: str) -> str | None:
    """Start an execution of the state machine.

    Args:
        name: of the execution; the same name starts no second one.

    Returns:
        The execution's ARN, or `None` where Step Functions does not see the machine yet.
    """
    machine = desired.state_machine
    arn = f"{machine.arn.replace(':stateMachine:', ':execution:', 1)}:{name}"
    try:
        answer = account.states.start_execution(stateMachineArn=machine.arn, name=name, input="{}")
    except (ClientError, BotoCoreError) as error:
        if errors.code_of(error) == "ExecutionAlreadyExists":
            # Started by this operation, and not heard of.
            return arn
        try:
            raise errors.translated(error, f"starting an execution of {machine.name}") from error
        except Stale:
            return None
    return answer["executionArn"]


def advance(
    account: Account,
    desired: Desired,
    progress: Progress,
    current: Operation,
    until: float,
) -> None:
    """Carry the smoke test on, as far as it gets until then.

    Args:
        progress: is brought up to date.
        until: seconds since the epoch; one attempt at every step is made in any case.

    Raises:
        TrivetError: AWS refuses or fails; `progress` holds what was reached.
    """
    until = min(until, current.deadline)
    pause, asked = 0.1, 0
    evidence: list[Future[Check]] = []
    while True:
        _make_and_start(account, desired, progress, current)
        if progress.smoke_test.status == "running":
            if not evidence:
                evidence, asked = _gather(account, desired), asked + 1
            live = _live(account, desired, progress.smoke_test)
            time_left = current.clock.now() + pause < until
            if live is not None:
                seen = _concluded(progress.smoke_test, live, operation.waited(evidence))
                may_be_early = live.status == "passed" and asked < _ASKED_AT_MOST and time_left
                if seen.status == "failed" and may_be_early:
                    # What was changed a moment ago may not count everywhere yet: ask again.
                    evidence = []
                else:
                    _finish(progress, seen)
        if progress.smoke_test.finished or current.clock.now() + pause > until:
            break
        current.clock.sleep(pause * random.uniform(0.75, 1))  # noqa: S311
        pause = min(2 * pause, _LONGEST_PAUSE)
    if not progress.smoke_test.finished:
        seen = replace(progress.smoke_test, checks=tuple(operation.waited(evidence)))
        progress.smoke_test = seen


def _concluded(smoke_test: SmokeTest, live: Check, evidence: Sequence[Check]) -> SmokeTest:
    """Return the smoke test with its verdict: the live check passed, and none failed."""
    checks = (live, *evidence)
    passed = live.status == "passed" and not any(check.status == "failed" for check in checks)
    return replace(smoke_test, status="succeeded" if passed else "failed", checks=checks)


def _make_and_start(
    account: Account, desired: Desired, progress: Progress, current: Operation
) -> None:
    """Make the state machine and start its execution, where that is still to be done."""
    smoke_test = progress.smoke_test
    if progress.to_make is not None:
        try:
            ids = apply.state_machine(account, desired, progress.to_make)
        except NotAssumable as error:
            if current.clock.now() - (smoke_test.since or 0) > GIVE_UP_AFTER:
                check = Check(_live_name(desired), "failed", not_assumable_for_long(str(error)))
                _finish(progress, replace(smoke_test, status="failed", checks=(check,)))
            return
        progress.made.append(progress.to_make)
        progress.unique_ids |= ids
        progress.to_make = None
    if smoke_test.execution_arn is None:
        arn = start(account, desired, current.id)
        if arn is not None:
            progress.smoke_test = replace(smoke_test, status="running", execution_arn=arn)


def not_assumable_for_long(said: str) -> str:
    """Return what to say of a role that Step Functions could not assume for minutes."""
    return (
        f"Step Functions still refuses the role after {GIVE_UP_AFTER} s: {said} Either the role is "
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


def _live(account: Account, desired: Desired, smoke_test: SmokeTest) -> Check | None:
    """Return what came of the execution, or `None` while it is running."""
    arn = str(smoke_test.execution_arn)
    answer: DescribeExecutionOutputTypeDef | None = found(
        f"reading execution {arn}", account.states.describe_execution, executionArn=arn
    )
    if answer is None:
        gone = f"Execution {arn} does not exist any more. Run the smoke test again."
        return Check(_live_name(desired), "failed", gone)
    status = answer["status"]
    if status in ("RUNNING", "PENDING_REDRIVE"):
        return None
    seconds = (answer["stopDate"] - answer["startDate"]).total_seconds()
    if status == "SUCCEEDED":
        who = _identity(answer.get("output", "{}"))
        detail = f"Execution {answer['name']} succeeded in {seconds:.1f} s{who}."
        return Check(_live_name(desired), "passed", detail)
    cause = ": ".join(part for part in (answer.get("error", ""), answer.get("cause", "")) if part)
    detail = f"Execution {answer['name']} ended {status} after {seconds:.1f} s. {cause}".strip()
    return Check(_live_name(desired), "failed", detail)


def _identity(output: str) -> str:
    arn = json.loads(output).get("identity", {}).get("arn")
    return f", as {arn}" if arn else ""


def _gather(account: Account, desired: Desired) -> "list[Future[Check]]":
    """Start asking for the simulated and the read-back evidence."""
    return [
        *(operation.start(_simulated, account, desired, each) for each in desired.expectations),
        *(operation.start(_read_back, account, role) for role in desired.roles),
    ]


def _simulated(account: Account, desired: Desired, expectation: Expectation) -> Check:
    role = desired.role(expectation.role)
    # IAM does not add the role's own tags, which a permissions boundary may ask for.
    own_tags = {f"aws:PrincipalTag/{key}": value for key, value in role.tags.items()}
    try:
        answer: Any = account.iam.simulate_principal_policy(
            PolicySourceArn=role.arn,
            ActionNames=[expectation.action],
            ResourceArns=[expectation.resource],
            ContextEntries=[
                {"ContextKeyName": key, "ContextKeyType": "string", "ContextKeyValues": [value]}
                for key, value in (own_tags | dict(expectation.context)).items()
            ],
        )
    except (ClientError, BotoCoreError, NotImplementedError) as error:
        if errors.code_of(error) in errors.MISSING:
            return Check(expectation.name, "failed", f"Role {role.arn} does not exist.")
        translated = errors.translated(error, f"simulating {expectation.action} as {role.name}")
        if isinstance(translated, NotOffered):
            reason = "This endpoint does not offer iam:SimulatePrincipalPolicy."
            return Check(expectation.name, "skipped", reason)
        raise translated from error
    decision = answer["EvaluationResults"][0]["EvalDecision"]
    seen = "allowed" if decision == "allowed" else "denied"
    with_context = "".join(f", {key} = {value}" for key, value in expectation.context.items())
    detail = (
        f"IAM simulates {expectation.action} on {expectation.resource} as {role.name}"
        f"{with_context}: {decision}, expected {expectation.expect}."
    )
    return Check(expectation.name, "passed" if seen == expectation.expect else "failed", detail)


def _read_back(account: Account, role: Role) -> Check:
    name = f"{role.key} role's trust policy reads back as declared"
    head = role_head(account, role.name)
    if head is None:
        return Check(name, "failed", f"Role {role.arn} does not exist.")
    document: Any = head["AssumeRolePolicyDocument"]
    trusted = ", ".join(_trusted(document))
    if documents.same_policy(role.trust_policy, document):
        return Check(name, "passed", f"IAM holds: {role.name} may be assumed by {trusted}.")
    detail = f"IAM holds another trust policy for {role.name}: it may be assumed by {trusted}."
    return Check(name, "failed", detail)


def _trusted(trust_policy: Any) -> Sequence[str]:
    """Return the principals that a trust policy allows, for people to read."""
    statements = trust_policy.get("Statement", [])
    principals: list[str] = []
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal", {})
        if statement.get("Effect") != "Allow":
            continue
        for value in principal.values() if isinstance(principal, dict) else [principal]:
            principals += value if isinstance(value, list) else [value]
    return principals or ["nobody"]
