"""IAM's changes as CloudTrail tells them: the environment concerned is put back at once."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.kit import product
from tests.kit.account import client
from tests.kit.drifts import Target, named
from tests.kit.events import cloudtrail
from tests.kit.faults import KillAt, Killed
from tests.kit.http import invoke
from tests.kit.inventory import resources
from tests.kit.names import ADMINISTRATOR, NAME, OPEN, OPEN_TRUST
from tests.kit.product import Busy, TrivetError
from tests.kit.wire import refusing
from tests.kit.world import World

from .support import drift, provision, reads, writes
from .test_told import metrics, told

BOUNDARY = "arn:aws:iam::aws:policy/PowerUserAccess"
OTHER = "datalake-producer-dev"


def role_made_again(target: Target) -> None:
    tags = client("iam").get_role(RoleName=target.role)["Role"]["Tags"]
    named("role_deleted").make(target)
    target.iam.create_role(
        RoleName=target.role, AssumeRolePolicyDocument=json.dumps(OPEN_TRUST), Tags=tags
    )


def policy_made_again(target: Target) -> None:
    tags = target.iam.get_policy(PolicyArn=target.policy)["Policy"]["Tags"]
    named("policy_deleted").make(target)
    target.iam.create_policy(
        PolicyName=target.policy.rsplit("/", 1)[-1], PolicyDocument=json.dumps(OPEN), Tags=tags
    )


def open_version_made_default(target: Target) -> None:
    target.iam.create_policy_version(PolicyArn=target.policy, PolicyDocument=json.dumps(OPEN))
    target.iam.set_default_policy_version(PolicyArn=target.policy, VersionId="v2")


def open_version_made_default_and_ours_deleted(target: Target) -> None:
    open_version_made_default(target)
    target.iam.delete_policy_version(PolicyArn=target.policy, VersionId="v1")


def boundary_removed(target: Target) -> None:
    target.iam.delete_role_permissions_boundary(RoleName=target.role)


@dataclass(frozen=True)
class Case:
    """An IAM operation, someone's use of it, and what CloudTrail records of its parameters."""

    operation: str
    make: Callable[[Target], None]
    parameters: Callable[[Target], dict[str, Any]]


def on_role(operation: str, make: Callable[[Target], None], **more: Any) -> Case:
    return Case(operation, make, lambda target: {"roleName": target.role, **more})


def on_policy(operation: str, make: Callable[[Target], None], **more: Any) -> Case:
    return Case(operation, make, lambda target: {"policyArn": target.policy, **more})


CASES = [
    *(
        on_role(
            operation,
            role_made_again,
            assumeRolePolicyDocument=json.dumps(OPEN_TRUST),
            tags=[{"key": "trivet:environment", "value": NAME}],
        )
        for operation in ("AcquireRole", "CreateRole")
    ),
    on_role("DeleteRole", named("role_deleted").make),
    on_role("AttachRolePolicy", named("managed_policy_attached").make, policyArn=ADMINISTRATOR),
    on_role(
        "DetachRolePolicy",
        named("managed_policy_detached").make,
        policyArn="arn:aws:iam::aws:policy/AmazonS3FullAccess",
    ),
    on_role(
        "PutRolePolicy",
        named("inline_policy_added").make,
        policyName="theirs",
        policyDocument=json.dumps(OPEN),
    ),
    on_role(
        "DeleteRolePolicy",
        named("inline_policy_deleted").make,
        policyName="PassWorkflowExecutionRole",
    ),
    on_role(
        "UpdateAssumeRolePolicy",
        named("trust_opened").make,
        policyDocument=json.dumps(OPEN_TRUST),
    ),
    on_role("UpdateRole", named("session_lengthened").make, maxSessionDuration=43_200),
    on_role("UpdateRoleDescription", named("description_changed").make, description="ours now"),
    on_role("TagRole", named("tag_added").make, tags=[{"key": "owner", "value": "them"}]),
    on_role("UntagRole", named("tags_removed").make, tagKeys=["trivet:environment"]),
    on_role(
        "PutRolePermissionsBoundary",
        named("boundary_changed").make,
        permissionsBoundary="arn:aws:iam::aws:policy/ReadOnlyAccess",
    ),
    on_role("DeleteRolePermissionsBoundary", boundary_removed),
    Case(
        "CreatePolicy",
        policy_made_again,
        lambda target: {
            "policyName": target.policy.rsplit("/", 1)[-1],
            "policyDocument": json.dumps(OPEN),
        },
    ),
    on_policy("DeletePolicy", named("policy_deleted").make),
    on_policy(
        "CreatePolicyVersion",
        named("policy_edited").make,
        policyDocument=json.dumps(OPEN),
        setAsDefault=True,
    ),
    on_policy("SetDefaultPolicyVersion", open_version_made_default, versionId="v2"),
    on_policy("DeletePolicyVersion", open_version_made_default_and_ours_deleted, versionId="v1"),
    on_policy(
        "TagPolicy",
        named("policy_tag_changed").make,
        tags=[{"key": "trivet:role", "value": "theirs"}],
    ),
    on_policy("UntagPolicy", named("policy_tags_removed").make, tagKeys=["trivet:role"]),
]


def test_there_is_a_case_for_every_operation_that_the_rule_lets_through() -> None:
    pattern: Any = product.IAM_CHANGES
    assert sorted(case.operation for case in CASES) == pattern["detail"]["eventName"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.operation)
def test_the_environment_is_put_back_and_no_other(world: World, case: Case) -> None:
    for name in (NAME, OTHER):
        provision(world, name)
    declared = resources()
    named("trust_opened").on(OTHER, "notebook")
    target = Target(NAME, "notebook" if "Role" in case.operation else "lambda_trigger")
    case.make(target)
    event = cloudtrail(world.clock.now(), case.operation, case.parameters(target))
    world.clock.sleep(90)
    assert not drift(world, NAME)["in_sync"]

    with world.wire.recording() as made:
        invoke("iam_change", event)

    now = resources()
    assert now["roles"][f"{OTHER}-SageMaker"]["trust"] == OPEN_TRUST
    now["roles"][f"{OTHER}-SageMaker"] = declared["roles"][f"{OTHER}-SageMaker"]
    assert now == declared
    assert not [write for write in writes(made) if OTHER in write]
    assert [json.loads(entry["Detail"])["outcome"] for entry in told(made)] == ["repaired"]


@pytest.fixture
def change(world: World) -> dict[str, Any]:
    """The event of a change that was made to an environment."""
    provision(world, NAME)
    named("managed_policy_attached").on(NAME, "notebook")
    parameters = {"roleName": Target(NAME, "notebook").role, "policyArn": ADMINISTRATOR}
    event = cloudtrail(world.clock.now(), "AttachRolePolicy", parameters)
    world.clock.sleep(90)
    return event


def test_what_was_undone_can_be_read_afterwards(
    world: World, change: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    named("inline_policy_added").on(NAME, "notebook")
    capsys.readouterr()
    invoke("iam_change", change)

    told = world.request("GET", f"/environments/{NAME}/history").body["entries"][0]
    detail = change["detail"]
    assert (told["operation"], told["by"], told["outcome"]) == ("event_repair", None, "done")
    assert told["cause"] == {
        "event_id": detail["eventID"],
        "event_name": detail["eventName"],
        "event_time": detail["eventTime"],
        "actor": detail["userIdentity"]["arn"],
    }
    assert sorted((each["actual"] for each in told["changes"]), key=str) == [
        ADMINISTRATOR,
        {"name": "theirs", "document": OPEN},
    ]
    found = metrics(capsys.readouterr().out)
    assert (found["DriftedEnvironments"], found["RepairedEnvironments"]) == (1, 1)
    assert found["FailedRepairs"] == 0


def test_trivets_own_changes_start_nothing(world: World, change: dict[str, Any]) -> None:
    agents: list[str] = []
    own = product.home().target.iam.meta.events
    own.register("before-send.iam", lambda request, **_: agents.append(_agent(request)))
    with world.wire.recording() as made:
        invoke("iam_change", change)
    agent = agents[0]
    assert writes(made)

    with world.wire.recording() as more:
        for call in made:
            if call.service == "IAM" and call.writes:
                parameters = {"roleName": call.parameters["RoleName"]}
                invoke(
                    "iam_change",
                    cloudtrail(world.clock.now(), call.action, parameters, userAgent=agent),
                )
                invoke(
                    "iam_change",
                    cloudtrail(world.clock.now(), call.action, parameters, userAgent=f"[{agent}]"),
                )
    assert not more


def _agent(request: Any) -> str:
    agent = request.headers["User-Agent"]
    return agent.decode() if isinstance(agent, bytes) else str(agent)


@pytest.mark.parametrize(
    "more",
    [
        {"errorCode": "AccessDenied", "errorMessage": "not authorized"},
        {"errorCode": "NoSuchEntityException", "requestParameters": None},
        {"requestParameters": None},
        {
            "requestParameters": {
                "roleName": "Admin",
                "policyName": f"{NAME}-LambdaTriggerStepFuncRole",
            }
        },
        {"requestParameters": {"roleName": "theirs", "policyArn": ADMINISTRATOR}},
        {"requestParameters": {"policyArn": ADMINISTRATOR}},
    ],
)
def test_failed_calls_and_strangers_start_nothing(
    world: World, change: dict[str, Any], more: dict[str, Any]
) -> None:
    change["detail"] |= more
    with world.wire.recording() as made:
        invoke("iam_change", change)
    assert not made
    assert not drift(world, NAME)["in_sync"]


def test_a_name_that_is_no_environment_costs_one_look_at_the_table(
    world: World, change: dict[str, Any]
) -> None:
    change["detail"]["requestParameters"] = {"roleName": "unheard-of-SageMaker"}
    with world.wire.recording() as made:
        invoke("iam_change", change)
    assert [call.action for call in made] == ["BatchGetItem"]


def test_a_stranger_with_a_similar_user_agent_is_no_reason_to_look_away(
    world: World, change: dict[str, Any]
) -> None:
    change["detail"]["userAgent"] = "nottrivet/1.0"
    invoke("iam_change", change)
    assert drift(world, NAME)["in_sync"]


def test_the_role_is_found_whatever_the_case_of_its_name(
    world: World, change: dict[str, Any]
) -> None:
    parameters = change["detail"]["requestParameters"]
    parameters["roleName"] = parameters["roleName"].upper()
    invoke("iam_change", change)
    assert drift(world, NAME)["in_sync"]


def test_a_storm_of_events_is_one_check(world: World, change: dict[str, Any]) -> None:
    with world.wire.recording() as first:
        invoke("iam_change", change)
    assert reads(first)

    with world.wire.recording() as made:
        for _ in range(99):
            invoke("iam_change", change)
    assert {call.service for call in made} == {"DynamoDB"}
    assert len(made) == 99

    # A change made after that check is looked at.
    named("managed_policy_attached").on(NAME, "notebook")
    later = cloudtrail(world.clock.now(), "AttachRolePolicy", change["detail"]["requestParameters"])
    invoke("iam_change", later)
    assert drift(world, NAME)["in_sync"]


def test_a_check_that_finds_nothing_changes_nothing(world: World, change: dict[str, Any]) -> None:
    assert world.request("POST", f"/environments/{NAME}/reapply").status == 200
    before = world.finish(NAME)

    with world.wire.recording() as made:
        invoke("iam_change", change)

    assert not writes(made)
    assert not told(made)
    found = world.request("GET", f"/environments/{NAME}").body
    assert found["drift"]["in_sync"]
    assert found == {**before, "drift": found["drift"]}


def test_while_another_call_holds_the_environment_the_event_comes_again(
    world: World, change: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    first_write = (f"DetachRolePolicy {NAME}-SageMaker {ADMINISTRATOR}", 1)
    with pytest.raises(Killed), world.wire.through(KillAt(first_write, after=False)):
        world.request("POST", f"/environments/{NAME}/reapply")
    capsys.readouterr()

    with world.wire.recording() as made, pytest.raises(Busy):
        invoke("iam_change", change)
    assert [call.action for call in made] == ["BatchGetItem"]
    assert metrics(capsys.readouterr().out)["FailedRepairs"] == 0

    world.clock.sleep(60)
    invoke("iam_change", change)
    assert drift(world, NAME)["in_sync"]


@pytest.mark.parametrize("action", ["GetRole", "DetachRolePolicy"])
def test_a_passing_failure_is_made_good_when_lambda_tries_again(
    world: World, change: dict[str, Any], action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    throttled = refusing(lambda call: call.action == action, "Throttling", times=100)
    with world.wire.through(throttled), world.wire.recording() as made, pytest.raises(TrivetError):
        invoke("iam_change", change)
    assert [json.loads(entry["Detail"])["outcome"] for entry in told(made)] == ["failed"]
    assert metrics(capsys.readouterr().out)["FailedRepairs"] == 1

    invoke("iam_change", change)
    assert drift(world, NAME)["in_sync"]


def test_a_lasting_failure_is_told_once_and_then_left_to_the_schedule(
    world: World, change: dict[str, Any]
) -> None:
    refused = refusing(lambda call: call.action == "DetachRolePolicy", "AccessDenied", "no")
    with world.wire.through(refused), world.wire.recording() as made:
        with pytest.raises(TrivetError):
            invoke("iam_change", change)
        invoke("iam_change", change)
        invoke("iam_change", change)
    assert len(told(made)) == 1


def test_someone_elses_role_of_that_name_is_told_and_left_alone(world: World) -> None:
    provision(world, NAME)
    target = Target(NAME, "notebook")
    named("role_deleted").make(target)
    target.iam.create_role(RoleName=target.role, AssumeRolePolicyDocument=json.dumps(OPEN_TRUST))
    event = cloudtrail(world.clock.now(), "CreateRole", {"roleName": target.role})
    before = resources()

    with world.wire.recording() as made, pytest.raises(TrivetError, match=target.role):
        invoke("iam_change", event)

    assert resources() == before
    assert [json.loads(entry["Detail"])["outcome"] for entry in told(made)] == ["failed"]


def test_every_role_and_policy_of_an_environment_is_recognised(world: World) -> None:
    provision(world, NAME)
    made = client("iam").get_account_authorization_details(Filter=["Role", "LocalManagedPolicy"])
    details = [{"roleName": role["RoleName"]} for role in made["RoleDetailList"]]
    arns = [policy["Arn"] for policy in made["Policies"]]
    details += [{"policyArn": arn} for arn in arns if not arn.endswith("Boundary")]
    assert len(details) == 5
    for parameters in details:
        found = product.environment_concerned({"requestParameters": parameters})
        assert found == NAME
