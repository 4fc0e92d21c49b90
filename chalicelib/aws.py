"""The one boundary to AWS: an account's clients, made when first used, and kept.

Retries are botocore's `standard` mode and nothing else: bounded in number, with jitter
(https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html). Hooks on the clients
count every request sent, stop sending when the operation's time is up, and stop retrying
where a retry would do harm or cannot help.
"""

import random
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import VERSION, errors, operation
from chalicelib.model import Place

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_sts import STSClient

USER_AGENT = f"trivet/{VERSION}"
"""Marks Trivet's own calls, in CloudTrail too."""

CALL_TIMEOUT = 5
"""Seconds that an AWS call may take before it counts as lost, connecting included."""

LAST_CALL_TIMEOUT = 3
"""Seconds that a call to DynamoDB or EventBridge may take: with these an operation ends."""

_CONNECT_TIMEOUT = 1
_TRIES = 5
_TRIES_UNTIL_VISIBLE = 11

_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": _TRIES},
    connect_timeout=_CONNECT_TIMEOUT,
    read_timeout=CALL_TIMEOUT - _CONNECT_TIMEOUT,
    max_pool_connections=operation.WORKERS,
    user_agent_extra=USER_AGENT,
)
_QUICK_CONFIG = _CONFIG.merge(Config(read_timeout=LAST_CALL_TIMEOUT - _CONNECT_TIMEOUT))
# A whole page of GetAccountAuthorizationDetails takes AWS longer than any other call.
_BULK_CONFIG = _CONFIG.merge(Config(read_timeout=10))
# DescribeStateMachine has 200 calls in store and 20 more a second for all of an account. Once it
# is throttled, `adaptive` mode keeps to the rate that it finds; `standard` would fail most calls
# of a thousand. https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
_PACED_CONFIG = _CONFIG.merge(Config(retries={"mode": "adaptive", "total_max_attempts": _TRIES}))

# Sent again after it took effect unheard, it would leave one version too many. The operation
# reads the policy again instead.
_ONCE = frozenset({"CreatePolicyVersion"})


class Account:
    """One AWS account, in one region, as Trivet's credentials reach it."""

    def __init__(self, session: botocore.session.Session) -> None:
        self._session = session
        self._clients: dict[tuple[str, Config], Any] = {}
        self._making_clients = Lock()
        self._asking_place = Lock()
        self._place: Place | None = None

    @property
    def place(self) -> Place:
        """Account id, partition and region; asks STS once.

        Raises:
            TrivetError: STS does not answer, or refuses the credentials.
        """
        with self._asking_place:
            if self._place is None:
                self._place = self.ask_place()
            return self._place

    def ask_place(self) -> Place:
        """Ask STS for account id, partition and region, now.

        Raises:
            TrivetError: STS does not answer, or refuses the credentials.
        """
        try:
            identity = self.sts.get_caller_identity()
        except (ClientError, BotoCoreError) as error:
            raise errors.translated(error, "asking STS for the account") from error
        return Place(identity["Account"], identity["Arn"].split(":")[1], self.sts.meta.region_name)

    @property
    def iam(self) -> "IAMClient":
        """IAM."""
        client: IAMClient = self._client("iam")
        return client

    @property
    def bulk_iam(self) -> "IAMClient":
        """IAM, with the patience that a listing of a whole account needs."""
        client: IAMClient = self._client("iam", _BULK_CONFIG)
        return client

    @property
    def states(self) -> "SFNClient":
        """Step Functions."""
        client: SFNClient = self._client("stepfunctions")
        return client

    @property
    def paced_states(self) -> "SFNClient":
        """Step Functions, at the rate that it allows for reading very many state machines."""
        client: SFNClient = self._client("stepfunctions", _PACED_CONFIG)
        return client

    @property
    def dynamodb(self) -> "DynamoDBClient":
        """DynamoDB."""
        client: DynamoDBClient = self._client("dynamodb", _QUICK_CONFIG)
        return client

    @property
    def events(self) -> "EventBridgeClient":
        """EventBridge."""
        client: EventBridgeClient = self._client("events", _QUICK_CONFIG)
        return client

    @property
    def sts(self) -> "STSClient":
        """STS."""
        client: STSClient = self._client("sts")
        return client

    def renew(self) -> None:
        """Make new clients from now on.

        A client of botocore has a quota of retries for all its life, which bad times use up and
        good ones give back slowly. Here each operation is bounded by its time, and the next one
        shall have its retries too.
        """
        with self._making_clients:
            self._clients.clear()

    def _client(self, service: str, config: Config = _CONFIG) -> Any:
        # botocore makes no two clients safely at once.
        with self._making_clients:
            made = self._clients.get((service, config))
            if made is None:
                make = self._session.create_client
                made = self._clients[service, config] = _hooked(make(service, config=config))
            return made


@cache
def own_account() -> Account:
    """Return the account that Trivet runs in, with the SDK's standard environment."""
    # Not boto3's session: its import, S3 transfers included, is a quarter of a cold start.
    return Account(botocore.session.get_session())


def _hooked(client: Any) -> Any:
    """Put Trivet's hooks on a client, and return it."""
    service = client.meta.service_model.signing_name
    events = client.meta.events
    longest = client.meta.config.connect_timeout + client.meta.config.read_timeout
    before_send = _before_send(service, longest)
    events.register("before-send", before_send, unique_id="trivet-before-send")
    events.register("before-parse", _before_parse, unique_id="trivet-before-parse")
    # First, so that it is asked before botocore's own handler sleeps.
    events.register_first("needs-retry", _before_retry(service), unique_id="trivet-before-retry")
    return client


def _before_send(service: str, longest: float) -> Any:
    """Return the hook that counts a request, and sends none that could outlast its operation.

    Args:
        longest: seconds that a call of this client may take.
    """

    def before_send(event_name: str, **_: Any) -> None:
        current = operation.current()
        if current is None:
            return
        usual = LAST_CALL_TIMEOUT if operation.is_closing() else CALL_TIMEOUT
        if current.time_left() <= max(0, longest - usual):
            raise errors.OutOfTime
        current.count(f"{service}:{event_name.rsplit('.', 1)[-1]}")

    return before_send


def _before_parse(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    """Give a failure whose body is no answer of AWS (a proxy's page, say) the form of one.

    botocore cannot read it in the services that speak XML, and would not try again.
    """
    status = response_dict["status_code"]
    if status < 500 or operation_model.service_model.resolved_protocol != "query":
        return
    if not response_dict["body"].lstrip().startswith((b"<ErrorResponse", b"<?xml")):
        error = f"<Code>{status}</Code><Message>no answer of AWS's</Message>"
        response_dict["body"] = f"<ErrorResponse><Error>{error}</Error></ErrorResponse>".encode()


def _before_retry(service: str) -> Any:
    def before_retry(
        event_name: str,
        attempts: int,
        response: tuple[Any, dict[str, Any]] | None,
        caught_exception: Exception | None,
        **_: Any,
    ) -> float | None:
        name = event_name.rsplit(".", 1)[-1]
        if response is None:
            _after_silence(name, attempts, caught_exception)
            return None
        status, parsed = response[0].status_code, response[1]
        if status < 300:
            return None
        # botocore's error knows the operation, not the service: IAM's name has both.
        parsed.setdefault("Error", {})["Action"] = f"{service}:{name}"
        return _after_error(name, attempts, status, ClientError(parsed, name))  # type: ignore[arg-type]

    return before_retry


def _after_silence(name: str, attempts: int, caught: Exception | None) -> None:
    """Let botocore try again where no answer came, unless that does harm or is too late.

    Raises:
        Exception: what the caller shall see at once.
    """
    if caught is not None and name in _ONCE:
        raise caught
    _check_time(2 ** (attempts - 1), attempts < _TRIES)


def _after_error(name: str, attempts: int, status: int, error: ClientError) -> float | None:
    """Decide on a retry where botocore's own rules do not know enough.

    Returns:
        Seconds to wait before the next try, or `None` to leave the decision to botocore.

    Raises:
        Exception: what the caller shall see at once, where trying again is wrong or too late.
    """
    code = errors.code_of(error)
    if errors.not_offered(name, status, code) or (status >= 500 and name in _ONCE):
        raise error
    if code in errors.CONCURRENT or _not_yet_visible(error):
        return _pause(attempts)
    if status >= 500 or code in errors.THROTTLED:
        # In `standard` mode botocore pauses for at most this long.
        _check_time(2 ** (attempts - 1), attempts < _TRIES)
    return None


def _not_yet_visible(error: ClientError) -> bool:
    """Tell whether IAM denies what this operation has just made: it is eventually consistent.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html
    """
    current = operation.current()
    if current is None or errors.code_of(error) != "NoSuchEntity":
        return False
    message = str(error.response.get("Error", {}).get("Message", ""))
    return any(name in message for name in current.fresh)


def _pause(attempts: int) -> float | None:
    """Return a pause with jitter, some 12 seconds over all tries, or `None` past the last."""
    if attempts >= _TRIES_UNTIL_VISIBLE:
        return None
    longest = min(2.0, 0.25 * 2 ** (attempts - 1))
    _check_time(longest, will_retry=True)
    return random.uniform(longest / 2, longest)  # noqa: S311


def _check_time(pause: float, will_retry: bool) -> None:
    """Raise OutOfTime if a pause before the next try could outlast the operation."""
    current = operation.current()
    if will_retry and current is not None and current.time_left() < pause:
        raise errors.OutOfTime
