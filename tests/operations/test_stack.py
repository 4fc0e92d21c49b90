"""The stack of operations: its alarms watch what is really sent, and its rules what happens."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from chalicelib.work import telemetry
from tests.kit.account import in_memory
from tests.operations.patterns import matches
from tests.operations.sound import ACCOUNT, checked_in, client
from tools.child import REPOSITORY
from tools.operations.alarms import ALARMS

TEMPLATE = checked_in("deploy/operations.json")
RESOURCES = TEMPLATE["Resources"]
RUNBOOK = (REPOSITORY / "docs" / "runbook.md").read_text()
MOST_BYTES = 51_200
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"""


def test_this_template_and_that_of_member_accounts_pass_cfn_lint() -> None:
    lint = Path(sys.executable).parent / "cfn-lint"
    templates = [
        REPOSITORY / "deploy" / f"{each}.json" for each in ("operations", "member-account")
    ]
    done = subprocess.run([lint, *templates], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")


def test_fits_into_a_call() -> None:
    assert len(json.dumps(TEMPLATE, separators=(",", ":"))) < MOST_BYTES


@pytest.mark.parametrize("alarm", ALARMS, ids=[each.name for each in ALARMS])
def test_every_alarm_has_its_runbook_entry(alarm: Any) -> None:
    assert f"\n### {alarm.name}\n" in RUNBOOK
    [properties] = [
        each["Properties"]
        for each in RESOURCES.values()
        if each["Properties"].get("AlarmName") == {"Fn::Sub": f"trivet-${{Stage}}-{alarm.name}"}
    ]
    assert properties["AlarmDescription"].endswith(f"docs/runbook.md#{alarm.name}")


# --- alarms on what Trivet's functions send


def of_trivet() -> list[dict[str, Any]]:
    found = [each["Properties"] for each in RESOURCES.values()]
    return [each for each in found if each.get("Namespace") == "Trivet"]


@pytest.mark.parametrize("alarm", of_trivet(), ids=lambda each: str(each["MetricName"]))
def test_alarm_fires_on_what_is_really_sent(
    alarm: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry.count(alarm["MetricName"])
    telemetry.flush()
    line = json.loads(capsys.readouterr().out.splitlines()[-1])

    with in_memory():
        put_as_cloudwatch_does(line)
        now = datetime.now(UTC)
        told = client("cloudwatch").get_metric_statistics(
            Namespace=alarm["Namespace"],
            MetricName=alarm["MetricName"],
            Dimensions=alarm["Dimensions"],
            Period=alarm["Period"],
            Statistics=[alarm["Statistic"]],
            StartTime=now - timedelta(seconds=alarm["Period"]),
            EndTime=now + timedelta(seconds=60),
        )

    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    assert [each[alarm["Statistic"]] > alarm["Threshold"] for each in told["Datapoints"]] == [True]


def put_as_cloudwatch_does(line: dict[str, Any]) -> None:
    """Put the metrics of a log line in embedded metric format, each of its dimension sets."""
    [directive] = line["_aws"]["CloudWatchMetrics"]
    for dimensions in directive["Dimensions"]:
        for metric in directive["Metrics"]:
            [value] = line[metric["Name"]]
            client("cloudwatch").put_metric_data(
                Namespace=directive["Namespace"],
                MetricData=[
                    {
                        "MetricName": metric["Name"],
                        "Unit": metric["Unit"],
                        "Value": value,
                        "Dimensions": [{"Name": name, "Value": line[name]} for name in dimensions],
                    }
                ],
            )


# --- invocations past the API


def rolling(invoked: list[int], relayed: list[int]) -> list[int]:
    """Calculate the alarm's expression as CloudWatch does, period by period."""
    alarm = RESOURCES["InvokedPastTheApiAlarm"]["Properties"]["Metrics"]
    expressions = {each["Id"]: each["Expression"] for each in alarm if "Expression" in each}
    assert expressions == {
        "extra": "FILL(invoked, 0) - FILL(relayed, 0)",
        "rolling": "2 * extra - DIFF(extra)",
    }
    extra = [mine - theirs for mine, theirs in zip(invoked, relayed, strict=True)]
    return [2 * now - (now - before) for before, now in pairwise(extra)]


def fires(datapoints: list[int]) -> bool:
    alarm = RESOURCES["InvokedPastTheApiAlarm"]["Properties"]
    periods = alarm["EvaluationPeriods"]
    return any(
        all(each > alarm["Threshold"] for each in datapoints[at : at + periods])
        for at in range(len(datapoints) - periods + 1)
    )


def test_one_forged_invocation_is_told() -> None:
    assert fires(rolling([0, 4, 3, 2, 0], [0, 4, 2, 2, 0]))


def test_request_across_two_periods_is_not() -> None:
    assert not fires(rolling([0, 4, 3, 2, 0], [0, 4, 2, 3, 0]))


# --- the watcher


def pattern(name: str) -> Any:
    text = json.dumps(RESOURCES[name]["Properties"]["EventPattern"])
    values = {"Stage": "dev", "AWS::Partition": "aws", "AWS::AccountId": ACCOUNT}
    for placeholder, value in values.items():
        text = text.replace(f"${{{placeholder}}}", value)
    return json.loads(re.sub(r'\{"Fn::Sub": ("[^"]*")\}', r"\1", text))


def event(issuer: str | None, parameters: dict[str, Any], **detail: Any) -> dict[str, Any]:
    identity: dict[str, Any] = {"type": "IAMUser", "principalId": "AIDAEXAMPLE"}
    if issuer is not None:
        arn = f"arn:aws:iam::{ACCOUNT}:role/{issuer}"
        session = f"AROAEXAMPLE:{issuer.replace('-api_handler', '')}"
        identity = {
            "type": "AssumedRole",
            "principalId": session,
            "sessionContext": {"sessionIssuer": {"arn": arn}},
        }
    return {
        "source": "aws.iam",
        "detail-type": "AWS API Call via CloudTrail",
        "detail": {
            "userIdentity": identity,
            "requestParameters": parameters,
            "userAgent": "Botocore/1.40 exec-env/AWS_Lambda_python3.11 trivet/2.0.0",
            **detail,
        },
    }


NOTEBOOK = {"roleName": "datalake-consumer-dev-SageMaker"}


@pytest.mark.parametrize(
    ("happened", "told"),
    [
        (event("admin", NOTEBOOK), True),
        (event(None, NOTEBOOK), True),
        (event("trivet-dev-api_handler", NOTEBOOK), False),
        (event("trivet-dev-drift_run", NOTEBOOK), False),
        (event("TrivetMember", NOTEBOOK), False),
        (event("trivet-prod-drift_run", NOTEBOOK), True),
        (event("admin", NOTEBOOK, errorCode="AccessDenied"), False),
        (event("admin", {"roleName": "other"}), False),
        (event("admin", {"roleName": "other", "tags": [{"key": "trivet:environment"}]}), True),
        (event("admin", {"roleName": "other", "tagKeys": ["trivet:environment"]}), True),
        (event("admin", {"policyArn": "arn:aws:iam::1:policy/TrivetEnvironmentBoundary"}), True),
        (event("admin", {"policyName": "a-dev-LambdaTriggerStepFuncRole"}), True),
    ],
)
def test_watcher_tells_of_changes_by_others(happened: dict[str, Any], told: bool) -> None:
    assert matches(pattern("ChangedByOthers"), happened) is told


@pytest.mark.parametrize(
    ("happened", "told"),
    [
        (event("trivet-dev-api_handler", NOTEBOOK), False),
        (event("trivet-dev-drift_run", NOTEBOOK), False),
        (event("trivet-dev-drift_run", NOTEBOOK, userAgent="aws-cli/2.30"), True),
        (event("admin", NOTEBOOK, userAgent="aws-cli/2.30"), False),
    ],
)
def test_watcher_tells_of_roles_used_outside(happened: dict[str, Any], told: bool) -> None:
    assert matches(pattern("RolesUsedOutside"), happened) is told


def test_no_pattern_is_too_long_for_eventbridge() -> None:
    for name in ("ChangedByOthers", "RolesUsedOutside"):
        assert len(json.dumps(pattern(name), separators=(",", ":"))) < 2048


def test_fleet_role_may_do_what_its_machine_does_and_no_more() -> None:
    [policy] = RESOURCES["FleetRole"]["Properties"]["Policies"]
    rights = {
        json.dumps(each["Action"]): each["Resource"]
        for each in policy["PolicyDocument"]["Statement"]
    }
    definition = json.loads(RESOURCES["Fleet"]["Properties"]["DefinitionString"]["Fn::Sub"])
    [invoked] = set(re.findall(r'"FunctionName": "([^"]+)"', json.dumps(definition)))

    assert rights['"lambda:InvokeFunction"'] == {"Fn::Sub": invoked}
    assert rights['"states:StartExecution"']["Fn::Sub"].endswith(
        ":stateMachine:trivet-${Stage}-fleet"
    )
    assert [action for action, on in rights.items() if on == "*"] == [
        action for action in rights if action.startswith('["logs:')
    ]
