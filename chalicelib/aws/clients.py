"""Clients of one AWS account, made when first used, and kept.

Hooks on the clients count every request sent, stop sending when the operation's time is up, name
the operation in the user agent (CloudTrail shows it), and decide on retries (`aws.retries`).
"""

from threading import Lock
from typing import Any

import botocore.session
from botocore.config import Config

from chalicelib import VERSION
from chalicelib.aws import answers, retries
from chalicelib.aws.models import MODELS
from chalicelib.work import operation

USER_AGENT = f"trivet/{VERSION}"
"""Marks Trivet's own calls, in CloudTrail too."""

CALL_TIMEOUT = 5
"""Seconds that an AWS call may take before it counts as lost, connecting included."""

LAST_CALL_TIMEOUT = 3
"""Seconds that a call to DynamoDB or EventBridge may take: with these an operation ends."""

_CONNECT_TIMEOUT = 1

USUAL = Config(
    # One attempt: whether there is another is decided by `aws.retries`.
    retries={"mode": "standard", "total_max_attempts": 1},
    connect_timeout=_CONNECT_TIMEOUT,
    read_timeout=CALL_TIMEOUT - _CONNECT_TIMEOUT,
    max_pool_connections=operation.WORKERS,
    user_agent_extra=USER_AGENT,
)
QUICK = USUAL.merge(Config(read_timeout=LAST_CALL_TIMEOUT - _CONNECT_TIMEOUT))
BULK = USUAL.merge(Config(read_timeout=10))
"""A whole page of GetAccountAuthorizationDetails takes AWS longer than any other call."""


class Clients:
    """The clients of one session, by service and configuration."""

    def __init__(self, session: botocore.session.Session) -> None:
        session.register_component("data_loader", MODELS)
        self._session = session
        self._made: dict[tuple[str, Config], Any] = {}
        self._making = Lock()

    def get(self, service: str, config: Config = USUAL) -> Any:
        """Return the client of a service, such as `iam`."""
        # botocore makes no two clients safely at once.
        with self._making:
            made = self._made.get((service, config))
            if made is None:
                made = _hooked(self._session.create_client(service, config=config))
                self._made[service, config] = made
            return made


def _hooked(client: Any) -> Any:
    """Put Trivet's hooks on a client, and return it."""
    service = client.meta.service_model.signing_name
    events = client.meta.events
    longest = client.meta.config.connect_timeout + client.meta.config.read_timeout
    events.register("before-call", _name_operation, unique_id="trivet-before-call")
    events.register("before-send", _before_send(service, longest), unique_id="trivet-before-send")
    events.register("before-parse", _before_parse, unique_id="trivet-before-parse")
    events.register_first(
        "needs-retry", retries.before_retry(service), unique_id="trivet-before-retry"
    )
    return client


def _name_operation(params: dict[str, Any], **_: Any) -> None:
    current = operation.current()
    if current is not None:
        headers = params["headers"]
        headers["User-Agent"] = f"{headers.get('User-Agent', '')} trivet-operation/{current.id}"


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
        came = current.pace(service).begin(current.time_left())
        if not came or current.time_left() <= max(0, longest - usual):
            raise answers.OutOfTime
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
