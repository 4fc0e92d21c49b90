"""Drift told: an event for each environment that was not in sync, on the default bus; metrics."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.accounts import Home
from chalicelib.model.history import Cause
from chalicelib.model.report import Finding, Outcome
from chalicelib.work import operation, telemetry, threads

if TYPE_CHECKING:
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

SOURCE = "trivet"
DRIFT = "Trivet Drift"
RUN_STOPPED = "Trivet Drift Run Stopped"

# PutEvents: at most ten entries a call.
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
_ENTRIES_PER_CALL = 10


def tell(home: Home, findings: Sequence[Finding], cause: Cause | None = None) -> None:
    """Tell EventBridge and CloudWatch of what was not in sync, without the documents."""
    with operation.closing():
        _publish(home, [_entry(DRIFT, _detail(finding, cause)) for finding in findings])
    telemetry.count("DriftedEnvironments", len(findings))
    telemetry.count("RepairedEnvironments", count(findings, "repaired"))
    telemetry.count("FailedRepairs", count(findings, "failed"))


def tell_stopped(home: Home, run: str, reason: str) -> None:
    """Tell of a run that repaired nothing, since it found too much."""
    with operation.closing():
        _publish(home, [_entry(RUN_STOPPED, {"run": run, "reason": reason})])
    telemetry.count("RunsStopped")


def count(findings: Sequence[Finding], outcome: Outcome) -> int:
    """Return how many findings had this outcome."""
    return sum(finding.outcome == outcome for finding in findings)


def _detail(finding: Finding, cause: Cause | None) -> dict[str, object]:
    return {
        "account_id": finding.account_id,
        "environment": finding.name,
        "outcome": finding.outcome,
        "changes": [
            {
                "kind": change.kind,
                "role": change.role,
                "resource": change.resource,
                "summary": change.summary,
                "effect": change.effect,
            }
            for change in finding.changes
        ],
        "error": finding.error,
        "actor": cause.actor if cause else None,
    }


def _entry(detail_type: str, detail: dict[str, object]) -> "PutEventsRequestEntryTypeDef":
    encoded = msgspec.json.encode(detail).decode()
    return {"Source": SOURCE, "DetailType": detail_type, "Detail": encoded}


def _publish(home: Home, entries: "Sequence[PutEventsRequestEntryTypeDef]") -> None:
    """Put events. A failure is logged and counted, and stops nothing: the report holds it all."""
    batches = [
        entries[at : at + _ENTRIES_PER_CALL] for at in range(0, len(entries), _ENTRIES_PER_CALL)
    ]
    threads.side_by_side(partial(_put, home), batches)


def _put(home: Home, entries: "Sequence[PutEventsRequestEntryTypeDef]") -> None:
    try:
        answer = home.events.put_events(Entries=entries)
        if not answer["FailedEntryCount"]:
            return
        reason = str(answer["Entries"])
    except (ClientError, BotoCoreError) as error:
        reason = str(error)
    telemetry.LOGGER.error("drift event not delivered", extra={"reason": reason})
    telemetry.count("EventsNotDelivered")
