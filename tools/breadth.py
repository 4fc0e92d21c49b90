"""How much policies allow, in numbers: services, and actions on `*`. Pure but for AWS's reference.

Actions are counted by the Service Authorization Reference, as policy_sentry ships it: `s3:Get*`
counts as many as it stands for, and all resources but some (`NotResource`) as `*`. Conditions and
denials are left aside.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from policy_sentry.querying.actions import get_actions_for_service

from chalicelib.model.wildcards import covers


def line(profile: str, key: str, documents: Iterable[Mapping[str, Any]]) -> str:
    """Return one line about a role: how many services and actions, and how many of these on `*`."""
    granted = list(_granted(documents))
    every = {action for action, _ in granted}
    anywhere = {action for action, resource in granted if resource == "*"}
    services = len({action.partition(":")[0] for action in every})
    return (
        f"{key:<19} {profile:<9} {services:3} services, {len(every):5,} actions, "
        f"{len(anywhere):5,} of them on *"
    )


def _granted(documents: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield what statements allow: an action, and a resource's pattern."""
    for document in documents:
        for statement in _listed(document["Statement"]):
            if statement["Effect"] != "Allow":
                continue
            for pattern in _listed(statement["Action"]):
                for action in _actions(pattern.lower()):
                    for resource in _listed(statement.get("Resource", "*")):
                        yield action, resource


@cache
def _actions(pattern: str) -> tuple[str, ...]:
    service = pattern.partition(":")[0]
    known = (each.lower() for each in get_actions_for_service(service))
    return tuple(each for each in known if covers(pattern, each))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
