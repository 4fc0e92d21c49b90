"""The hostile AWS answers as AWS does where moto is kinder."""

import json
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.kit.faults import Weather
from tests.kit.hostile import hostile
from tests.kit.names import ACCOUNT, OPEN, OPEN_TRUST
from tests.kit.wire import Layer
from tests.kit.world import World

ROLE = "lake-SageMaker"
POLICY = "lake-Policy"
ARN = f"arn:aws:iam::{ACCOUNT}:policy/{POLICY}"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
DONE = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
MACHINE = f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:lake"
KIND: dict[str, Any] = {
    **dict.fromkeys(("stale", "invisible", "unassumable", "deleting", "unheard_of", "outdated"), 0),
    "buckets": {},
}
"""A hostile AWS without any of the traits that depend on time."""


class Caller:
    """Clients whose calls go over the wire, and are not tried again."""

    def __init__(self) -> None:
        self.iam, self.states = self._client("iam"), self._client("stepfunctions")

    def _client(self, service: str) -> Any:
        config = Config(retries={"total_max_attempts": 1}, user_agent_extra="trivet/test")
        return botocore.session.get_session().create_client(service, config=config)

    def make_role(self, name: str = ROLE, **more: Any) -> None:
        trust = json.dumps(OPEN_TRUST)
        self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, **more)

    def make_policy(self, name: str = POLICY, document: Any = OPEN) -> None:
        self.iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(document))

    def make_machine(self, definition: str = DONE, role: str = ROLE_ARN) -> None:
        self.states.create_state_machine(name="lake", definition=definition, roleArn=role)

    def names(self) -> list[str]:
        return [each["RoleName"] for each in self.iam.list_roles()["Roles"]]


@pytest.fixture
def caller(world: World) -> Iterator[Caller]:
    yield Caller()
    # Some of them are meant to be refused.
    world.wire.calls.clear()


@pytest.fixture
def strict(world: World) -> Iterator[None]:
    """AWS's limits, and nothing that depends on time."""
    with world.wire.through(*hostile(world.clock, **KIND)):
        yield


def only(world: World, **trait: Any) -> list[Layer]:
    return hostile(world.clock, **{**KIND, **trait})


def refused(code: str, text: str = "") -> Any:
    return pytest.raises(ClientError, match=rf"\({code}\).*{text}")


# --- time


def test_reads_show_what_was_until_they_show_what_is(world: World, caller: Caller) -> None:
    with world.wire.through(*only(world, stale=3)):
        caller.make_role(Description="first")
        assert caller.names() == []
        with refused("NoSuchEntity"):
            caller.iam.get_role(RoleName=ROLE)
        world.clock.sleep(3)
        assert caller.names() == [ROLE]

        caller.iam.attach_role_policy(
            RoleName=ROLE, PolicyArn="arn:aws:iam::aws:policy/PowerUserAccess"
        )
        caller.iam.tag_role(RoleName=ROLE, Tags=[{"Key": "a", "Value": "b"}])
        caller.iam.update_role(RoleName=ROLE, Description="second")
        old = caller.iam.get_role(RoleName=ROLE)["Role"]
        assert (old["Description"], old.get("Tags", [])) == ("first", [])
        details = caller.iam.get_account_authorization_details(Filter=["Role"])["RoleDetailList"]
        assert details[0]["AttachedManagedPolicies"] == []
        world.clock.sleep(3)
        new = caller.iam.get_role(RoleName=ROLE)["Role"]
        assert (new["Description"], new["Tags"]) == ("second", [{"Key": "a", "Value": "b"}])
        assert caller.iam.list_attached_role_policies(RoleName=ROLE)["AttachedPolicies"]

        caller.iam.detach_role_policy(
            RoleName=ROLE, PolicyArn="arn:aws:iam::aws:policy/PowerUserAccess"
        )
        caller.iam.delete_role(RoleName=ROLE)
        assert caller.names() == [ROLE]
        assert caller.iam.list_attached_role_policies(RoleName=ROLE)["AttachedPolicies"]
        world.clock.sleep(3)
        assert caller.names() == []


def test_policies_are_read_late_too(world: World, caller: Caller) -> None:
    caller.make_policy()
    edited = {**OPEN, "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}

    def effect() -> str:
        version = caller.iam.get_policy(PolicyArn=ARN)["Policy"]["DefaultVersionId"]
        found = caller.iam.get_policy_version(PolicyArn=ARN, VersionId=version)["PolicyVersion"]
        return str(found["Document"]["Statement"][0]["Effect"])

    with world.wire.through(*only(world, stale=3)):
        caller.iam.create_policy_version(
            PolicyArn=ARN, PolicyDocument=json.dumps(edited), SetAsDefault=True
        )
        assert effect() == "Allow"
        world.clock.sleep(2)
        assert effect() == "Allow"
        world.clock.sleep(1)
        assert effect() == "Deny"


def test_what_is_new_is_not_found_and_not_assumed_for_a_while(world: World, caller: Caller) -> None:
    with world.wire.through(*only(world, invisible=2, unassumable=10)):
        caller.make_role()
        caller.make_policy()
        with refused("NoSuchEntity", ROLE):
            caller.iam.attach_role_policy(RoleName=ROLE, PolicyArn=ARN)
        with refused("EntityAlreadyExists"):
            caller.make_role()
        world.clock.sleep(2)
        caller.iam.attach_role_policy(RoleName=ROLE, PolicyArn=ARN)
        with refused("AccessDeniedException", "authorized to assume the provided role"):
            caller.make_machine()
        world.clock.sleep(8)
        caller.make_machine()


def test_a_state_machine_is_deleted_slowly(world: World, caller: Caller) -> None:
    caller.make_role()
    with world.wire.through(*only(world, deleting=60)):
        caller.make_machine()
        caller.states.delete_state_machine(stateMachineArn=MACHINE)
        caller.states.delete_state_machine(stateMachineArn=MACHINE)
        assert caller.states.describe_state_machine(stateMachineArn=MACHINE)["status"] == "DELETING"
        for act in (
            caller.make_machine,
            lambda: caller.states.start_execution(stateMachineArn=MACHINE),
            lambda: caller.states.update_state_machine(stateMachineArn=MACHINE, definition=DONE),
        ):
            with refused("StateMachineDeleting", MACHINE):
                act()
        world.clock.sleep(60)
        with refused("StateMachineDoesNotExist"):
            caller.states.describe_state_machine(stateMachineArn=MACHINE)
        caller.make_machine()


def test_an_execution_is_heard_of_late(world: World, caller: Caller) -> None:
    caller.make_role()
    caller.make_machine()
    with world.wire.through(*only(world, unheard_of=1)):
        arn = caller.states.start_execution(stateMachineArn=MACHINE, name="one")["executionArn"]
        with refused("ExecutionDoesNotExist", arn):
            caller.states.describe_execution(executionArn=arn)
        world.clock.sleep(1)
        assert caller.states.describe_execution(executionArn=arn)["status"] == "SUCCEEDED"


def test_an_execution_just_after_an_update_runs_what_was(world: World, caller: Caller) -> None:
    caller.make_role()
    caller.make_role("lake-new")
    caller.make_machine()

    def role_of(name: str) -> str:
        arn = caller.states.start_execution(stateMachineArn=MACHINE, name=name)["executionArn"]
        world.clock.sleep(1)
        ran = caller.states.describe_execution(executionArn=arn)
        is_of = caller.states.describe_state_machine_for_execution(executionArn=arn)
        session = json.loads(ran["output"])["identity"]["arn"]
        assert session.split("/")[1] == is_of["roleArn"].rsplit("/", 1)[-1]
        return str(session.split("/")[1])

    with world.wire.through(*only(world, outdated=5)):
        caller.states.update_state_machine(
            stateMachineArn=MACHINE, roleArn=f"arn:aws:iam::{ACCOUNT}:role/lake-new"
        )
        assert role_of("soon") == ROLE
        world.clock.sleep(5)
        assert role_of("later") == "lake-new"


# --- throttling


def test_a_bucket_lets_through_what_it_holds_and_fills_again(world: World, caller: Caller) -> None:
    with world.wire.through(*only(world, buckets={"IAM": (5, 2), "SFN": (1, 1)})):
        for _ in range(5):
            caller.names()
        with refused("Throttling", "Rate exceeded"):
            caller.names()
        world.clock.sleep(1)
        for _ in range(2):
            caller.names()
        with refused("Throttling"):
            caller.names()
        caller.states.list_state_machines()
        with refused("ThrottlingException"):
            caller.states.list_state_machines()


def test_weather_is_the_same_for_the_same_seed(world: World, caller: Caller) -> None:
    def seen(seed: int) -> list[str]:
        codes = []
        with world.wire.through(Weather(seed, {"throttled": 0.3, "lost": 0.2})):
            for _ in range(40):
                try:
                    caller.names()
                    codes.append("")
                except Exception as error:  # noqa: BLE001 - whatever the weather raises
                    codes.append(type(error).__name__)
        return codes

    first = seen(1)
    assert set(first) == {"", "ClientError", "ConnectionClosedError"}
    assert first == seen(1)
    assert first != seen(2)


# --- limits


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize(
    ("call", "said"),
    [
        ({"RoleName": "x" * 65}, "length less than or equal to 64"),
        ({"RoleName": "a b"}, "regular expression pattern"),
        ({"RoleName": "a", "Description": "from \u2013 to"}, "'description'"),
        ({"RoleName": "a", "Tags": [{"Key": "a;b", "Value": "c"}]}, "'tags.1.member.key'"),
    ],
)
def test_texts_that_break_a_pattern_are_refused(caller: Caller, call: Any, said: str) -> None:
    with refused("ValidationError", said):
        caller.iam.create_role(**call, AssumeRolePolicyDocument=json.dumps(OPEN_TRUST))


@pytest.mark.usefixtures("strict")
def test_descriptions_and_names_of_policies_have_limits(caller: Caller) -> None:
    with refused("ValidationError", "equal to 1000"):
        caller.iam.create_policy(
            PolicyName="a", PolicyDocument=json.dumps(OPEN), Description="x" * 1001
        )
    caller.make_role()
    for name in ("x" * 129, "with space"):
        with refused("ValidationError", "policyName"):
            caller.iam.put_role_policy(
                RoleName=ROLE, PolicyName=name, PolicyDocument=json.dumps(OPEN)
            )
    with refused("ValidationException|InvalidName", "name"):
        caller.states.create_state_machine(name="x" * 81, definition=DONE, roleArn=ROLE_ARN)


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize(
    ("statements", "said"),
    [
        ([{"Sid": "with space"}], "alpha-numeric"),
        ([{"Sid": "Twice"}, {"Sid": "Twice"}], "unique"),
        ([{"Resource": "arn:aws-cn:s3:::lake"}], 'Partition "aws-cn" is not valid'),
    ],
)
def test_documents_that_iam_does_not_accept(
    caller: Caller, statements: list[dict[str, str]], said: str
) -> None:
    whole = [{"Effect": "Allow", "Action": "s3:*", "Resource": "*", **each} for each in statements]
    with refused("MalformedPolicyDocument", said):
        caller.make_policy(document={"Version": "2012-10-17", "Statement": whole})


@pytest.mark.usefixtures("strict")
def test_names_are_unique_without_regard_to_case(caller: Caller) -> None:
    caller.make_role()
    caller.make_policy()
    with refused("EntityAlreadyExists"):
        caller.make_role(ROLE.upper())
    with refused("EntityAlreadyExists"):
        caller.make_policy(POLICY.upper())


@pytest.mark.usefixtures("strict")
def test_quotas_of_a_role(caller: Caller) -> None:
    caller.make_role()
    for number in range(11):
        caller.make_policy(f"p{number}")
    arns = [f"arn:aws:iam::{ACCOUNT}:policy/p{number}" for number in range(11)]
    for arn in [*arns[:10], arns[0]]:
        caller.iam.attach_role_policy(RoleName=ROLE, PolicyArn=arn)
    with refused("LimitExceeded", "PoliciesPerRole: 10"):
        caller.iam.attach_role_policy(RoleName=ROLE, PolicyArn=arns[10])

    large = {**OPEN, "Statement": [{**OPEN["Statement"][0], "Sid": "x" * 6000}]}
    caller.iam.put_role_policy(RoleName=ROLE, PolicyName="a", PolicyDocument=json.dumps(large))
    with refused("LimitExceeded", "10240 bytes"):
        caller.iam.put_role_policy(RoleName=ROLE, PolicyName="b", PolicyDocument=json.dumps(large))
    with refused("LimitExceeded", "ACLSizePerRole: 2048"):
        caller.iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=json.dumps(large))

    for start in (0, 25):
        tags = [{"Key": f"k{number}", "Value": ""} for number in range(start, start + 25)]
        caller.iam.tag_role(RoleName=ROLE, Tags=tags)
    with refused("LimitExceeded", "TagsPerRole: 50"):
        caller.iam.tag_role(RoleName=ROLE, Tags=[{"Key": "one more", "Value": ""}])


@pytest.mark.usefixtures("strict")
def test_what_is_in_use_is_not_deleted(caller: Caller) -> None:
    caller.make_role()
    caller.make_policy()
    caller.iam.attach_role_policy(RoleName=ROLE, PolicyArn=ARN)
    for _ in range(4):
        caller.iam.create_policy_version(PolicyArn=ARN, PolicyDocument=json.dumps(OPEN))
    with refused("LimitExceeded", "up to 5 versions"):
        caller.iam.create_policy_version(PolicyArn=ARN, PolicyDocument=json.dumps(OPEN))
    with refused("DeleteConflict", "detach all policies"):
        caller.iam.delete_role(RoleName=ROLE)
    with refused("DeleteConflict", "default version"):
        caller.iam.delete_policy_version(PolicyArn=ARN, VersionId="v1")
    with refused("DeleteConflict", "more than one version"):
        caller.iam.delete_policy(PolicyArn=ARN)
    for version in ("v2", "v3", "v4", "v5"):
        caller.iam.delete_policy_version(PolicyArn=ARN, VersionId=version)
    with refused("DeleteConflict", "attached"):
        caller.iam.delete_policy(PolicyArn=ARN)
    caller.iam.detach_role_policy(RoleName=ROLE, PolicyArn=ARN)
    caller.iam.delete_policy(PolicyArn=ARN)


@pytest.mark.usefixtures("strict")
def test_definitions_that_step_functions_refuses(caller: Caller) -> None:
    caller.make_role()
    lost = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "Nowhere"}}}
    with refused("InvalidDefinition", "Nowhere"):
        caller.make_machine(json.dumps(lost))

    step = {"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync"}
    sync = json.dumps({"StartAt": "A", "States": {"A": {**step, "End": True}}})
    with refused("AccessDeniedException", "managed-rule"):
        caller.make_machine(sync)
    caller.iam.put_role_policy(RoleName=ROLE, PolicyName="rules", PolicyDocument=json.dumps(OPEN))
    caller.make_machine(sync)
