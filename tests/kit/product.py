"""All that the kit, and the tests of behaviour, know of Trivet's inside.

A module of Trivet that moves is found again here, and nowhere else. Tests of pure parts (documents,
templates, comparing) import what they test themselves.
"""

import io
import os
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from app import app
from chalicelib import catalogue, errors
from chalicelib.api import openapi
from chalicelib.api.endpoints import ENDPOINTS
from chalicelib.aws import accounts as aws_accounts
from chalicelib.aws.clients import CALL_TIMEOUT, LAST_CALL_TIMEOUT
from chalicelib.errors import Busy, TrivetError
from chalicelib.flow.smoke_test import GIVE_UP_AFTER
from chalicelib.model.desired import Place
from chalicelib.resources import policy, role, state_machine
from chalicelib.settings import DEFAULT_BOUNDARY as BOUNDARY_NAME
from chalicelib.table import environments, making, report_rows
from chalicelib.triggers import iam_change
from chalicelib.work import operation, telemetry

__all__ = [
    "BOUNDARY_NAME",
    "CALL_TIMEOUT",
    "CLOCK",
    "ENDPOINTS",
    "GIVE_UP_AFTER",
    "IAM_CHANGES",
    "KINDS",
    "LAST_CALL_TIMEOUT",
    "MARK",
    "Busy",
    "Place",
    "TrivetError",
    "app",
    "errors",
    "telemetry",
]

CLOCK = operation.CLOCK
"""Time as Trivet sees it, with `now` and `sleep`; `Clock` in `kit/clock.py` takes its place."""

IAM_CHANGES: Mapping[str, Any] = iam_change.IAM_CHANGES
"""The pattern of the events that start a check."""

KINDS = {each.kind for each in (*role.CHANGES, *policy.CHANGES, *state_machine.CHANGES)}
"""Every kind of change."""

MARK = "trivet/"
"""What a User-Agent holds if the call is Trivet's own."""


def forget_account() -> None:
    """Have Trivet make its AWS clients anew, and ask again which account it is in."""
    aws_accounts.home.cache_clear()


def configuration() -> Hashable:
    """Return what Trivet is set to do: its variables, and which templates it uses."""
    variables = {
        name: os.environ[name] for name in os.environ if name.startswith(("AWS_", "TRIVET_"))
    }
    return catalogue.load, tuple(sorted(variables.items()))


def home() -> aws_accounts.Home:
    """Return the account as Trivet's own clients reach it."""
    return aws_accounts.home()


def lock_by(lock: Callable[[], Any]) -> None:
    """Have other locks in the place of those that Trivet holds while it calls AWS.

    Who waits for one of Python's own is not seen to wait by the kit's clock.
    """
    here = home()
    here._asking, here._opening, making._MAKING = lock(), lock(), lock()


def dismiss_idle_threads() -> None:
    """Let threads end that wait for the next operation."""
    while operation._IDLE:
        operation._IDLE.pop().shutdown(wait=False)


def current_operation() -> str:
    """Return the id of the operation that this thread works for, or "" if there is none."""
    current = operation.current()
    return current.id if current else ""


def environment_concerned(detail: Mapping[str, Any]) -> str | None:
    """Return the name of the environment that an event of IAM concerns, by its detail."""
    return iam_change.environment_concerned(catalogue.load(), detail)


def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    found: dict[str, Any] = openapi.document()
    return found


def forget_document() -> None:
    """Have the OpenAPI document made anew."""
    openapi.document.cache_clear()


def managed_policies() -> set[str]:
    """Return the names of the AWS managed policies that the templates attach."""
    return set(catalogue.load().aws_managed_policies())


def expected_decision(
    source: str, action: str, resource: str, context: Mapping[str, list[str]]
) -> str:
    """Return what IAM's simulator must say of a role for its smoke test to succeed.

    Args:
        source: the ARN of a role that Trivet made.
        context: values of condition keys, as the simulator was given them.
    """
    _, partition, _, _, account, role = source.split(":")
    profiles = catalogue.load()
    name = profiles.environment_of(role.removeprefix("role/"))
    assert name is not None
    place = Place(account, partition, "us-east-1")
    # No two profiles expect the opposite of one question.
    expected = [
        each.expect
        for profile in profiles.profiles.values()
        for each in _expectations(profile, name, place)
        if (each.role, each.action, each.resource) == (source, action, resource)
        and all(context.get(key) == [value] for key, value in each.context.items())
    ]
    # Groups are asked as a product of actions and resources: of some pairs nothing is expected.
    return "allowed" if "allowed" in expected else "implicitDeny"


_RENDERED: dict[Any, tuple[Any, list[Any]]] = {}


def _expectations(profile: Any, name: str, place: Place) -> list[Any]:
    """Return a profile's expectations, each with its role's ARN; rendered once."""
    kept = _RENDERED.get((id(profile), name, place))
    if kept is None:
        desired = profile.render(name, place, tags={}, permissions_boundary=None, parameters={})
        expectations = [
            replace(each, role=desired.role(each.role).arn) for each in desired.expectations
        ]
        # The profile is kept too, so that no other one gets its id.
        kept = _RENDERED[id(profile), name, place] = (profile, expectations)
    return kept[1]


def reading_records() -> tuple[type, str]:
    """Return the method that reads an environment's record, for pytest's monkeypatch."""
    return environments.Environments, "get"


def reports_kept() -> tuple[Any, str]:
    """Return where Trivet has the number of reports that it keeps, for `patch.object`."""
    return report_rows, "KEPT"


def templates_of(folder: Path) -> tuple[Any, str, Callable[[], Any]]:
    """Return what pytest's monkeypatch needs to have Trivet use the templates of a folder."""
    loaded = catalogue.load(folder)
    return catalogue, "load", lambda *_, **__: loaded


def log_to(stream: io.StringIO) -> Any:
    """Return what pytest's monkeypatch needs to have Trivet's log written to a stream."""
    return telemetry.LOGGER.registered_handler, "stream", stream
