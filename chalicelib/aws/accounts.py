"""Home and Target: the account that Trivet lives in, and an account that it makes roles in.

Home has the table, the events and the schedule. It is a target too. Every other target is a
member account, reached through the role that it grants: sessions of 15 minutes, kept, and opened
anew before they end (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html).
"""

from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

import botocore.session
import msgspec

from chalicelib.aws.answers import call
from chalicelib.aws.clients import BULK, QUICK, Clients
from chalicelib.model.desired import Place
from chalicelib.work import operation

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_sts import STSClient

MEMBER_ROLE = "TrivetMember"
_SESSION_SECONDS = 900
_RENEW_BEFORE = 120
"""Seconds before its end at which a session is not used for anything new."""


class Target(msgspec.Struct, frozen=True):
    """An account, and a region in it, that environments are made in."""

    place: Place
    clients: Clients

    @property
    def iam(self) -> "IAMClient":
        """IAM."""
        client: IAMClient = self.clients.get("iam")
        return client

    @property
    def bulk_iam(self) -> "IAMClient":
        """IAM, with the patience that a listing of a whole account needs."""
        client: IAMClient = self.clients.get("iam", BULK)
        return client

    @property
    def states(self) -> "SFNClient":
        """Step Functions."""
        client: SFNClient = self.clients.get("stepfunctions")
        return client


class _Session(msgspec.Struct):
    target: Target
    ends: float
    """Seconds since the epoch."""


class Home(msgspec.Struct):
    """The account that Trivet is deployed in, with the SDK's standard environment."""

    clients: Clients
    _place: Place | None = None
    _sessions: dict[tuple[str, str | None], _Session] = {}
    _asking: Lock = msgspec.field(default_factory=Lock)
    _opening: Lock = msgspec.field(default_factory=Lock)

    def runs_as(self, function_arn: str) -> None:
        """Take account, partition and region from the Lambda function that runs: it costs no call.

        Args:
            function_arn: as Lambda tells it; "" outside of Lambda, where STS is asked.
        """
        with self._asking:
            if self._place is None and function_arn:
                _, partition, _, region, account_id, _ = function_arn.split(":", 5)
                self._place = Place(account_id, partition, region)

    @property
    def place(self) -> Place:
        """Account id, partition and region; asks STS once where Lambda did not tell.

        Raises:
            TrivetError: STS does not answer, or refuses the credentials.
        """
        with self._asking:
            if self._place is None:
                self._place = self.ask_place()
            return self._place

    def ask_place(self) -> Place:
        """Ask STS for account id, partition and region, now.

        Raises:
            TrivetError: STS does not answer, or refuses the credentials.
        """
        identity = call("asking STS for the account", self.sts.get_caller_identity)
        return Place(identity["Account"], identity["Arn"].split(":")[1], self.sts.meta.region_name)

    @property
    def target(self) -> Target:
        """Home itself, as an account that environments are made in."""
        return Target(self.place, self.clients)

    def member(
        self, account_id: str, external_id: str | None, policy: str | None, anew: bool = False
    ) -> Target:
        """Return a member account, its role assumed.

        Args:
            external_id: what the role's trust policy asks for, if anything.
            policy: JSON of the session policy, which leaves the session no more than it allows.
            anew: open a session even where there is one.

        Raises:
            TrivetError: the role cannot be assumed; the message names it.
        """
        now = operation.CLOCK.now()
        with self._opening:
            kept = self._sessions.get((account_id, policy))
            if kept is not None and not anew and kept.ends - _RENEW_BEFORE > now:
                return kept.target
            target = self._assumed(account_id, external_id, policy)
            self._sessions[account_id, policy] = _Session(target, now + _SESSION_SECONDS)
            return target

    def _assumed(self, account_id: str, external_id: str | None, policy: str | None) -> Target:
        current = operation.current()
        role = f"arn:{self.place.partition}:iam::{account_id}:role/{MEMBER_ROLE}"
        answer = call(
            f"assuming role {role}",
            self.sts.assume_role,
            RoleArn=role,
            # CloudTrail of the member shows it: the request that opened the session.
            RoleSessionName=f"trivet-{current.id if current else 'start'}"[:64],
            DurationSeconds=_SESSION_SECONDS,
            **({"ExternalId": external_id} if external_id else {}),
            **({"Policy": policy} if policy else {}),
        )
        keys = answer["Credentials"]
        session = botocore.session.Session()
        session.set_config_variable("region", self.place.region)
        session.set_credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
        place = Place(account_id, self.place.partition, self.place.region)
        return Target(place, Clients(session))

    @property
    def dynamodb(self) -> "DynamoDBClient":
        """DynamoDB."""
        client: DynamoDBClient = self.clients.get("dynamodb", QUICK)
        return client

    @property
    def events(self) -> "EventBridgeClient":
        """EventBridge."""
        client: EventBridgeClient = self.clients.get("events", QUICK)
        return client

    @property
    def states(self) -> "SFNClient":
        """Step Functions, which runs the fleet's state machine."""
        client: SFNClient = self.clients.get("stepfunctions")
        return client

    @property
    def sts(self) -> "STSClient":
        """STS."""
        client: STSClient = self.clients.get("sts")
        return client


@cache
def home() -> Home:
    """Return the account that Trivet runs in."""
    # Not boto3's session: its import, S3 transfers included, is a quarter of a cold start.
    return Home(Clients(botocore.session.get_session()))
