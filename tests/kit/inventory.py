"""What IAM, Step Functions and the table hold, in a form that can be compared.

Times are left out everywhere. `held` is for one account at two moments; `resources` and
`everything` leave out ids too, so that what was made anew, or in another account, can be equal.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from .account import client
from .names import RECORDS, TABLE

_VOLATILE = ("created_at", "updated_at", "checked_at", "created_by", "updated_by")
_KINDS = ("roles", "policies", "state machines")


def held() -> dict[str, Any]:
    """Return all roles, own managed policies, state machines and table items there are."""
    dynamodb = client("dynamodb")
    tables = dynamodb.list_tables()["TableNames"]
    return _in_bulk() | {
        "items": {table: dynamodb.scan(TableName=table)["Items"] for table in tables}
    }


def _in_bulk() -> dict[str, Any]:
    """Return what `held` has but for the items; role by role it would take ten times as long."""
    states = client("stepfunctions")
    machines = [each["stateMachineArn"] for each in states.list_state_machines()["stateMachines"]]
    settings, heads = _settings(), _heads()
    return {
        "roles": {
            each["RoleName"]: _role(each, settings[each["RoleName"]])
            for each in _details("Role")["RoleDetailList"]
        },
        "policies": {
            each["Arn"]: _policy(each, heads[each["Arn"]])
            for each in _details("LocalManagedPolicy")["Policies"]
        },
        "state machines": {arn: _state_machine(arn) for arn in machines},
    }


def role(name: str) -> dict[str, Any]:
    """Return what `held` has of one role."""
    details = {each["RoleName"]: each for each in _details("Role")["RoleDetailList"]}
    return _role(details[name], _settings()[name])


def policy(arn: str) -> dict[str, Any]:
    """Return what `held` has of one policy."""
    details = {each["Arn"]: each for each in _details("LocalManagedPolicy")["Policies"]}
    return _policy(details[arn], _heads()[arn])


def resources() -> dict[str, Any]:
    """Return all roles, policies and state machines, ids and how many versions there are apart."""
    found = _in_bulk()
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


def _details(kind: str) -> Any:
    return client("iam").get_account_authorization_details(Filter=[kind])


def _settings() -> dict[str, Any]:
    """Return what the bulk listing lacks of roles, by name."""
    return {each["RoleName"]: each for each in client("iam").list_roles(MaxItems=1000)["Roles"]}


def _heads() -> dict[str, Any]:
    """Return what the bulk listing lacks of policies in moto, by ARN."""
    listed = client("iam").list_policies(Scope="Local", MaxItems=1000)["Policies"]
    return {each["Arn"]: each for each in listed}


def _role(found: Any, settings: Any) -> dict[str, Any]:
    return {
        "id": found["RoleId"],
        "arn": found["Arn"],
        "path": found["Path"],
        "description": settings.get("Description"),
        "session": settings["MaxSessionDuration"],
        "boundary": found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        "tags": tags_of(found.get("Tags", [])),
        "trust": found["AssumeRolePolicyDocument"],
        "attached": sorted(each["PolicyArn"] for each in found["AttachedManagedPolicies"]),
        "inline": {each["PolicyName"]: each["PolicyDocument"] for each in found["RolePolicyList"]},
    }


def _policy(found: Any, head: Any) -> dict[str, Any]:
    [default] = [each for each in found["PolicyVersionList"] if each["IsDefaultVersion"]]
    return {
        "id": head["PolicyId"],
        "arn": head["Arn"],
        "path": head["Path"],
        "tags": tags_of(client("iam").list_policy_tags(PolicyArn=head["Arn"])["Tags"]),
        "document": default["Document"],
        "versions": len(found["PolicyVersionList"]),
    }


def _state_machine(arn: str) -> dict[str, Any]:
    states = client("stepfunctions")
    machine = states.describe_state_machine(stateMachineArn=arn)
    tags = states.list_tags_for_resource(resourceArn=arn)["tags"]
    return {
        "id": machine["creationDate"].isoformat(),
        "arn": arn,
        "role": machine["roleArn"],
        "definition": json.loads(machine["definition"]),
        "tags": {tag["key"]: tag["value"] for tag in tags},
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
