"""Reports kept: the newest is given, the last thirty stay, large ones are in parts and whole."""

import json
from collections import Counter
from typing import Any
from unittest.mock import patch

import pytest

from tests.kit import product
from tests.kit.drifts import Target
from tests.kit.events import scheduled
from tests.kit.http import invoke
from tests.kit.names import NAME, OPEN
from tests.kit.product import TrivetError
from tests.kit.wire import Call, refusing
from tests.kit.world import World

from .support import latest, only, provision, requested_run, scheduled_run

TABLE = "trivet-local"
LARGEST_ITEM = 400_000


@pytest.fixture
def large(world: World, iam: Any) -> None:
    """An environment of which every report has more than a megabyte, since extras stay."""
    provision(world, NAME, on_extras="report")
    for number in range(3):
        # moto takes inline policies of any size.
        statement = {"Effect": "Deny", "Action": "*", "Resource": "*", "Sid": "x" * 400_000}
        iam.put_role_policy(
            RoleName=Target(NAME, "notebook").role,
            PolicyName=f"large-{number}",
            PolicyDocument=json.dumps(OPEN | {"Statement": [statement]}),
        )


def rows(dynamodb: Any) -> Counter[str]:
    """Return how many rows of reports there are, by the first part of their key."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=TABLE)
    keys = [row["pk"]["S"] for page in pages for row in page["Items"]]
    return Counter(key for key in keys if key.startswith("drift-run"))


def test_the_newest_are_kept_whoever_asked_for_them(world: World, dynamodb: Any) -> None:
    with patch.object(*product.reports_kept(), 5):
        for number in range(7):
            report = requested_run(world) if number % 2 else scheduled_run(world)
            assert latest(world) == report
    kept = rows(dynamodb)
    assert kept.pop("drift-run") == 5
    assert list(kept.values()) == [1] * 5


@pytest.mark.usefixtures("large")
def test_a_large_report_is_kept_in_parts_and_given_whole(world: World, dynamodb: Any) -> None:
    report = requested_run(world)

    assert len(json.dumps(report)) > 3 * LARGEST_ITEM
    assert latest(world) == report
    assert [change["actual"]["name"] for change in only(report)["changes"]] == [
        f"large-{number}" for number in range(3)
    ]
    kept = rows(dynamodb)
    assert kept.pop("drift-run") == 1
    assert kept.keys() == {f"drift-run#{report['id']}"}

    world.request("DELETE", f"/environments/{NAME}")
    with patch.object(*product.reports_kept(), 3):
        for _ in range(3):
            requested_run(world)
    kept = rows(dynamodb)
    assert kept.pop("drift-run") == 3
    assert f"drift-run#{report['id']}" not in kept


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("write", ["PutItem", "BatchWriteItem"])
def test_a_half_written_report_is_never_given(world: World, write: str) -> None:
    """The head comes first, then the parts, and last the word that it is whole."""
    whole = requested_run(world)
    world.clock.sleep(1)

    def half_written(call: Call) -> bool:
        return call.action == write and "drift-run" in str(call.parameters)

    with world.wire.through(refusing(half_written, "InternalServerError")):
        world.request("POST", "/drift-runs")
    assert latest(world) == whole

    world.clock.sleep(60)
    after = requested_run(world)
    assert latest(world) == after


def keeping_a_report(call: Call) -> bool:
    item = call.parameters.get("Item", {})
    return call.action == "PutItem" and item["pk"]["S"].startswith("drift-run")


def test_who_asked_gets_the_report_even_if_it_cannot_be_kept(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    provision(world, NAME)
    iam = Target(NAME, "notebook").iam
    iam.put_role_policy(
        RoleName=Target(NAME, "notebook").role,
        PolicyName="theirs",
        PolicyDocument=json.dumps(OPEN),
    )

    with world.wire.through(refusing(keeping_a_report, "AccessDeniedException", "no")):
        report = requested_run(world)
    assert only(report)["changes"][0]["actual"] == {"name": "theirs", "document": OPEN}
    assert world.request("GET", "/drift-runs/latest").status == 404
    [line] = [each for each in caplog.records if each.message == "drift report not kept"]
    assert json.loads(vars(line)["report"]) == report


def test_the_schedule_fails_aloud_where_its_report_cannot_be_kept(world: World) -> None:
    refused = refusing(keeping_a_report, "AccessDeniedException", "no")
    with world.wire.through(refused), pytest.raises(TrivetError, match="recording drift run"):
        invoke("drift_run", scheduled())


def test_the_scheduled_handler_is_invoked_as_eventbridge_does() -> None:
    event = scheduled()
    assert (event["source"], event["detail-type"]) == ("aws.events", "Scheduled Event")
    assert product.app.handler_map.keys() >= {"drift_run", "iam_change"}
