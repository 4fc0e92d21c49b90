"""What IAM, Step Functions and the table hold, in a form that can be compared.

Times are left out everywhere. `held` is for one account at two moments; `resources` and
`everything` leave out ids too, so that what was made anew, or in another account, can be equal.
"""

import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from moto.backends import get_backend
from moto.iam.models import AWSManagedPolicy
from moto.stepfunctions.responses import get_backend as states_backend
from moto.utilities.utils import get_partition

from .account import client
from .names import ACCOUNT, HOME, RECORDS, TABLE

_VOLATILE = ("created_at", "updated_at", "checked_at", "created_by", "updated_by")
_KINDS = ("roles", "policies", "state machines")


def held() -> dict[str, Any]:
    """Return all roles, own managed policies, state machines and table items there are."""
    tables = get_backend("dynamodb")[HOME][_region()].tables
    return _held() | {
        "items": {
            name: [item.to_json()["Attributes"] for item in table.all_items()]
            for name, table in tables.items()
        }
    }


def _held() -> dict[str, Any]:
    """Return what `held` has but for the items."""
    return {
        "roles": {name: role(name) for name in sorted(_roles())},
        "policies": {arn: policy(arn) for arn in _policies()},
        "state machines": _state_machines(),
    }


def role(name: str) -> dict[str, Any]:
    """Return what `held` has of one role."""
    found = _roles()[name]
    return {
        "id": found.id,
        "arn": found.arn,
        "path": found.path,
        "description": found.description,
        "session": found.max_session_duration,
        "boundary": found.permissions_boundary_arn,
        "tags": tags_of(found.tags),
        "trust": json.loads(found.assume_role_policy_document),
        "attached": sorted(found.managed_policies),
        "inline": {each: json.loads(text) for each, text in found.policies.items()},
    }


def policy(arn: str) -> dict[str, Any]:
    """Return what `held` has of one policy."""
    found = _policies()[arn]
    [default] = [each for each in found.versions if each.is_default]
    return {
        "id": found.id,
        "arn": arn,
        "path": found.path,
        "tags": tags_of(found.tags.values()),
        "document": json.loads(default.document),
        "versions": len(found.versions),
    }


def resources() -> dict[str, Any]:
    """Return all roles, policies and state machines, ids and how many versions there are apart."""
    found = _held()
    return {
        kind: {
            name: {key: each[key] for key in each if key not in ("id", "versions")}
            for name, each in found[kind].items()
        }
        for kind in _KINDS
    }


def everything() -> dict[str, Any]:
    """Return all resources and all that the table says of environments.

    Where a record has an id, it is held against the one that AWS gives.
    """
    found = held()
    ids = {each["arn"]: each.pop("id") for kind in _KINDS for each in found[kind].values()}
    items = found.pop("items").get(TABLE, [])
    newest = _newest_executions(found["state machines"])
    return found | {
        "environments": {
            item["sk"]["S"]: _environment(json.loads(item["document"]["S"]), ids, newest)
            for item in items
            if item["pk"]["S"] == RECORDS
        },
        "leases": [item["sk"]["S"] for item in items if "lease" in item],
    }


def executions() -> int:
    """Return how many executions of all state machines were ever started."""
    states = client("stepfunctions")
    machines = states.list_state_machines()["stateMachines"]
    listed = [states.list_executions(stateMachineArn=each["stateMachineArn"]) for each in machines]
    return sum(len(answer["executions"]) for answer in listed)


def tags_of(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return IAM's list of tags as a map."""
    return {tag["Key"]: tag["Value"] for tag in tags}


def _newest_executions(machines: Iterable[str]) -> set[str]:
    """Return the execution of each state machine that was started last."""
    states = client("stepfunctions")
    listed = [states.list_executions(stateMachineArn=each)["executions"] for each in machines]
    return {each[0]["executionArn"] for each in listed if each}


# moto's own memory: to ask its API for all of it takes longer than most of what tests do.


def _region() -> str:
    return os.environ["AWS_DEFAULT_REGION"]


def _iam() -> Any:
    return get_backend("iam")[ACCOUNT][get_partition(_region())]


def _roles() -> Mapping[str, Any]:
    return {each.name: each for each in _iam().roles.values()}


def _policies() -> Mapping[str, Any]:
    return {
        arn: each
        for arn, each in _iam().managed_policies.items()
        if not isinstance(each, AWSManagedPolicy)
    }


def _as_told(time: datetime) -> str:
    """Return a time as the API tells it: to the millisecond."""
    milliseconds = time.microsecond // 1000
    return time.replace(microsecond=milliseconds * 1000, tzinfo=UTC).isoformat()


def _state_machines() -> dict[str, Any]:
    backend = states_backend(ACCOUNT, _region())
    return {
        each.arn: {
            "id": _as_told(each.creation_date),
            "arn": each.arn,
            "role": each.roleArn,
            "definition": json.loads(each.definition),
            "tags": {
                tag["key"]: tag["value"] for tag in backend.list_tags_for_resource(each.arn)["tags"]
            },
        }
        for each in backend.state_machines
    }


def _environment(
    document: dict[str, Any], ids: Mapping[str, str], newest: set[str]
) -> dict[str, Any]:
    kept = {key: value for key, value in document.items() if key not in _VOLATILE}
    recorded = kept.pop("unique_ids", {})
    smoke_test = kept.pop("smoke_test", {})
    return kept | {
        "ids": {arn: "right" if ids.get(arn) == recorded[arn] else "wrong" for arn in recorded},
        "smoke test": smoke_test.get("status"),
        "of the newest execution": smoke_test.get("execution_arn") in newest,
        "checks": {each["name"]: each["status"] for each in smoke_test.get("checks", [])},
    }
