"""What an AWS account holds, in a form that two accounts can be compared by.

Ids, times and the names of executions are left out; where Trivet's record has an id, it is held
against the one that AWS gives.
"""

import json
from typing import Any

import botocore.session

_VOLATILE = ("created_at", "updated_at", "checked_at", "created_by", "updated_by")


def everything() -> dict[str, Any]:
    """Return all roles, customer managed policies, state machines and table rows there are."""
    make: Any = botocore.session.get_session().create_client
    iam, states = make("iam"), make("stepfunctions")
    details = iam.get_account_authorization_details(Filter=["Role", "LocalManagedPolicy"])
    settings = {role["RoleName"]: role for role in iam.list_roles()["Roles"]}
    heads = {policy["Arn"]: policy for policy in iam.list_policies(Scope="Local")["Policies"]}
    machines = [each["stateMachineArn"] for each in states.list_state_machines()["stateMachines"]]
    found: dict[str, Any] = {
        "roles": {
            role["RoleName"]: _role(role, settings[role["RoleName"]])
            for role in details["RoleDetailList"]
        },
        "policies": {
            policy["Arn"]: _policy(
                policy,
                heads[policy["Arn"]]["PolicyId"],
                iam.list_policy_tags(PolicyArn=policy["Arn"])["Tags"],
            )
            for policy in details["Policies"]
        },
        "state machines": {arn: _state_machine(states, arn) for arn in machines},
    }
    ids = {
        each["arn"]: each.pop("id")
        for kind in ("roles", "policies", "state machines")
        for each in found[kind].values()
    }
    return found | _table(make("dynamodb"), ids, _newest(states, machines))


def executions() -> int:
    """Return how many executions of all state machines were ever started."""
    make: Any = botocore.session.get_session().create_client
    states = make("stepfunctions")
    machines = states.list_state_machines()["stateMachines"]
    listed = [states.list_executions(stateMachineArn=each["stateMachineArn"]) for each in machines]
    return sum(len(answer["executions"]) for answer in listed)


def _newest(states: Any, machines: list[str]) -> set[str]:
    """Return the execution of each state machine that was started last."""
    listed = [states.list_executions(stateMachineArn=each)["executions"] for each in machines]
    return {each[0]["executionArn"] for each in listed if each}


def _role(role: Any, settings: Any) -> dict[str, Any]:
    return {
        "id": role["RoleId"],
        "arn": role["Arn"],
        "description": settings.get("Description"),
        "session": settings["MaxSessionDuration"],
        "boundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        "tags": {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])},
        "trust": role["AssumeRolePolicyDocument"],
        "attached": sorted(policy["PolicyArn"] for policy in role["AttachedManagedPolicies"]),
        "inline": {each["PolicyName"]: each["PolicyDocument"] for each in role["RolePolicyList"]},
    }


def _policy(policy: Any, policy_id: str, tags: Any) -> dict[str, Any]:
    [default] = [each for each in policy["PolicyVersionList"] if each["IsDefaultVersion"]]
    return {
        "id": policy_id,
        "arn": policy["Arn"],
        "tags": {tag["Key"]: tag["Value"] for tag in tags},
        "document": default["Document"],
        "versions": len(policy["PolicyVersionList"]),
    }


def _state_machine(states: Any, arn: str) -> dict[str, Any]:
    machine = states.describe_state_machine(stateMachineArn=arn)
    tags = states.list_tags_for_resource(resourceArn=arn)["tags"]
    return {
        "id": machine["creationDate"].isoformat(),
        "arn": arn,
        "role": machine["roleArn"],
        "definition": json.loads(machine["definition"]),
        "tags": {tag["key"]: tag["value"] for tag in tags},
    }


def _table(dynamodb: Any, ids: dict[str, str], newest: set[str]) -> dict[str, Any]:
    if not dynamodb.list_tables()["TableNames"]:
        return {"environments": {}, "leases": []}
    rows = dynamodb.scan(TableName="trivet-local")["Items"]
    return {
        "environments": {
            row["sk"]["S"]: _environment(json.loads(row["document"]["S"]), ids, newest)
            for row in rows
            if row["pk"]["S"] == "environment"
        },
        "leases": [row["sk"]["S"] for row in rows if "lease" in row],
    }


def _environment(document: dict[str, Any], ids: dict[str, str], newest: set[str]) -> dict[str, Any]:
    kept = {key: value for key, value in document.items() if key not in _VOLATILE}
    recorded = kept.pop("unique_ids", {})
    smoke_test = kept.pop("smoke_test", {})
    return kept | {
        "ids": {arn: "right" if ids.get(arn) == recorded[arn] else "wrong" for arn in recorded},
        "smoke test": smoke_test.get("status"),
        "of the newest execution": smoke_test.get("execution_arn") in newest,
        "checks": {each["name"]: each["status"] for each in smoke_test.get("checks", [])},
    }
