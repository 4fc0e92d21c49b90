"""Section 3: three kinds of evidence, each a named check; what is unfinished is carried on."""

import json
import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.kit import product
from tests.kit.clock import Clock
from tests.kit.drifts import delete_role
from tests.kit.http import Api
from tests.kit.names import ROOT
from tests.kit.product import expected_decision
from tests.kit.wire import Call, Layer, answering, refusing

EXPECTATIONS = json.loads((ROOT / "policies/smoke-test/expectations.json").read_text())
NAMES = [each["name"] for each in EXPECTATIONS]
NOT_ASSUMABLE = (
    "Neither the global service principal states.amazonaws.com, nor the regional one is authorized "
    "to assume the provided role."
)


def simulated(decide: Any) -> Layer:
    """Have SimulatePrincipalPolicy answer in AWS's shape; `decide` returns the decision."""

    def answer(call: Call) -> dict[str, Any] | None:
        if call.action != "SimulatePrincipalPolicy":
            return None
        context = {
            entry["ContextKeyName"]: entry["ContextKeyValues"]
            for entry in call.parameters["ContextEntries"]
        }
        source = call.parameters["PolicySourceArn"]
        evaluated = [
            {
                "EvalActionName": action,
                "EvalResourceName": resource,
                "EvalDecision": decide(source, action, resource, context),
                "MatchedStatements": [],
                "MissingContextValues": [],
                "ResourceSpecificResults": [
                    {
                        "EvalResourceName": resource,
                        "EvalResourceDecision": decide(source, action, resource, context),
                        "MatchedStatements": [],
                        "MissingContextValues": [],
                    }
                ],
            }
            for action in call.parameters["ActionNames"]
            for resource in call.parameters["ResourceArns"]
        ]
        return {"EvaluationResults": evaluated, "IsTruncated": False}

    return answering(answer)


def statuses(document: Any) -> dict[str, str]:
    checks = document["smoke_test"]["checks"]
    assert all(check["detail"] for check in checks)
    return {check["name"]: check["status"] for check in checks}


LIVE = "a workflow runs under the workflow_execution role"


def test_where_simulation_is_not_offered_it_is_skipped_never_passed(api: Api, name: str) -> None:
    document = api.provision(name)

    seen = statuses(document)
    assert document["smoke_test"]["status"] == "succeeded"
    assert [seen[each] for each in NAMES] == ["skipped"] * len(NAMES)
    assert seen[LIVE] == "passed"
    assert Counter(seen.values()) == {"passed": 4, "skipped": len(NAMES)}
    [detail] = {
        check["detail"]
        for check in document["smoke_test"]["checks"]
        if check["status"] == "skipped"
    }
    assert "SimulatePrincipalPolicy" in detail


def test_every_expectation_is_asked_as_templates_say(api: Api, name: str) -> None:
    with api.wire.recording(simulated(expected_decision)) as calls:
        document = api.provision(name)

    assert document["smoke_test"]["status"] == "succeeded"
    assert set(statuses(document).values()) == {"passed"}
    assert sorted(each for each in statuses(document) if each in NAMES) == sorted(NAMES)
    # Asked in groups: what is asked of one role in one context goes in one call.
    asked = [
        (call.parameters["PolicySourceArn"], action, resource)
        for call in calls
        if call.action == "SimulatePrincipalPolicy"
        for action in call.parameters["ActionNames"]
        for resource in call.parameters["ResourceArns"]
    ]
    for each in EXPECTATIONS:
        role = document["roles"][each["role"]]["arn"]
        assert any((source, action) == (role, each["action"]) for source, action, _ in asked)
    assert calls.names.count("SimulatePrincipalPolicy") < len(NAMES)


def test_the_simulator_is_given_no_tags_but_trivets(api: Api, name: str) -> None:
    """A caller's own may have a key that the simulator refuses, and no expectation rests on one."""
    tags = {"cost centre / 4711": "a+b=c", "team": "data"}

    with api.wire.recording(simulated(expected_decision)) as calls:
        api.provision(name, tags=tags)

    given = [call for call in calls if call.action == "SimulatePrincipalPolicy"]
    assert given
    for call in given:
        keys = {entry["ContextKeyName"] for entry in call.parameters["ContextEntries"]}
        assert {key for key in keys if key.startswith("aws:PrincipalTag/")} == {
            "aws:PrincipalTag/trivet:environment",
            "aws:PrincipalTag/trivet:role",
        }


@pytest.mark.parametrize("decision", ["implicitDeny", "explicitDeny"])
def test_denial_is_denial_explicit_or_not(api: Api, name: str, decision: str) -> None:
    def deny(*asked: Any) -> str:
        return "allowed" if expected_decision(*asked) == "allowed" else decision

    with api.wire.through(simulated(deny)):
        assert api.provision(name)["smoke_test"]["status"] == "succeeded"


@pytest.mark.parametrize("decision", ["allowed", "implicitDeny", "explicitDeny"])
def test_what_is_not_expected_decision_fails_and_says_what_was_seen(
    api: Api, name: str, decision: str
) -> None:
    with api.wire.through(simulated(lambda *_: decision)):
        document = api.provision(name)

    expected = {
        each["name"]: "passed"
        if (each["expect"] == "allowed") == (decision == "allowed")
        else "failed"
        for each in EXPECTATIONS
    }
    seen = statuses(document)
    assert {each: seen[each] for each in NAMES} == expected
    assert document["smoke_test"]["status"] == "failed"
    assert document["status"] == "ready"
    details = {each["name"]: each["detail"] for each in document["smoke_test"]["checks"]}
    for each in EXPECTATIONS:
        assert decision in details[each["name"]]
        assert each["action"] in details[each["name"]]


def test_trust_policy_edited_behind_trivets_back_fails_the_check(
    api: Api, iam: Any, name: str
) -> None:
    api.provision(name)
    trust = json.loads((ROOT / "policies/standard/notebook/trust.json").read_text())
    trust["Statement"][0]["Principal"] = {"Service": "ec2.amazonaws.com"}
    iam.update_assume_role_policy(RoleName=f"{name}-SageMaker", PolicyDocument=json.dumps(trust))

    answer = api.post(f"/environments/{name}/smoke-test")

    assert answer.status == 200
    assert answer.body["smoke_test"]["status"] == "failed"
    [failed] = [each for each in answer.body["smoke_test"]["checks"] if each["status"] == "failed"]
    assert "notebook" in failed["name"]
    assert "ec2.amazonaws.com" in failed["detail"]

    api.post(f"/environments/{name}/reapply")
    assert api.get(f"/environments/{name}").body["smoke_test"]["status"] == "succeeded"


def test_missing_role_fails_its_checks(api: Api, iam: Any, name: str) -> None:
    api.provision(name)
    role = f"{name}-LambdaTriggerStepFunc"
    delete_role(role)

    document = api.post(f"/environments/{name}/smoke-test", {"wait": 5}).body

    assert document["smoke_test"]["status"] == "failed"
    failed = [each for each in document["smoke_test"]["checks"] if each["status"] == "failed"]
    assert {role in each["detail"] for each in failed} == {True}


# --- the live check


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Templates whose state machine fails."""
    folder = tmp_path / "policies"
    shutil.copytree(ROOT / "policies", folder)
    fails = {"Type": "Fail", "Error": "Broken", "Cause": "on purpose"}
    definition = {"StartAt": "Broken", "States": {"Broken": fails}}
    (folder / "smoke-test" / "definition.asl.json").write_text(json.dumps(definition))
    monkeypatch.setattr(*product.templates_of(folder))


def test_failing_execution_fails_the_smoke_test(api: Api, name: str, broken: None) -> None:
    document = api.provision(name)

    assert document["status"] == "ready"
    assert document["smoke_test"]["status"] == "failed"
    [live] = [each for each in document["smoke_test"]["checks"] if each["status"] == "failed"]
    assert live["name"] == LIVE
    assert "Broken" in live["detail"]
    assert "on purpose" in live["detail"]


def test_failed_smoke_test_is_run_again_by_post(
    api: Api, name: str, broken: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = api.provision(name)["smoke_test"]
    shown = api.get(f"/environments/{name}").body["smoke_test"]
    monkeypatch.undo()

    second = api.provision(name)

    assert shown == first
    assert [change["kind"] for change in second["changes"]] == ["update_state_machine"]
    assert second["smoke_test"]["status"] == "succeeded"
    assert second["smoke_test"]["execution_arn"] != first["execution_arn"]


def test_smoke_test_runs_again_when_asked(api: Api, name: str) -> None:
    first = api.provision(name)
    again = api.post(f"/environments/{name}/smoke-test", {"wait": 25})

    assert again.status == 200
    assert again.body["smoke_test"]["status"] == "succeeded"
    assert again.body["smoke_test"]["execution_arn"] != first["smoke_test"]["execution_arn"]
    kept = {key: value for key, value in first.items() if key not in ("smoke_test", "changes")}
    assert again.body["changes"] == []
    assert {key: again.body[key] for key in kept} == kept


# --- waiting, and carrying on


@answering
def never_ending(call: Call) -> dict[str, Any] | None:
    """Have every execution run on."""
    if call.action == "DescribeExecution":
        return {"status": "RUNNING", "executionArn": call.parameters["executionArn"]}
    return None


@pytest.mark.calm
@pytest.mark.parametrize("wait", [0, 1, 7.5, 20])
def test_wait_is_honoured_and_get_carries_on(
    api: Api, name: str, clock: Clock, wait: float
) -> None:
    with api.wire.through(never_ending):
        document = api.provision(name, wait=wait)
        still = api.get(f"/environments/{name}").body

    assert document["status"] == "ready"
    assert document["smoke_test"]["status"] == still["smoke_test"]["status"] == "running"
    assert document["smoke_test"]["execution_arn"] == still["smoke_test"]["execution_arn"]
    assert wait - 1 <= clock.slept <= wait

    @answering
    def ended(call: Call) -> dict[str, Any] | None:
        if call.action != "DescribeExecution":
            return None
        return {
            "status": "SUCCEEDED",
            "name": "x",
            "startDate": _AT,
            "stopDate": _AT,
            "output": "{}",
        }

    with api.wire.through(ended):
        finished = api.get(f"/environments/{name}").body
    assert finished["smoke_test"]["status"] == "succeeded"
    assert finished["smoke_test"]["execution_arn"] == document["smoke_test"]["execution_arn"]


_AT = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


@pytest.mark.calm
def test_wait_ends_in_time_for_the_answer(api: Api, name: str, clock: Clock) -> None:
    api.provision(name, wait=0)

    with api.wire.through(never_ending):
        answer = api.post(f"/environments/{name}/smoke-test", {"wait": 25})

    assert answer.status == 200
    assert answer.body["smoke_test"]["status"] == "running"
    # API Gateway gives up after 29 s, and what became of it is still to be recorded.
    assert 15 <= clock.slept < 25


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_execution_that_ends_badly_fails_the_check(api: Api, name: str, status: str) -> None:
    @answering
    def ended(call: Call) -> dict[str, Any] | None:
        if call.action != "DescribeExecution":
            return None
        cause = {"error": "States.TaskFailed", "cause": "said so"}
        return {"status": status, "name": "x", "startDate": _AT, "stopDate": _AT, **cause}

    with api.wire.through(ended):
        document = api.provision(name)

    assert document["smoke_test"]["status"] == "failed"
    [failed] = [each for each in document["smoke_test"]["checks"] if each["status"] == "failed"]
    assert all(word in failed["detail"] for word in (status, "States.TaskFailed", "said so"))


@pytest.mark.calm
def test_execution_that_is_gone_fails_the_check(api: Api, name: str, clock: Clock) -> None:
    with api.wire.through(never_ending):
        api.provision(name, wait=0)
    # For some seconds after its start, it may be that it does not show yet.
    clock.sleep(60)
    with api.wire.through(
        refusing("DescribeExecution", "ExecutionDoesNotExist", "no such execution")
    ):
        document = api.get(f"/environments/{name}").body

    assert document["smoke_test"]["status"] == "failed"
    [failed] = [each for each in document["smoke_test"]["checks"] if each["status"] == "failed"]
    assert "Run the smoke test again" in failed["detail"]
    again = api.post(f"/environments/{name}/smoke-test").body
    assert again["smoke_test"]["status"] == "succeeded"


@pytest.mark.calm
def test_role_not_yet_visible_is_pending_then_carried_on(api: Api, name: str, clock: Clock) -> None:
    with api.wire.through(refusing("CreateStateMachine", "AccessDeniedException", NOT_ASSUMABLE)):
        created = api.post("/environments", {"name": name, "wait": 8})
        shown = api.get(f"/environments/{name}").body
    clock.sleep(10)
    carried_on = api.get(f"/environments/{name}").body

    assert created.status == 201
    assert created.body["smoke_test"]["status"] == shown["smoke_test"]["status"] == "pending"
    assert created.body["smoke_test"]["execution_arn"] is None
    assert created.body["status"] == "incomplete"
    assert [change["kind"] for change in carried_on["changes"]] == ["create_state_machine"]
    assert carried_on["status"] == "ready"
    assert carried_on["smoke_test"]["status"] in ("running", "succeeded")


def test_role_not_visible_for_minutes_fails_and_says_both_causes(
    api: Api, name: str, clock: Clock
) -> None:
    with api.wire.through(refusing("CreateStateMachine", "AccessDeniedException", NOT_ASSUMABLE)):
        api.provision(name, wait=1)
        clock.sleep(product.GIVE_UP_AFTER + 1)
        document = api.get(f"/environments/{name}").body

    assert document["smoke_test"]["status"] == "failed"
    [failed] = document["smoke_test"]["checks"]
    assert failed["status"] == "failed"
    assert "spreading" in failed["detail"]
    assert "trust policy" in failed["detail"]
    assert document["status"] == "incomplete"


@pytest.mark.calm
def test_role_seen_within_the_wait_succeeds(api: Api, name: str) -> None:
    at_first = refusing("CreateStateMachine", "AccessDeniedException", NOT_ASSUMABLE, times=3)
    with api.wire.recording(at_first) as calls:
        document = api.provision(name)

    assert calls.names.count("CreateStateMachine") == 3 + 1
    assert (document["status"], document["smoke_test"]["status"]) == ("ready", "succeeded")


def test_definition_holds_a_sync_task_in_a_branch_never_taken(
    api: Api, states: Any, name: str
) -> None:
    document = api.provision(name)

    execution = document["smoke_test"]["execution_arn"]
    history = states.get_execution_history(executionArn=execution)["events"]
    entered = [
        each["stateEnteredEventDetails"]["name"]
        for each in history
        if "stateEnteredEventDetails" in each
    ]
    machine = states.describe_state_machine(
        stateMachineArn=document["smoke_test"]["state_machine_arn"]
    )
    all_states = json.loads(machine["definition"])["States"]
    sync = [key for key, state in all_states.items() if ".sync" in state.get("Resource", "")]
    assert sync
    assert not set(sync) & set(entered)
    assert entered[-1] == "Done"
