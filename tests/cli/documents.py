"""The API's documents as the contract has them, for the stub to answer with."""

from typing import Any

Document = dict[str, Any]

ACCOUNT = "123456789012"
MEMBER = "222222222222"
NAME = "datalake-consumer-dev"
CALLER = f"arn:aws:sts::{ACCOUNT}:assumed-role/DataScientist/jo"

_SUFFIXES = {
    "notebook": ("SageMaker", "sagemaker"),
    "workflow_execution": ("StepFunctionsWorkflowExecution", "states"),
    "lambda_trigger": ("LambdaTriggerStepFunc", "lambda"),
}

EXPECTATIONS = (
    "notebook may pass the workflow role to Step Functions",
    "notebook may not pass the trigger role to Step Functions",
    "notebook may create workflows",
    "notebook may not create roles of its own",
    "workflow may pass the notebook role to SageMaker",
    "workflow may not pass the notebook role to another service",
    "workflow may not pass the trigger role to SageMaker",
    "workflow may not pass its own role to SageMaker",
    "workflow may start training jobs",
    "trigger may start workflow executions",
)


def role_name(key: str, name: str = NAME) -> str:
    return f"{name}-{_SUFFIXES[key][0]}"


def role_arn(key: str, name: str = NAME, account: str = ACCOUNT) -> str:
    return f"arn:aws:iam::{account}:role/{role_name(key, name)}"


def checks(failed: str | None = None) -> list[Document]:
    live = "a workflow runs under the workflow_execution role"
    told = [(live, "Execution 4f0c succeeded in 0.5 s.")]
    told += [(each, "IAM simulates it: as expected.") for each in EXPECTATIONS]
    for key, (_, service) in _SUFFIXES.items():
        held = f"IAM holds: {role_name(key)} may be assumed by {service}.amazonaws.com."
        told.append((f"{key} role's trust policy reads back as declared", held))
    return [
        {"name": name, "status": "failed" if name == failed else "passed", "detail": detail}
        for name, detail in told
    ]


def environment(name: str = NAME, account: str = ACCOUNT, **fields: Any) -> Document:
    machine = f"arn:aws:states:us-east-1:{account}:stateMachine:{name}-smoke-test"
    return {
        "name": name,
        "account_id": account,
        "partition": "aws",
        "region": "us-east-1",
        "profile": "standard",
        "parameters": {},
        "status": "ready",
        "drift": {"in_sync": True, "checked_at": "2026-11-24T12:00:00.000Z"},
        "roles": {
            key: {"name": role_name(key, name), "arn": role_arn(key, name, account)}
            for key in _SUFFIXES
        },
        "smoke_test": {
            "status": "succeeded",
            "state_machine_arn": machine,
            "execution_arn": machine.replace(":stateMachine:", ":execution:") + ":4f0c",
            "checks": checks(),
        },
        "changes": [],
        "tags": {"team": "datalake"},
        "permissions_boundary": f"arn:aws:iam::{account}:policy/TrivetEnvironmentBoundary",
        "on_extras": "remove",
        "deletion_protection": False,
        "paused_until": None,
        "created_at": "2026-11-23T06:27:54.114Z",
        "created_by": CALLER,
        "updated_at": "2026-11-23T06:27:54.114Z",
        "updated_by": CALLER,
        **fields,
    }


def with_smoke_test(status: str, failed: str | None = None, **fields: Any) -> Document:
    found = environment(**fields)
    known = checks(failed) if status in ("succeeded", "failed") else []
    found["smoke_test"] = {**found["smoke_test"], "status": status, "checks": known}
    return found


def listed(document: Document) -> Document:
    return {field: value for field, value in document.items() if field != "changes"}


def widened() -> Document:
    statement = {"Sid": "Rules", "Effect": "Allow", "Action": ["events:PutRule"], "Resource": "*"}
    more = {**statement, "Action": ["events:PutRule", "iam:CreateUser"]}
    return {
        "kind": "update_policy",
        "role": "workflow_execution",
        "resource": f"arn:aws:iam::{ACCOUNT}:policy/{NAME}-Policy",
        "summary": "allows iam:CreateUser on * besides (statement Rules)",
        "effect": "widened",
        "expected": {"Version": "2012-10-17", "Statement": [statement]},
        "actual": {"Version": "2012-10-17", "Statement": [more]},
    }


def attached() -> Document:
    return {
        "kind": "attach_managed_policy",
        "role": "notebook",
        "resource": role_arn("notebook"),
        "summary": "lacks AmazonS3FullAccess",
        "effect": "narrowed",
        "expected": "arn:aws:iam::aws:policy/AmazonS3FullAccess",
        "actual": None,
    }


def created() -> Document:
    return {
        "kind": "create_role",
        "role": "notebook",
        "resource": role_arn("notebook"),
        "summary": "the role does not exist",
        "effect": "narrowed",
        "expected": {"trust_policy": {"Version": "2012-10-17"}, "tags": {}},
        "actual": None,
    }


def drift(*changes: Document, foreign: tuple[Document, ...] = ()) -> Document:
    in_sync = not changes and not foreign
    return {"name": NAME, "in_sync": in_sync, "changes": [*changes], "foreign": [*foreign]}


def history_entry(**fields: Any) -> Document:
    return {
        "id": "01JD",
        "at": "2026-11-24T10:00:00.000Z",
        "operation": "declare",
        "by": CALLER,
        "outcome": "done",
        "error": None,
        "changes": [widened()],
        "cause": None,
        **fields,
    }


def report(**fields: Any) -> Document:
    counts = {"checked": 3, "in_sync": 3, "drifted": 0, "repaired": 0, "failed": 0}
    counts |= {key: fields[key] for key in counts if key in fields}
    account = {"account_id": ACCOUNT, **counts, "not_reached": 0, "error": None}
    return {
        "id": "run-1",
        "trigger": "request",
        "applied": True,
        "status": "finished",
        "started_at": "2026-11-24T12:00:00.000Z",
        "finished_at": "2026-11-24T12:00:04.000Z",
        **counts,
        "not_reached": [],
        "accounts": [account],
        "aws_calls": {"iam:GetAccountAuthorizationDetails": 1},
        "stopped": None,
        "environments": [],
        "next_cursor": None,
        **fields,
    }


def row(outcome: str, *changes: Document, **fields: Any) -> Document:
    return {
        "account_id": ACCOUNT,
        "name": NAME,
        "outcome": outcome,
        "changes": [*changes],
        "error": None,
        **fields,
    }


def account(account_id: str = MEMBER, **fields: Any) -> Document:
    return {
        "account_id": account_id,
        "alias": "ml-dev",
        "home": False,
        "status": "connected",
        "detail": None,
        "environments": 3,
        "registered_at": "2026-11-20T08:00:00.000Z",
        "registered_by": CALLER,
        "checked_at": "2026-11-24T12:00:00.000Z",
        **fields,
    }


def profile(name: str = "standard", **parameters: Document) -> Document:
    return {
        "name": name,
        "description": "The manual procedure, with its slips put right.",
        "default": name == "standard",
        "roles": list(_SUFFIXES),
        "parameters": parameters,
    }


def problem(status: int, title: str, detail: str, **fields: Any) -> Document:
    kind = f"urn:trivet:problem:{title.lower().replace(' ', '-')}"
    return {"type": kind, "title": title, "status": status, "detail": detail, **fields}
