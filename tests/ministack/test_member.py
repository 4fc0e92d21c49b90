"""A member account, its generated template enforced: what Trivet does and may not do there."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.accounts.support import MEMBER, OTHERS, in_account
from tests.kit.events import cloudtrail, scheduled
from tests.kit.http import Api, invoke
from tests.kit.names import ACCOUNT, ADMINISTRATOR, NAME, OPEN, OPEN_TRUST, ROLES, ROOT
from tests.ministack.stack import EXTERNAL_ID, STAGE, Credentials, MiniStack

pytestmark = pytest.mark.soak

FUNCTION = f"trivet-{STAGE}-api_handler"
MEMBER_ROLE = f"arn:aws:iam::{MEMBER}:role/TrivetMember"
BOUNDARY = f"arn:aws:iam::{MEMBER}:policy/TrivetEnvironmentBoundary"
SESSIONS = json.loads((ROOT / "policies" / "session-policies.json").read_text())


@pytest.fixture(scope="module")
def organization(aws: MiniStack) -> str:
    """The id of the organisation that home is in."""
    made = aws.client("organizations", ACCOUNT).describe_organization()["Organization"]
    return str(made["Id"])


@pytest.fixture(scope="module")
def member(aws: MiniStack, organization: str) -> str:
    """An account that lets Trivet in."""
    aws.let_in(MEMBER, OrganizationId=organization)
    return MEMBER


@pytest.fixture
def registered(api: Api, member: str) -> Api:
    """The API, with the member registered."""
    answer = api.put(f"/accounts/{member}", {})
    assert answer.status in (200, 201), answer
    return api


def provision(api: Api, name: str) -> Any:
    """Provision an environment in the member, its smoke test left running."""
    answer = api.put(in_account(MEMBER, f"/{name}"), {"wait": 0})
    assert (answer.status, answer.body.get("status")) == (201, "ready"), answer
    return answer.body


def inside(aws: MiniStack, function: str = "api_handler") -> Any:
    """Return IAM in the member, as a function's session there has it."""
    session = aws.assumed(
        aws.session(f"trivet-{STAGE}-{function}"),
        MEMBER_ROLE,
        ExternalId=EXTERNAL_ID,
        Policy=json.dumps(SESSIONS[function], separators=(",", ":")),
    )
    return aws.client("iam", session)


def refused(call: Callable[..., Any], **parameters: Any) -> bool:
    """Tell whether AWS refuses a call for want of a right; one that works is told, too."""
    try:
        call(**parameters)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDenied":
            raise
        return True
    return False


# --- what Trivet does there


def test_provisioned_drifted_repaired_and_deleted(aws: MiniStack, registered: Api) -> None:
    made = provision(registered, NAME)
    root = aws.client("iam", MEMBER)
    names = {each["name"] for each in made["roles"].values()}
    assert names == {f"{NAME}-{suffix}" for suffix in ROLES.values()}
    assert {each["RoleName"] for each in root.list_roles()["Roles"]} > names
    at_home = {each["RoleName"] for each in aws.client("iam", ACCOUNT).list_roles()["Roles"]}
    assert not names & at_home

    notebook = f"{NAME}-SageMaker"
    root.delete_role_permissions_boundary(RoleName=notebook)
    root.attach_role_policy(RoleName=notebook, PolicyArn=ADMINISTRATOR)
    root.update_assume_role_policy(RoleName=notebook, PolicyDocument=json.dumps(OPEN_TRUST))
    path = in_account(MEMBER, f"/{NAME}")
    drift = registered.get(f"{path}/drift").body
    assert {each["kind"] for each in drift["changes"]} == {
        "put_permissions_boundary",
        "detach_managed_policy",
        "update_trust_policy",
    }
    reapplied = registered.post(f"{path}/reapply", {"wait": 0})
    assert reapplied.status == 200, reapplied
    assert registered.get(f"{path}/drift").body["in_sync"] is True
    found = root.get_role(RoleName=notebook)["Role"]
    assert found["PermissionsBoundary"]["PermissionsBoundaryArn"] == BOUNDARY

    deleted = registered.delete(path)
    assert deleted.status == 200, deleted
    assert not names & {each["RoleName"] for each in root.list_roles()["Roles"]}


def test_the_scheduled_run_repairs_with_its_own_rights(
    aws: MiniStack, registered: Api, become: Callable[[str], None]
) -> None:
    provision(registered, "scheduled-dev")
    root = aws.client("iam", MEMBER)
    root.detach_role_policy(
        RoleName="scheduled-dev-SageMaker", PolicyArn="arn:aws:iam::aws:policy/AmazonS3FullAccess"
    )
    become(f"trivet-{STAGE}-drift_run")
    invoke("drift_run", scheduled())
    attached = root.list_attached_role_policies(RoleName="scheduled-dev-SageMaker")
    names = [each["PolicyName"] for each in attached["AttachedPolicies"]]
    assert "AmazonS3FullAccess" in names


def test_an_event_repairs_with_the_rights_of_its_function(
    aws: MiniStack, registered: Api, become: Callable[[str], None]
) -> None:
    provision(registered, "event-dev")
    root = aws.client("iam", MEMBER)
    root.put_role_policy(
        RoleName="event-dev-SageMaker", PolicyName="mine", PolicyDocument=json.dumps(OPEN)
    )
    become(f"trivet-{STAGE}-iam_change")
    changed = {"roleName": "event-dev-SageMaker", "policyName": "mine"}
    event = cloudtrail(4_102_444_800, "PutRolePolicy", changed)
    invoke("iam_change", event | {"account": MEMBER})
    left = root.list_role_policies(RoleName="event-dev-SageMaker")["PolicyNames"]
    assert left == ["PassWorkflowExecutionRole"]


# --- who comes in


def test_a_wrong_external_id_is_refused(
    api: Api, member: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIVET_EXTERNAL_ID", "guessed")
    answer = api.put(f"/accounts/{member}", {})
    assert answer.status == 502
    assert "TrivetMember" in answer.body["detail"]
    assert "sts:AssumeRole" in answer.body["detail"]


def enters(aws: MiniStack, principal: Credentials | str, **parameters: str) -> bool:
    """Tell whether the member lets a principal in."""
    sts = aws.client("sts", principal)
    return not refused(sts.assume_role, RoleArn=MEMBER_ROLE, RoleSessionName="a-test", **parameters)


def test_only_trivets_functions_come_in_and_only_with_the_external_id(
    aws: MiniStack, member: str
) -> None:
    function = aws.session(FUNCTION)
    assert enters(aws, function, ExternalId=EXTERNAL_ID)
    assert not enters(aws, function, ExternalId="guessed")
    assert not enters(aws, function)
    for name in ("admin", "trivet-prod-api_handler", f"{FUNCTION}2", f"trivet-{STAGE}-x-SageMaker"):
        aws.make_role(name, OPEN)
        assert not enters(aws, aws.session(name), ExternalId=EXTERNAL_ID), name
    assert not enters(aws, ACCOUNT, ExternalId=EXTERNAL_ID), "home's root"
    assert not enters(aws, OTHERS[0], ExternalId=EXTERNAL_ID), "another account"


def test_another_organisation_does_not_come_in(aws: MiniStack, organization: str) -> None:
    role = f"arn:aws:iam::{OTHERS[1]}:role/TrivetMember"
    for trusted, let_in in (("o-zzzzzzzzzz", False), (organization, True)):
        aws.let_in(OTHERS[1], OrganizationId=trusted)
        sts = aws.client("sts", aws.session(FUNCTION))
        entering = {"RoleArn": role, "RoleSessionName": "a-test", "ExternalId": EXTERNAL_ID}
        assert refused(sts.assume_role, **entering) is not let_in, trusted


def test_functions_enter_no_other_role_of_a_member(aws: MiniStack, member: str) -> None:
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    made = aws.client("iam", member).create_role(
        RoleName="open-to-all",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    sts = aws.client("sts", aws.session(FUNCTION))
    assert refused(sts.assume_role, RoleArn=made["Role"]["Arn"], RoleSessionName="a-test")


# --- what may be done there


def test_a_role_outside_the_names_is_refused(aws: MiniStack, member: str) -> None:
    iam = inside(aws)
    creating = {
        "AssumeRolePolicyDocument": json.dumps(OPEN_TRUST),
        "Tags": [{"Key": "trivet:environment", "Value": "intruder"}],
    }
    assert refused(iam.create_role, RoleName="intruder", PermissionsBoundary=BOUNDARY, **creating)
    assert refused(iam.create_role, RoleName="unbound-dev-SageMaker", **creating)
    assert not refused(
        iam.create_role,
        RoleName="bound-dev-SageMaker",
        PermissionsBoundary=BOUNDARY,
        **creating,
    )
    root = aws.client("iam", member)
    root.create_role(RoleName="theirs", AssumeRolePolicyDocument=json.dumps(OPEN_TRUST))
    assert refused(iam.delete_role, RoleName="theirs")
    assert refused(iam.attach_role_policy, RoleName="theirs", PolicyArn=ADMINISTRATOR)
    assert refused(iam.update_assume_role_policy, RoleName="TrivetMember", PolicyDocument="{}")


def test_an_attachment_outside_the_list_is_refused(aws: MiniStack, registered: Api) -> None:
    provision(registered, "attach-dev")
    iam, role = inside(aws), "attach-dev-SageMaker"
    assert refused(iam.attach_role_policy, RoleName=role, PolicyArn=ADMINISTRATOR)
    assert refused(iam.delete_role_permissions_boundary, RoleName=role)
    listed = "arn:aws:iam::aws:policy/CloudWatchFullAccess"
    assert not refused(iam.attach_role_policy, RoleName=role, PolicyArn=listed)


def test_the_run_deletes_nothing_in_a_member_either(aws: MiniStack, registered: Api) -> None:
    provision(registered, "kept-dev")
    policy = f"arn:aws:iam::{MEMBER}:policy/kept-dev-LambdaTriggerStepFuncRole"
    for function in ("drift_run", "fleet_step", "iam_change"):
        iam = inside(aws, function)
        assert refused(iam.delete_role, RoleName="kept-dev-SageMaker"), function
        assert refused(iam.delete_policy, PolicyArn=policy), function
    assert registered.delete(in_account(MEMBER, "/kept-dev")).status == 200


def test_withdrawn_told_and_picked_up_again(aws: MiniStack, api: Api) -> None:
    account = OTHERS[2]
    aws.let_in(account)
    assert api.put(f"/accounts/{account}", {}).status == 201
    path = in_account(account, f"/{NAME}")
    assert api.put(path, {"wait": 0}).status == 201
    root = aws.client("iam", account)
    root.delete_role_permissions_boundary(RoleName=f"{NAME}-SageMaker")

    aws.let_in(account, Access="withdrawn")
    shown = api.get(f"/accounts/{account}").body
    assert (shown["status"], shown["environments"]) == ("unreachable", 1)
    only = {"accounts": [account], "wait": 0}
    [row] = api.post("/drift-runs", only).body["accounts"]
    assert "TrivetMember" in row["error"]
    listed = api.get(in_account(account)).body["environments"]
    assert [each["name"] for each in listed] == [NAME], "nothing is lost"

    aws.let_in(account, Access="granted")
    assert api.get(f"/accounts/{account}").body["status"] == "connected"
    report = api.post("/drift-runs", only).body
    assert (report["checked"], report["repaired"]) == (1, 1), report
