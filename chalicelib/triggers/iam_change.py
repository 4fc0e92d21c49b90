"""One environment put back at once, since CloudTrail tells of an IAM call that changed it."""

import re
from collections.abc import Mapping
from typing import Any

from chalice.app import CloudWatchEvent

from chalicelib.aws.clients import USER_AGENT
from chalicelib.catalogue.catalogue import Catalogue
from chalicelib.errors import Busy, TrivetError
from chalicelib.flow.tell import tell
from chalicelib.installation import Installation
from chalicelib.model.history import Cause
from chalicelib.model.report import Finding
from chalicelib.resources import policy, role
from chalicelib.resources.change import AnyChange
from chalicelib.triggers.invocation import invocation
from chalicelib.verbs.recheck import recheck
from chalicelib.work import telemetry


def _names(changes: tuple[type[AnyChange], ...]) -> set[str]:
    own = {action.split(":", 1)[1] for each in changes for action in each.actions}
    return own | {event for each in changes for event in each.events}


IAM_CHANGES = {
    "source": ["aws.iam"],
    "detail-type": ["AWS API Call via CloudTrail"],
    "detail": {
        "eventSource": ["iam.amazonaws.com"],
        "eventName": sorted(_names(role.CHANGES) | _names(policy.CHANGES)),
    },
}
"""The EventBridge pattern of IAM changes that can concern a role or policy.

https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
"""

_OWN_USER_AGENT = re.compile(r"(^|[\s\[])" + re.escape(USER_AGENT.split("/")[0] + "/"))


def iam_change(event: CloudWatchEvent) -> None:
    """Put the one environment back that an IAM call changed, unless the call was Trivet's.

    Of a storm of events on one environment, those well older than its last check are dropped:
    since CloudTrail takes minutes to tell, there is one check in as many minutes at most.

    Raises:
        TrivetError: it could not be put back; Lambda tries again, and then the schedule does.
    """
    with invocation(event.context, event.event_id) as installation:
        name = environment_concerned(installation.catalogue, event.detail)
        if name is not None:
            _put_back(installation, event.to_dict(), name)


def environment_concerned(catalogue: Catalogue, detail: Mapping[str, Any]) -> str | None:
    """Return the environment whose role or policy an IAM call changed, by its name.

    `None` where the call failed, concerns no name that could be an environment's, or is
    Trivet's own, which its user agent tells. Anyone can send that user agent: then the change
    is not undone at once, but by the next drift run, which asks nobody who made it.

    Args:
        detail: the `detail` of CloudTrail's event.
    """
    if detail.get("errorCode") or _OWN_USER_AGENT.search(str(detail.get("userAgent"))):
        return None
    parameters = detail.get("requestParameters") or {}
    # A call on a role can name policies too, which it does not change.
    arn = str(parameters.get("policyArn") or "")
    changed = parameters.get("roleName") or parameters.get("policyName") or arn.rsplit("/", 1)[-1]
    return catalogue.environment_of(str(changed))


def _put_back(installation: Installation, event: Mapping[str, Any], name: str) -> None:
    # EventBridge itself says which account an event comes from: its sender cannot.
    account_id = str(event.get("account") or installation.home.place.account_id)
    entry = installation.environments.get(account_id, name)
    if entry is None:
        return
    cause = _cause(event.get("detail") or {})
    try:
        result = recheck(installation, installation.target(account_id), entry, cause)
    except Busy as error:
        # Whoever holds it may have read IAM before this change: Lambda comes again.
        telemetry.LOGGER.warning("iam change put off", extra={"reason": str(error)})
        raise
    except TrivetError as error:
        tell(installation.home, [Finding(account_id, name, "failed", error=str(error))], cause)
        raise
    if result is not None and result.changes:
        found = Finding(account_id, name, "repaired", list(result.changes))
        tell(installation.home, [found], cause)


def _cause(detail: Mapping[str, Any]) -> Cause:
    identity = detail.get("userIdentity") or {}
    actor = identity.get("arn") or identity.get("invokedBy")
    return Cause(
        event_id=str(detail.get("eventID", "")),
        event_name=str(detail.get("eventName", "")),
        event_time=str(detail.get("eventTime", "")),
        actor=str(actor) if actor else None,
    )
