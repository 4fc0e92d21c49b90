"""The table itself: made when it is missing, and kept recoverable, protected and tidy."""

from threading import Lock
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chalicelib.aws.answers import MISSING, code_of
from chalicelib.work import threads

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

EXPIRES = "expires_at"
"""The attribute, in seconds since the epoch, after which DynamoDB deletes a row by itself."""

_MAKING = Lock()
"""Of many first requests at once, one makes the table."""


def make(client: "DynamoDBClient", name: str) -> None:
    """Make the table if it is missing, and put right what of its settings is off.

    Args:
        name: the table's.

    Raises:
        ClientError: AWS refuses.
        WaiterError: the table did not come up.
    """
    with _MAKING:
        protected = _made(client, name)
    threads.side_by_side(lambda ensure: ensure(client, name), (_ensure_recovery, _ensure_expiry))
    if not protected:
        client.update_table(TableName=name, DeletionProtectionEnabled=True)


def _made(client: "DynamoDBClient", name: str) -> bool:
    """Make the table if it is missing; return whether it is protected from deletion."""
    try:
        table: Any = client.describe_table(TableName=name)["Table"]
        # An endpoint that does not know the setting does not tell of it.
        return bool(table.get("DeletionProtectionEnabled", True))
    except ClientError as error:
        if code_of(error) not in MISSING:
            raise
    try:
        client.create_table(
            TableName=name,
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
            SSESpecification={"Enabled": True},
            DeletionProtectionEnabled=True,
        )
    except ClientError as error:
        # Another request made it just now.
        if code_of(error) != "ResourceInUseException":
            raise
    waiter = client.get_waiter("table_exists")
    waiter.wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    return True


def _ensure_recovery(client: "DynamoDBClient", name: str) -> None:
    answer = client.describe_continuous_backups(TableName=name)
    recovery = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") == "ENABLED":
        return
    try:
        client.update_continuous_backups(
            TableName=name,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )
    except ClientError as error:
        # AWS turns on backups of a new table in its own time; the next drift run tries again.
        if code_of(error) != "ContinuousBackupsUnavailableException":
            raise


def _ensure_expiry(client: "DynamoDBClient", name: str) -> None:
    if _expires(client, name):
        return
    try:
        client.update_time_to_live(
            TableName=name,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": EXPIRES},
        )
    except ClientError:
        # Another request turned it on just now: AWS answers that with a ValidationException.
        if not _expires(client, name):
            raise


def _expires(client: "DynamoDBClient", name: str) -> bool:
    answer: Any = client.describe_time_to_live(TableName=name)
    return answer["TimeToLiveDescription"].get("TimeToLiveStatus") in ("ENABLING", "ENABLED")
