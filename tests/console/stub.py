"""An API that answers with the documents it is given, and records what it was asked."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from tests.console import documents
from tests.console.documents import ACCOUNT, MEMBER, NAME, RUN_ID
from trivet.api import Answer, Api
from trivet.errors import Problem

ROLES = ("notebook", "workflow_execution", "lambda_trigger")
URL = "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com/prod"


class Call(NamedTuple):
    """What the API was asked."""

    method: str
    path: str
    body: Mapping[str, Any] | None
    query: Mapping[str, str | int | None]


class StubApi(Api):
    """Answers by method and path: with a document, or with an error to raise."""

    def __init__(self) -> None:
        super().__init__(URL)
        self.forget()

    def forget(self) -> None:
        """Be as new."""
        self.calls: list[Call] = []
        self.answers: dict[tuple[str, str], dict[str, Any] | Exception] = _answers()

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str | int | None] | None = None,
    ) -> Answer:
        self.calls.append(Call(method, path, body, query or {}))
        answer = self.answers.get((method, path))
        if answer is None:
            answer = Problem(404, "Not Found", f"{method} {path}: there is no such thing")
        if isinstance(answer, Exception):
            raise answer
        return Answer(200, answer)

    @property
    def changing(self) -> list[tuple[str, str, Mapping[str, Any] | None]]:
        """What was asked of it that is no `GET`."""
        return [(each.method, each.path, each.body) for each in self.calls if each.method != "GET"]


def _answers() -> dict[tuple[str, str], dict[str, Any] | Exception]:
    """Return a fleet: one environment that drifted, others in every other state."""
    environments = [
        documents.environment("analytics-test", profile="scoped"),
        documents.failed(),
        documents.environment("mlops-prod", deletion_protection=True),
        documents.environment(
            "notebook-lab",
            status="incomplete",
            drift={"in_sync": None, "checked_at": None},
            paused_until="2099-11-25T18:00:00Z",
        ),
    ]
    environments[3]["smoke_test"] |= {"status": "pending", "checks": [], "execution_arn": None}
    environments[0]["parameters"] = {"buckets": ["analytics-test-*", "lake"], "cost_center": "4711"}
    answers: dict[tuple[str, str], dict[str, Any] | Exception] = {}
    for each in environments:
        path = f"/environments/{each['name']}"
        planned = {**each, "changes": documents.CHANGES}
        answers |= {
            ("GET", path): each,
            ("PUT", path): planned,
            ("POST", f"{path}/adopt"): planned,
            ("POST", f"{path}/reapply"): planned,
            ("POST", f"{path}/smoke-test"): each,
            ("POST", f"{path}/pause"): each,
            ("DELETE", f"{path}/pause"): each,
            ("DELETE", f"{path}/deletion-protection"): each,
            ("GET", f"{path}/drift"): _drift(each["name"], each["drift"]["in_sync"]),
            ("GET", f"{path}/history"): _history(),
            ("DELETE", path): _deletion(each["name"]),
        }
    listing = {"environments": [documents.listed(each) for each in environments]}
    in_member = documents.environment("member-lab", MEMBER)
    return answers | {
        ("GET", "/environments"): listing | {"next_cursor": "bm90ZWJvb2s="},
        ("GET", f"/accounts/{MEMBER}/environments"): {
            "environments": [documents.listed(in_member)],
            "next_cursor": None,
        },
        ("GET", f"/accounts/{MEMBER}/environments/member-lab"): in_member,
        ("POST", f"/accounts/{MEMBER}/environments/member-lab/reapply"): in_member,
        ("PUT", "/environments/new-one"): documents.environment(
            "new-one", changes=[_created("notebook"), _created("workflow_execution")]
        ),
        ("GET", "/profiles"): {"profiles": documents.PROFILES},
        ("GET", "/profiles/standard"): documents.PROFILES[0],
        ("GET", "/profiles/scoped"): documents.PROFILES[1],
        **_runs(),
        **_accounts(),
    }


def _runs() -> dict[tuple[str, str], dict[str, Any] | Exception]:
    reports = {
        RUN_ID: documents.report(),
        "preview-1": documents.report(id="preview-1", applied=False, trigger="request"),
        "running-1": documents.report(
            id="running-1", status="running", finished_at=None, checked=120, environments=[]
        ),
        "stopped-1": documents.report(
            id="stopped-1", applied=False, repaired=0, stopped="it would change 180 of 300"
        ),
    }
    for each in reports["stopped-1"]["environments"]:
        each |= {"outcome": "drifted", "error": None}
    listed = [
        {key: value for key, value in each.items() if key != "environments"}
        for each in reports.values()
    ]
    return {
        ("GET", "/drift-runs"): {"drift_runs": listed, "next_cursor": None},
        ("POST", "/drift-runs"): reports["running-1"],
        **{("GET", f"/drift-runs/{key}"): each for key, each in reports.items()},
    }


def _accounts() -> dict[tuple[str, str], dict[str, Any] | Exception]:
    home = documents.account()
    member = documents.account(
        MEMBER,
        alias="ml-dev",
        status="unreachable",
        detail=f"arn:aws:iam::{MEMBER}:role/TrivetMember cannot be assumed: deploy "
        "deploy/member-account.json there.",
    )
    return {
        ("GET", "/accounts"): {"accounts": [home, member], "next_cursor": None},
        ("GET", f"/accounts/{ACCOUNT}"): home,
        ("GET", f"/accounts/{MEMBER}"): member,
        ("PUT", f"/accounts/{MEMBER}"): member,
        ("DELETE", f"/accounts/{MEMBER}"): {},
    }


def _drift(name: str, in_sync: bool | None) -> dict[str, Any]:
    if in_sync:
        return {"name": name, "in_sync": True, "changes": [], "foreign": []}
    foreign = f"arn:aws:iam::{ACCOUNT}:policy/{NAME}-LambdaTriggerStepFuncRole"
    return {
        "name": name,
        "in_sync": False,
        "changes": documents.CHANGES,
        "foreign": [{"resource": foreign, "reason": "it exists without Trivet's tags"}],
    }


def _history() -> dict[str, Any]:
    event = {
        "event_id": "8f1e",
        "event_name": "CreatePolicyVersion",
        "event_time": "2026-11-24T21:58:00Z",
        "actor": f"arn:aws:iam::{ACCOUNT}:user/mallory",
    }
    return {
        "entries": [
            documents.entry(
                "event_repair", by=None, changes=[documents.UPDATED_POLICY], cause=event
            ),
            documents.entry(
                "reapply", outcome="failed", error="IAM throttled past all retries; call again."
            ),
            documents.entry(
                "pause", pause={"until": "2026-11-24T23:00:00Z", "reason": "incident 4711"}
            ),
            documents.entry("create", changes=[*map(_created, ROLES), documents.DETACHED]),
        ],
        "next_cursor": "b2xkZXI=",
    }


def _created(role: str) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sagemaker.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return {
        "kind": "create_role",
        "role": role,
        "resource": documents.environment("new-one")["roles"][role]["arn"],
        "summary": f"role {role} is missing",
        "effect": "narrowed",
        "expected": {"trust": {"Version": "2012-10-17", "Statement": [statement]}},
        "actual": None,
    }


def _deletion(name: str) -> dict[str, Any]:
    roles = documents.environment(name)["roles"].values()
    return {
        "name": name,
        "deleted": [role["arn"] for role in roles],
        "detached": [
            {"policy": f"arn:aws:iam::{ACCOUNT}:policy/Audit", "role": f"{name}-SageMaker"}
        ],
        "left": [{"resource": f"arn:aws:iam::{ACCOUNT}:role/{name}-X", "reason": "it is foreign"}],
    }
