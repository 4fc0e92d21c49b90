"""Declared state: the table, protected and recoverable."""

from typing import Any

from trivet.doctor.checking import Fault, Skip, check, found
from trivet.doctor.deployment import Deployment

_GONE = "ResourceNotFoundException"


@check("the table is protected", "With the table, all that was declared is lost.")
def _protected(deployment: Deployment) -> str | Fault:
    table, name = _table(deployment), deployment.table
    if not table.get("DeletionProtectionEnabled"):
        return Fault(
            f"{name} can be deleted by one call.",
            f"aws dynamodb update-table --table-name {name} --deletion-protection-enabled",
        )
    return f"{name} is {table['TableStatus']}, protected from deletion."


@check("the table is recoverable", "A bad write is undone by restoring a minute before it.")
def _recoverable(deployment: Deployment) -> str | Fault:
    _table(deployment)
    name = deployment.table
    told = deployment.client("dynamodb").describe_continuous_backups(TableName=name)
    recovery = told["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        return Fault(
            f"{name} has no point-in-time recovery.",
            f"aws dynamodb update-continuous-backups --table-name {name} "
            "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true",
        )
    return f"{name} can be restored to any second of the last days."


def _table(deployment: Deployment) -> Any:
    client = deployment.client("dynamodb")
    answer = found(client.describe_table, _GONE, TableName=deployment.table)
    if answer is None:
        raise Skip(f"{deployment.table} is not there yet: the first request makes it.")
    return answer["Table"]
