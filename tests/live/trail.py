"""What CloudTrail tells of calls that were refused to Trivet."""

import json
from collections.abc import Iterable


def refusals(records: Iterable[str], stage: str) -> list[str]:
    """Return the calls of Trivet's own roles that were refused, with AWS's reason.

    Args:
        records: CloudTrail's records, as JSON.
    """
    refused = []
    for record in records:
        told = json.loads(record)
        issuer = told["userIdentity"].get("sessionContext", {}).get("sessionIssuer", {})
        own = issuer.get("userName", "").startswith((f"trivet-{stage}-", "TrivetMember"))
        if own and "AccessDenied" in told.get("errorCode", ""):
            refused.append(f"{told['eventName']}: {told.get('errorMessage')}")
    return refused
