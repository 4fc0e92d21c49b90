"""The kit's accounts: each has a memory of its own, and the wire tells whose a call is."""

from typing import Any

import botocore.session
from botocore.config import Config

from tests.kit import inventory
from tests.kit.account import client
from tests.kit.hostile import hostile
from tests.kit.names import NAME, READ_ONLY
from tests.kit.world import World

MEMBER = "210987654321"


def test_another_account_is_apart_from_home(world: World) -> None:
    world.provision(NAME)
    member = client("iam", MEMBER)
    assert member.list_roles()["Roles"] == []

    arn = member.create_role(RoleName="theirs", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    member.attach_role_policy(RoleName="theirs", PolicyArn=READ_ONLY)

    assert arn == f"arn:aws:iam::{MEMBER}:role/theirs"
    assert "theirs" not in inventory.resources()["roles"]


def test_a_call_under_an_assumed_role_is_the_other_accounts(world: World) -> None:
    role = f"arn:aws:iam::{MEMBER}:role/trivet"
    given = client("sts").assume_role(RoleArn=role, RoleSessionName="trivet")["Credentials"]
    make: Any = botocore.session.get_session().create_client
    member = make(
        "iam",
        config=Config(user_agent_extra="trivet/test"),
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )

    with world.wire.recording(*hostile(world.clock, invisible=0)) as calls:
        member.create_role(RoleName="theirs", AssumeRolePolicyDocument="{}")
        assert member.list_roles()["Roles"] == []
        world.clock.sleep(3)
        assert [each["RoleName"] for each in member.list_roles()["Roles"]] == ["theirs"]

    assert {call.account for call in calls} == {MEMBER}
