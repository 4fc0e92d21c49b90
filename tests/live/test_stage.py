"""The contract against a stage, in the order of an environment's life.

Each test goes on where the one before it ended: they are run in their order, in one process.
"""

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest

from tests.live.conftest import Live
from trivet.api import Api, Problem

STARTED = datetime.now(UTC)
SECONDS_FOR_AN_EVENT = 900
SECONDS_FOR_A_SMOKE_TEST = 180
SECONDS_FOR_A_RUN = 900


def test_stage_answers(live: Live) -> None:
    health = live.ask("GET", "/health")

    caller = live.client("sts").get_caller_identity()
    assert (health["status"], health["account_id"]) == ("ok", caller["Account"])


def test_environment_is_made_and_works(live: Live) -> None:
    made = live.ask("PUT", f"/environments/{live.name}", {"tags": {"purpose": "live-test"}})

    assert made["changes"]
    settle(live)
    again = live.ask("PUT", f"/environments/{live.name}", {})
    assert again["changes"] == []
    assert again["tags"] == {"purpose": "live-test"}


def test_deleted_and_made_anew_at_once(live: Live) -> None:
    live.ask("DELETE", f"/environments/{live.name}")
    live.ask("POST", "/environments", {"name": live.name})

    settle(live)


def settle(live: Live) -> None:
    def succeeded() -> bool:
        status = live.ask("GET", f"/environments/{live.name}")["smoke_test"]["status"]
        assert status != "failed"
        return bool(status == "succeeded")

    live.until(succeeded, SECONDS_FOR_A_SMOKE_TEST, "the smoke test")


# --- drift, each made by hand


def detach(live: Live) -> None:
    live.client("iam").detach_role_policy(RoleName=live.role(), PolicyArn=some_attached(live)[0])


def some_attached(live: Live) -> list[str]:
    told = live.client("iam").list_attached_role_policies(RoleName=live.role())
    return [each["PolicyArn"] for each in told["AttachedPolicies"]]


def distrust(live: Live) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    live.client("iam").update_assume_role_policy(
        RoleName=live.role(),
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def add_inline(live: Live) -> None:
    statement = {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}
    live.client("iam").put_role_policy(
        RoleName=live.role(),
        PolicyName="added",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def untag(live: Live) -> None:
    live.client("iam").untag_role(RoleName=live.role(), TagKeys=["trivet:environment"])


def two_within_a_second(live: Live) -> None:
    add_inline(live)
    distrust(live)


DRIFTS = [detach, distrust, add_inline, untag, two_within_a_second]


@pytest.mark.parametrize("change", DRIFTS, ids=lambda each: str(each.__name__))
def test_drift_is_put_back(
    change: Any, live: Live, record_property: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    change(live)
    drift = live.ask("GET", f"/environments/{live.name}/drift")
    if not live.emulated and drift["in_sync"]:
        # IAM may show the old state some seconds longer.
        live.until(lambda: not in_sync(live), 60, "IAM showing the change")
    assert not in_sync(live)

    if live.emulated:
        live.ask("POST", f"/environments/{live.name}/reapply", {"wait": 0})
    else:
        took = live.until(lambda: in_sync(live), SECONDS_FOR_AN_EVENT, "the event's repair")
        record_property("seconds_to_repair", round(took))
        with capsys.disabled():
            sys.stdout.write(f"{change.__name__}: put back after {took:.0f} s\n")
    assert in_sync(live)


def in_sync(live: Live) -> bool:
    return bool(live.ask("GET", f"/environments/{live.name}/drift")["in_sync"])


# --- refusals


def test_team_caller_is_refused_what_it_was_not_given(live: Live) -> None:
    if live.emulated:
        pytest.skip("The local API asks for no signature.")
    arn = live.ask("GET", f"/environments/{live.name}")["created_by"]
    partition, account = arn.split(":")[1], arn.split(":")[4]
    policy = {
        "Effect": "Allow",
        "Action": "execute-api:Invoke",
        "Resource": f"arn:{partition}:execute-api:*:{account}:*/*/GET/environments/{live.name}",
    }
    with pytest.raises(Problem) as refused:
        federated(live, policy).call("DELETE", f"/environments/{live.name}")
    assert refused.value.status == 403


def federated(live: Live, statement: dict[str, str]) -> Any:
    """Return the API for a caller of these rights alone, of a session's length of 15 minutes."""
    sts = live.client("sts")
    try:
        told = sts.get_federation_token(
            Name="live-team",
            DurationSeconds=900,
            Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )["Credentials"]
    except sts.exceptions.ClientError as error:
        pytest.skip(f"A team caller needs GetFederationToken of an IAM user: {error}")
    session = botocore.session.Session()
    session.set_credentials(told["AccessKeyId"], told["SecretAccessKey"], told["SessionToken"])
    return Api(live.api.url, session)


def test_protected_environment_is_not_deleted(live: Live) -> None:
    live.ask("PUT", f"/environments/{live.name}", {"deletion_protection": True})

    with pytest.raises(Problem) as refused:
        live.ask("DELETE", f"/environments/{live.name}")

    assert refused.value.status == 409
    live.ask("DELETE", f"/environments/{live.name}/deletion-protection")


# --- the fleet


def test_fleet_run_finds_it_in_sync(live: Live) -> None:
    report = live.ask("POST", "/drift-runs", {"apply": False, "wait": 20})
    began = time.monotonic()
    while report["status"] == "running":
        assert time.monotonic() - began < SECONDS_FOR_A_RUN
        time.sleep(5)
        report = live.ask("GET", f"/drift-runs/{report['id']}")

    assert live.name not in {each["name"] for each in report["environments"]}
    assert report["checked"] >= 1


def test_nothing_is_left_when_it_is_deleted(live: Live) -> None:
    deleted = live.ask("DELETE", f"/environments/{live.name}")

    assert deleted["left"] == []
    with pytest.raises(Problem) as gone:
        live.ask("GET", f"/environments/{live.name}")
    assert gone.value.status == 404


def test_trivet_was_refused_nothing(live: Live) -> None:
    """CloudTrail has no AccessDenied of a role of Trivet's since this began."""
    if live.emulated:
        pytest.skip("The emulator has no CloudTrail events.")
    refused = []
    pages = (
        live.client("cloudtrail", "us-east-1")
        .get_paginator("lookup_events")
        .paginate(StartTime=STARTED - timedelta(minutes=1), EndTime=datetime.now(UTC))
    )
    for page in pages:
        for each in page["Events"]:
            told = json.loads(each["CloudTrailEvent"])
            issuer = told["userIdentity"].get("sessionContext", {}).get("sessionIssuer", {})
            own = issuer.get("userName", "").startswith((f"trivet-{live.stage}", "TrivetMember"))
            if own and "AccessDenied" in told.get("errorCode", ""):
                refused.append(f"{told['eventName']}: {told.get('errorMessage')}")
    assert refused == []
