"""The fleet's state machine, as it is generated, over members of which some cannot be reached.

CloudFormation makes it from the template's part; its steps are the function that Chalice packages,
run by MiniStack as processes of their own, with the rights that are generated for it.
"""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.accounts.support import MEMBER, OTHERS, in_account
from tests.kit.http import Api
from tests.kit.names import ACCOUNT, NAME
from tests.kit.packaged import copy_project, package
from tests.ministack.stack import EXTERNAL_ID, STAGE, MiniStack
from tools.operations import fleet_machine

pytestmark = pytest.mark.soak

ROLE = f"{NAME}-SageMaker"
REFUSING, NOT_THERE = OTHERS[1], OTHERS[2]
SOUND = (MEMBER, OTHERS[0])
FLEET_STEP = f"trivet-{STAGE}-fleet_step"
SECONDS_OF_A_RUN = 300


@pytest.fixture(scope="module")
def deployed(aws: MiniStack, tmp_path_factory: pytest.TempPathFactory) -> MiniStack:
    """Home, with the function of the steps and the state machine."""
    project = tmp_path_factory.mktemp("packaged") / "project"
    copy_project(project)
    zipped = package(project, "out", "--stage", STAGE) / "deployment.zip"
    functions = aws.client("lambda", ACCOUNT)
    functions.create_function(
        FunctionName=FLEET_STEP,
        Runtime="python3.11",
        Handler="app.fleet_step",
        Role=f"arn:aws:iam::{ACCOUNT}:role/{FLEET_STEP}",
        Timeout=900,
        Code={"ZipFile": Path(zipped).read_bytes()},
        Environment={
            "Variables": {"TRIVET_STAGE": STAGE, "TRIVET_EXTERNAL_ID": EXTERNAL_ID},
        },
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=FLEET_STEP)
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Parameters": {"Stage": {"Type": "String"}},
        "Resources": _without_logs(fleet_machine.resources()),
    }
    aws.deploy(ACCOUNT, "fleet", json.dumps(template), Stage=STAGE)
    return aws


def _without_logs(resources: dict[str, Any]) -> dict[str, Any]:
    """Leave out the log group, which names a parameter of the whole template."""
    del resources["Fleet"]["Properties"]["LoggingConfiguration"]
    return {name: each for name, each in resources.items() if name != "FleetLog"}


def _finished(api: Api, path: str) -> Any:
    """Return a run's report when it is finished."""
    until = time.monotonic() + SECONDS_OF_A_RUN
    while True:
        answer = api.get(path)
        assert answer.status == 200, answer
        if answer.body["status"] == "finished":
            return answer.body
        assert time.monotonic() < until, answer
        time.sleep(0.5)


def _run(api: Api) -> Any:
    answer = api.post("/drift-runs", {"wait": 0})
    assert answer.status == 202, answer
    return _finished(api, answer.headers["location"])


def _rows(report: Any) -> dict[str, Any]:
    return {each["account_id"]: each for each in report["accounts"]}


def test_of_five_accounts_one_refuses_and_one_is_not_there(deployed: MiniStack, api: Api) -> None:
    aws = deployed
    for account in (*SOUND, REFUSING, NOT_THERE):
        aws.let_in(account)
        assert api.put(f"/accounts/{account}", {}).status == 201
    for account in (ACCOUNT, *SOUND, REFUSING):
        made = api.put(in_account(account, f"/{NAME}"), {"wait": 0})
        assert made.status == 201, made
    for account in (MEMBER, REFUSING):
        aws.client("iam", account).delete_role_permissions_boundary(RoleName=ROLE)
    aws.let_in(REFUSING, ExternalId="another")
    aws.client("cloudformation", NOT_THERE).delete_stack(StackName="trivet-member")

    report = _run(api)

    rows = _rows(report)
    assert sorted(rows) == sorted([ACCOUNT, *SOUND, REFUSING, NOT_THERE])
    assert all("TrivetMember" in rows[each]["error"] for each in (REFUSING, NOT_THERE))
    assert not any(rows[each]["error"] for each in (ACCOUNT, *SOUND))
    assert (report["checked"], report["in_sync"], report["repaired"]) == (3, 2, 1)
    assert report["stopped"] is None
    assert "PermissionsBoundary" in aws.client("iam", MEMBER).get_role(RoleName=ROLE)["Role"]

    states = aws.client("stepfunctions", ACCOUNT)
    machine = f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:trivet-{STAGE}-fleet"
    [execution] = states.list_executions(stateMachineArn=machine)["executions"]
    assert execution["status"] == "SUCCEEDED"
    maps = states.list_map_runs(executionArn=execution["executionArn"])["mapRuns"]
    counts = [
        states.describe_map_run(mapRunArn=each["mapRunArn"])["itemCounts"]["total"] for each in maps
    ]
    assert len(counts) == 2
    assert max(counts) == 5, (
        "all are looked at; those are repaired in which there is something to do"
    )

    # Granted anew, the next run picks up where it was.
    aws.let_in(REFUSING)
    again = _run(api)
    assert _rows(again)[REFUSING]["repaired"] == 1
    assert [each for each, row in _rows(again).items() if row["error"]] == [NOT_THERE]
