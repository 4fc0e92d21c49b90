"""The stack of operations: it deploys as it is checked in, and its rules see what happens."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.operations.patterns import matches
from tests.operations.sound import ACCOUNT, checked_in
from tools.child import REPOSITORY

TEMPLATE = checked_in("deploy/operations.json")
RESOURCES = TEMPLATE["Resources"]
MOST_BYTES = 51_200
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"""


@pytest.mark.slow
def test_this_template_and_that_of_member_accounts_pass_cfn_lint() -> None:
    lint = Path(sys.executable).parent / "cfn-lint"
    templates = [
        REPOSITORY / "deploy" / f"{each}.json" for each in ("operations", "member-account")
    ]
    done = subprocess.run([lint, *templates], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")


def test_fits_into_a_call() -> None:
    assert len(json.dumps(TEMPLATE, separators=(",", ":"))) < MOST_BYTES


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
