"""Round trips of one environment: the longest chain of AWS calls that wait for one another."""

import time
from collections import Counter
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.critical_path import CriticalPath, critical_path
from tests.kit import product
from tests.kit.http import Api
from tests.kit.names import NAME

WRITES = ("Create", "Put", "Attach", "Start", "Update", "Tag", "Delete", "Detach")


def provisioned(api: Api, name: str) -> CriticalPath:
    with critical_path() as path:
        api.provision(name, wait=0)
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

    cold, warm = provisioned(api, "the-second"), provisioned(api, "the-third")

    assert cold.length <= 12
    assert warm.length <= 12
    assert "sts:GetCallerIdentity" in cold.calls
    assert "sts:GetCallerIdentity" not in warm.calls
    # Nine to the notebook role, one after the other, are the floor that IAM sets.
    made = Counter(writes(warm))
    assert made == {
        "iam:CreateRole": 3,
        "iam:CreatePolicy": 2,
        "iam:AttachRolePolicy": 15,
        "iam:PutRolePolicy": 1,
        "states:CreateStateMachine": 1,
        "states:StartExecution": 1,
        "dynamodb:PutItem": 2,
    }


def test_making_the_table_adds_six_round_trips_once(api: Api) -> None:
    first, second = provisioned(api, "the-first"), provisioned(api, "the-second")
    assert first.length - second.length <= 6


def test_a_repeat_takes_three_round_trips_and_writes_nothing(api: Api) -> None:
    settled(api, NAME)
    repeated = provisioned(api, NAME)
    assert repeated.length == 3
    assert not writes(repeated)
    assert Counter(repeated.calls) == {
        "dynamodb:GetItem": 1,
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
    account = product.home()
    clients = dict(vars(account)["_clients"])
    read: list[Path] = []
    read_bytes = Path.read_bytes

    def noted(path: Path) -> bytes:
        read.append(path)
        return read_bytes(path)

    with patch.object(Path, "read_bytes", noted):
        api.provision(NAME)
    assert read == []
    assert vars(product.home())["_clients"] == clients


def test_health_makes_one_client_and_one_call(api: Api) -> None:
    with critical_path() as path:
        assert api.get("/health").status == 200
    assert path.calls == ["sts:GetCallerIdentity"]
    made: dict[Any, Any] = vars(product.home())["_clients"]
    assert [service for service, _ in made] == ["sts"]
