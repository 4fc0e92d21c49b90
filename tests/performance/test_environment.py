"""Round trips of one environment: the longest chain of AWS calls that wait for one another."""

import time
from collections import Counter
from pathlib import Path
from unittest.mock import patch

from benchmarks.critical_path import CriticalPath, critical_path
from tests.kit import product
from tests.kit.http import Api, on_lambda
from tests.kit.names import NAME

WRITES = (
    "Create",
    "Put",
    "Attach",
    "Start",
    "Update",
    "Tag",
    "Delete",
    "Detach",
    "Transact",
    "BatchWrite",
)


def provisioned(api: Api, name: str) -> CriticalPath:
    with critical_path() as path:
        api.provision(name, wait=0)
    return path


def provisioned_on_lambda(name: str) -> CriticalPath:
    with critical_path() as path:
        answer = on_lambda("POST", "/environments", {"name": name, "wait": 0})
    assert answer.status == 201, answer
    return path


def settled(api: Api, name: str) -> None:
    """Provision an environment, and repeat that until its smoke test succeeded."""
    deadline = time.monotonic() + 60
    while api.provision(name)["smoke_test"]["status"] != "succeeded":
        assert time.monotonic() < deadline


def writes(path: CriticalPath) -> list[str]:
    return [call for call in path.calls if call.split(":")[1].startswith(WRITES)]


def test_a_new_environment_takes_twelve_round_trips_in_sequence_at_most(api: Api) -> None:
    provisioned(api, "the-first")  # makes the table, once for all
    product.forget_account()

    cold, warm = provisioned_on_lambda("the-second"), provisioned_on_lambda("the-third")

    assert cold.length <= 12
    assert warm.length <= 12
    # Lambda tells a function its account.
    assert "sts:GetCallerIdentity" not in cold.calls + warm.calls
    # Nine to the notebook role, one after the other, are the floor that IAM sets.
    made = Counter(writes(warm))
    assert made == {
        "iam:CreateRole": 3,
        "iam:CreatePolicy": 2,
        "iam:AttachRolePolicy": 15,
        "iam:PutRolePolicy": 1,
        "states:CreateStateMachine": 1,
        "states:StartExecution": 1,
        "dynamodb:TransactWriteItems": 2,
    }
    # That its boundary is there is asked beside all that.
    assert warm.calls.count("iam:GetPolicy") == 1 + 2


def test_outside_of_lambda_sts_is_asked_for_the_account_once(api: Api) -> None:
    provisioned(api, "the-first")
    product.forget_account()

    cold, warm = provisioned(api, "the-second"), provisioned(api, "the-third")

    assert cold.calls.count("sts:GetCallerIdentity") == 1
    assert "sts:GetCallerIdentity" not in warm.calls


def test_making_the_table_and_the_boundary_adds_seven_round_trips_once(api: Api) -> None:
    """The boundary is one: it is made only once nothing stands against the environment."""
    first, second = provisioned_on_lambda("the-first"), provisioned_on_lambda("the-second")
    assert first.length - second.length <= 7


def test_a_repeat_takes_three_round_trips_and_writes_nothing(api: Api) -> None:
    settled(api, NAME)
    repeated = provisioned(api, NAME)
    assert repeated.length == 3
    assert not writes(repeated)
    assert Counter(repeated.calls) == {
        # The record with the last run over its account, and beside it those with names like its.
        "dynamodb:BatchGetItem": 2,
        "dynamodb:Query": 1,
        "iam:GetRole": 3,
        "iam:ListAttachedRolePolicies": 3,
        "iam:ListRolePolicies": 3,
        "iam:GetRolePolicy": 1,
        "iam:GetPolicy": 2,
        "iam:GetPolicyVersion": 2,
        "states:DescribeStateMachine": 1,
    }


def test_a_repeat_that_does_not_wait_leaves_the_running_smoke_test_alone(api: Api) -> None:
    provisioned(api, NAME)
    repeated = provisioned(api, NAME)
    assert repeated.length == 3
    assert not writes(repeated)


def test_a_warm_request_reads_no_template_and_makes_no_client(api: Api) -> None:
    settled(api, NAME)
    clients = dict(product.home().clients._made)
    read: list[Path] = []
    read_bytes = Path.read_bytes

    def noted(path: Path) -> bytes:
        read.append(path)
        return read_bytes(path)

    with patch.object(Path, "read_bytes", noted):
        api.provision(NAME)
    assert read == []
    assert product.home().clients._made == clients


def test_health_makes_one_client_and_one_call(api: Api) -> None:
    with critical_path() as path:
        assert api.get("/health").status == 200
    assert path.calls == ["sts:GetCallerIdentity"]
    assert [service for service, _ in product.home().clients._made] == ["sts"]
