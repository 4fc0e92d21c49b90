"""Every kind of drift: found, told in words, put back, and brought back by hand from history alone.

All kinds share one environment, which each test leaves as declared.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from tests.kit.drifts import CATALOGUE, Drift, Target
from tests.kit.events import cloudtrail
from tests.kit.http import invoke
from tests.kit.inventory import resources
from tests.kit.names import ACCOUNT, NAME
from tests.kit.product import KINDS
from tests.kit.world import World, fresh

from .by_hand import bring_back
from .support import drift, only, provision, requested_run, scheduled_run, writes

IN_SYNC = {"name": NAME, "in_sync": True, "changes": [], "foreign": []}

PASS_ROLE = (
    f"allows iam:PassRole on arn:aws:iam::{ACCOUNT}:role/{NAME}-StepFunctionsWorkflowExecution on "
    "the condition StringEquals iam:PassedToService states.amazonaws.com "
    "(statement PassWorkflowExecutionRoleToStepFunctions)"
)
HANDS_OFF = (
    "denies dynamodb:*, lambda:* on arn:aws:dynamodb:*:*:table/trivet-*, "
    "arn:aws:lambda:*:*:function:trivet-* (statement HandsOffTrivet)"
)
OPENED = f"allows * on * besides; no longer {HANDS_OFF}"

SAID: Mapping[tuple[str, str], tuple[str, str]] = {
    ("role_deleted", "create_role"): ("role {name} is missing", "narrowed"),
    ("role_deleted", "attach_managed_policy"): ("{policy} is not attached", "narrowed"),
    ("role_deleted", "put_inline_policy"): (
        f"lacks inline policy PassWorkflowExecutionRole: {PASS_ROLE}; {HANDS_OFF}",
        "narrowed",
    ),
    ("trust_opened", "update_trust_policy"): ("may be assumed by * besides", "widened"),
    ("description_changed", "update_role"): (
        'description is "ours now"; declared: "{description}"',
        "none",
    ),
    ("session_lengthened", "update_role"): (
        "max_session_duration is 43200; declared: 3600",
        "none",
    ),
    ("tags_removed", "tag_role"): (
        f"lacks tag trivet:environment={NAME}; lacks tag trivet:role={{role}}",
        "none",
    ),
    ("tag_changed", "tag_role"): (
        "has tag trivet:role=theirs; declared: trivet:role={role}",
        "none",
    ),
    ("tag_added", "untag_role"): ("has tag owner=them besides", "none"),
    ("boundary_changed", "put_permissions_boundary"): (
        "has the permissions boundary ReadOnlyAccess; declared: TrivetEnvironmentBoundary",
        "altered",
    ),
    ("managed_policy_detached", "attach_managed_policy"): ("{policy} is not attached", "{lost}"),
    ("all_managed_policies_detached", "attach_managed_policy"): (
        "{policy} is not attached",
        "{lost}",
    ),
    ("managed_policy_attached", "detach_managed_policy"): (
        "AdministratorAccess is attached besides",
        "widened",
    ),
    ("inline_policy_added", "delete_inline_policy"): (
        "inline policy theirs is there besides: allows * on *",
        "widened",
    ),
    ("inline_policy_edited", "put_inline_policy"): (
        f"inline policy PassWorkflowExecutionRole: {OPENED}",
        "widened",
    ),
    ("inline_policy_deleted", "put_inline_policy"): (
        f"lacks inline policy PassWorkflowExecutionRole: {PASS_ROLE}; {HANDS_OFF}",
        "altered",
    ),
    ("policy_edited", "update_policy"): (OPENED, "widened"),
    ("policy_deleted", "create_policy"): ("policy {name} is missing", "altered"),
    ("policy_deleted", "attach_managed_policy"): ("{policy} is not attached", "altered"),
    ("policy_tag_changed", "tag_policy"): (
        "has tag trivet:role=theirs; declared: trivet:role={role}",
        "none",
    ),
    ("policy_tag_added", "untag_policy"): ("has tag owner=them besides", "none"),
    ("policy_tags_removed", "tag_policy"): (
        f"lacks tag trivet:environment={NAME}; lacks tag trivet:role={{role}}",
        "none",
    ),
    ("state_machine_deleted", "create_state_machine"): ("does not exist", "none"),
    ("state_machine_edited", "update_state_machine"): (
        (
            "lacks state WhoAmI; lacks state ListProcessingJobs; lacks state RunTrainingJob?; "
            "lacks state TrainingJob; and 3 more differences"
        ),
        "none",
    ),
    ("state_machine_given_another_role", "update_state_machine"): (
        f"runs under the role {NAME}-SageMaker; declared: {NAME}-StepFunctionsWorkflowExecution",
        "none",
    ),
}
"""The summary and the effect, by the drift and the kind of change that it shows as."""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """The world that all kinds share."""
    with fresh() as made:
        provision(made, NAME)
        yield made


@pytest.fixture(scope="module")
def declared(world: World) -> dict[str, Any]:
    """What AWS holds as long as nothing drifted."""
    return resources()


def reapplied(world: World) -> Any:
    answer = world.post(f"/environments/{NAME}/reapply")
    assert answer.status == 200, answer
    assert answer.body["status"] == "ready"
    return answer.body["changes"]


def repaired_by_request(world: World) -> Any:
    report = requested_run(world)
    assert (report["drifted"], report["repaired"], report["failed"]) == (1, 1, 0)
    return only(report)["changes"]


def repaired_on_schedule(world: World) -> Any:
    report = scheduled_run(world)
    assert (report["drifted"], report["repaired"], report["failed"]) == (1, 1, 0)
    return only(report)["changes"]


Way = Callable[[World], Any]
WAYS: tuple[Way, ...] = (reapplied, repaired_by_request, repaired_on_schedule)


def alike(changes: list[Any]) -> list[str]:
    return sorted(json.dumps(change, sort_keys=True) for change in changes)


def told(change: Any, kind: Drift) -> tuple[str, str]:
    """Return the summary and the effect that a change must have."""
    summary, effect = SAID[kind.name, change["kind"]]
    expected = change["expected"]
    named = {
        "name": change["resource"].rsplit("/", 1)[-1],
        "role": change["role"],
        "policy": str(expected).rsplit("/", 1)[-1],
        "description": expected.get("description") if isinstance(expected, dict) else None,
        # The environment's own policies deny too: what lacks one may do less, and more.
        "lost": "altered" if ACCOUNT in str(expected) else "narrowed",
    }
    return summary.format(**named), effect.format(**named)


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        (kind, WAYS[number % len(WAYS)] if kind.in_bulk else reapplied)
        for number, kind in enumerate(CATALOGUE)
    ],
    ids=lambda each: getattr(each, "__name__", None) or f"{each.name}-{each.roles[0]}",
)
def test_each_kind_is_told_put_back_and_kept_in_history(
    world: World, declared: dict[str, Any], kind: Drift, way: Way
) -> None:
    for role in kind.roles:
        kind.on(NAME, role)
    drifted = resources()
    assert drifted != declared

    found = _found(world, kind)
    if way is reapplied:
        _check_preview(world, kind, found)
    entry = _repaired_at_once(world)
    assert resources() == declared
    assert alike(entry["changes"]) == alike(found)
    bring_back(entry["changes"])
    assert resources() == drifted

    assert alike(way(world)) == alike(found)
    assert resources() == declared


@pytest.mark.soak
@pytest.mark.parametrize(
    ("kind", "role"),
    [(kind, role) for kind in CATALOGUE for role in kind.roles],
    ids=lambda each: getattr(each, "name", each),
)
def test_each_kind_on_each_role_is_put_back_in_every_way(
    world: World, declared: dict[str, Any], kind: Drift, role: str
) -> None:
    for repaired in WAYS if kind.in_bulk else (reapplied,):
        kind.on(NAME, role)
        drifted = resources()
        assert drifted != declared
        found = drift(world, NAME)["changes"]
        assert {change["role"] for change in found} == {role}
        _check_preview(world, kind, found)
        assert resources() == drifted
        assert alike(repaired(world)) == alike(found)
        assert resources() == declared
    assert drift(world, NAME) == IN_SYNC


def test_the_catalogue_and_its_words_have_every_kind_of_change() -> None:
    # These two follow from what is declared, and not from what somebody did.
    declared = {"delete_permissions_boundary", "delete_policy"}
    assert {kind for drift in CATALOGUE for kind in drift.kinds} | declared == KINDS
    assert SAID.keys() == {(drift.name, kind) for drift in CATALOGUE for kind in drift.kinds}


def _found(world: World, kind: Drift) -> list[Any]:
    """Return the changes that a look finds, told in the right words."""
    with world.wire.recording() as made:
        found = drift(world, NAME)
    assert not writes(made)
    assert not found["in_sync"]
    changes: list[Any] = found["changes"]
    assert {change["role"] for change in changes} == set(kind.roles)
    assert {change["kind"] for change in changes} == set(kind.kinds)
    for change in changes:
        assert (change["summary"], change["effect"]) == told(change, kind)
    return changes


def _check_preview(world: World, kind: Drift, found: list[Any]) -> None:
    """Check that a preview sees the same, if such a thing is seen in bulk, and changes nothing."""
    with world.wire.recording() as made:
        report = requested_run(world, {"apply": False})
    assert not writes(made)
    if kind.in_bulk:
        assert only(report)["outcome"] == "drifted"
        assert alike(only(report)["changes"]) == alike(found)
    else:
        assert report["in_sync"] == 1


def _repaired_at_once(world: World) -> Any:
    """Have IAM report that somebody changed it, and return the entry that this adds to history."""
    parameters = {"roleName": Target(NAME, "notebook").role}
    event = cloudtrail(world.clock.now(), "UpdateRole", parameters)
    world.clock.sleep(90)
    invoke("iam_change", event)
    [entry] = world.get(f"/environments/{NAME}/history?limit=1").body["entries"]
    assert (entry["operation"], entry["outcome"]) == ("event_repair", "done")
    detail = event["detail"]
    assert entry["cause"] == {
        "event_id": detail["eventID"],
        "event_name": "UpdateRole",
        "event_time": detail["eventTime"],
        "actor": detail["userIdentity"]["arn"],
    }
    return entry
