"""Reports and the brake, as callers of the API see them: sections 2 and 4."""

import json
from typing import Any

import pytest

from tests.kit import account, inventory
from tests.kit.checks import fields_in_error
from tests.kit.names import READ_ONLY, RECORDS, TABLE
from tests.kit.world import World

NAMES = [f"fleet-{number:02}" for number in range(10)]


@pytest.fixture
def fleet(world: World) -> World:
    """Ten environments: a fleet that has a brake."""
    for name in NAMES:
        world.provision(name, wait=0)
    return world


def drift(names: list[str]) -> None:
    for name in names:
        iam = account.client("iam")
        iam.attach_role_policy(RoleName=f"{name}-SageMaker", PolicyArn=READ_ONLY)


def drifted() -> list[str]:
    roles = inventory.held()["roles"]
    return [name for name in NAMES if READ_ONLY in roles[f"{name}-SageMaker"]["attached"]]


def run(world: World, **body: Any) -> Any:
    answer = world.post("/drift-runs", body)
    assert answer.status == 200, answer
    return answer.body


def test_a_run_that_would_change_too_much_repairs_nothing_until_confirmed(fleet: World) -> None:
    drift(NAMES[:6])

    with fleet.wire.recording() as calls:
        stopped = run(fleet)
    still = drifted()
    confirmed = run(fleet, confirm=stopped["id"])

    assert stopped["applied"] is False
    assert stopped["stopped"]
    assert (stopped["drifted"], stopped["repaired"]) == (6, 0)
    assert {each["outcome"] for each in stopped["environments"]} == {"drifted"}
    assert still == NAMES[:6]
    assert [call.action for call in calls if call.service == "EventBridge"]
    assert (confirmed["applied"], confirmed["stopped"], confirmed["repaired"]) == (True, None, 6)
    assert drifted() == []


def test_confirmed_is_what_that_report_found_and_no_more(fleet: World) -> None:
    drift(NAMES[:6])
    stopped = run(fleet)
    drift(NAMES[6:8])

    again = run(fleet, confirm=stopped["id"])

    assert again["applied"] is False
    assert again["stopped"]
    assert drifted() == NAMES[:8]


def test_half_of_a_fleet_is_repaired(fleet: World) -> None:
    drift(NAMES[:5])

    assert run(fleet)["repaired"] == 5
    assert drifted() == []


def test_the_share_is_the_deployments(fleet: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIVET_MAX_DRIFT", "0.1")
    drift(NAMES[:2])

    assert run(fleet)["stopped"]
    assert drifted() == NAMES[:2]


def test_a_report_that_is_none_cannot_be_confirmed(world: World) -> None:
    assert fields_in_error(world.post("/drift-runs", {"confirm": "no-such"})) == ["confirm"]


def test_a_preview_tells_nobody_and_writes_nothing_but_its_report(fleet: World) -> None:
    drift(NAMES[:3])
    before = inventory.held()

    with fleet.wire.recording() as calls:
        preview = run(fleet, apply=False)

    after = inventory.held()
    assert (preview["applied"], preview["drifted"], preview["repaired"]) == (False, 3, 0)
    assert not [call for call in calls if call.service == "EventBridge"]
    assert {**after, "items": None} == {**before, "items": None}
    known = {json.dumps(each, sort_keys=True, default=str) for each in before["items"][TABLE]}
    new = [
        each
        for each in after["items"][TABLE]
        if json.dumps(each, sort_keys=True, default=str) not in known
    ]
    assert new
    assert all(each["pk"]["S"].startswith("drift-") for each in new), [each["pk"] for each in new]
    assert fleet.get(f"/drift-runs/{preview['id']}").body == preview
    assert fleet.get("/drift-runs/latest").status == 404


def test_a_report_is_read_by_pages(fleet: World) -> None:
    drift(NAMES[:5])
    report = run(fleet)
    path, found = f"/drift-runs/{report['id']}?limit=2", []
    cursor = ""
    while True:
        page = fleet.get(path + cursor).body
        assert len(page["environments"]) <= 2
        assert page["checked"] == report["checked"] == len(NAMES)
        found += page["environments"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    assert found == report["environments"]
    assert [each["name"] for each in found] == NAMES[:5]


def test_reports_are_listed_newest_first_without_environments(world: World) -> None:
    world.provision(wait=0)
    ids = []
    for number in range(5):
        ids.append(run(world, apply=number % 2 == 0)["id"])
        world.clock.sleep(60)

    first = world.get("/drift-runs?limit=3").body
    rest = world.get(f"/drift-runs?limit=3&cursor={first['next_cursor']}").body
    listed = [*first["drift_runs"], *rest["drift_runs"]]

    assert [each["id"] for each in listed] == ids[::-1]
    assert rest["next_cursor"] is None
    assert not [each for each in listed if "environments" in each]
    assert world.get("/drift-runs/latest").body["id"] == ids[4]
    assert world.get("/drift-runs/no-such").status == 404


def test_a_run_takes_the_environments_that_are_named(fleet: World) -> None:
    drift(NAMES[:3])

    report = run(fleet, environments=NAMES[:2])

    assert (report["checked"], report["repaired"]) == (2, 2)
    assert drifted() == NAMES[2:3]


# --- rows that cannot be read


@pytest.mark.parametrize("broken", ["{", '{"name": "other"}', '{"status": 7}'])
def test_a_row_that_cannot_be_read_stops_no_other(fleet: World, dynamodb: Any, broken: str) -> None:
    dynamodb.update_item(
        TableName=TABLE,
        Key={"pk": {"S": RECORDS}, "sk": {"S": NAMES[3]}},
        UpdateExpression="SET #record = :broken",
        ExpressionAttributeNames={"#record": _record_attribute(dynamodb)},
        ExpressionAttributeValues={":broken": {"S": broken}},
    )
    drift([NAMES[2]])

    report = run(fleet)

    outcomes = {each["name"]: each["outcome"] for each in report["environments"]}
    assert outcomes == {NAMES[2]: "repaired", NAMES[3]: "failed"}
    assert drifted() == []
    shown = fleet.request("GET", f"/environments/{NAMES[4]}")
    assert shown.status == 200


def _record_attribute(dynamodb: Any) -> str:
    """Return the attribute in which the record's document is kept."""
    key = {"pk": {"S": RECORDS}, "sk": {"S": NAMES[3]}}
    item = dynamodb.get_item(TableName=TABLE, Key=key)["Item"]
    [found] = [name for name, value in item.items() if value.get("S", "").startswith("{")]
    return str(found)
