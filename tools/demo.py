"""`make demo`: Trivet's main job, seen from outside, on an embedded AWS.

Starts the embedded AWS and the API, then talks to the API over HTTP like any caller: provisions
`datalake-consumer-dev`, repeats the call, detaches a policy behind Trivet's back and has it put
back, and sets the two profiles side by side in numbers. What is shown comes from the API's answers
and from IAM; nothing is typed in.

Exits with 0 when the environment is ready and its smoke test succeeded, else with 1.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import boto3

from tools import breadth
from tools import demo_report as report
from tools.child import ChildError, end_of_log
from tools.embedded_aws import embedded_aws
from tools.local_api import local_api
from tools.local_http import Answer, NoAnswerError, send

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

REQUEST = {"name": "datalake-consumer-dev", "tags": {"team": "datalake"}}
SCOPED = "mlops-dev"
SECONDS_FOR_SMOKE_TEST = 90
POLICY_TO_DETACH = "AmazonS3FullAccess"


class DemoError(RuntimeError):
    """Something did not come out as it should."""


class Demo:
    """One run of the demo against an API and the IAM that it works on."""

    def __init__(self, api_url: str, iam: "IAMClient", paint: report.Paint) -> None:
        self._api_url = api_url
        self._iam = iam
        self._paint = paint

    def run(self) -> None:
        """Show everything.

        Raises:
            DemoError: when the environment does not become ready, or anything else is not right.
        """
        environment = self._provision()
        self._show_wiring(environment)
        self._repeat()
        self._drift_and_repair(environment)
        self._profiles(environment)
        totals = report.check_totals(environment["smoke_test"])
        print(
            f"\n{self._paint('Ready:', 'good')} {environment['name']} is provisioned and in sync; "
            f"its smoke test {environment['smoke_test']['status']} ({totals})."
        )

    def _provision(self) -> dict[str, Any]:
        self._title("1. Provision an environment")
        environment = self._call("POST", "/environments", REQUEST, expected_status=201)
        self._block("", report.document_lines(environment))
        self._block("The three roles", report.role_lines(environment, self._paint))
        self._block("What was made", report.change_count_lines(environment["changes"]))
        settled = self._settled(environment)
        smoke_test = settled["smoke_test"]
        self._block(
            f"The smoke test: {smoke_test['status']}", report.check_lines(smoke_test, self._paint)
        )
        if settled["status"] != "ready":
            raise DemoError(f"the environment is {settled['status']}, not ready")
        if smoke_test["status"] != "succeeded":
            raise DemoError(f"the smoke test is {smoke_test['status']}, not succeeded")
        return settled

    def _settled(self, environment: dict[str, Any]) -> dict[str, Any]:
        deadline = time.monotonic() + SECONDS_FOR_SMOKE_TEST
        while (
            environment["smoke_test"]["status"] in ("pending", "running")
            and time.monotonic() < deadline
        ):
            time.sleep(1)
            path = f"/environments/{environment['name']}"
            environment = _document(send("GET", self._api_url + path), f"GET {path}", 200)
        return environment

    def _show_wiring(self, environment: dict[str, Any]) -> None:
        self._title("2. How the roles are wired, read back from IAM")
        wiring = [
            read_wiring(self._iam, key, role["name"]) for key, role in environment["roles"].items()
        ]
        self._block("", report.wiring_lines(wiring, self._paint))

    def _repeat(self) -> None:
        self._title("3. The same call again")
        environment = self._call("POST", "/environments", REQUEST, expected_status=200)
        self._block("What was changed", report.change_count_lines(environment["changes"]))
        if environment["changes"]:
            raise DemoError("the repeated call should have changed nothing")

    def _drift_and_repair(self, environment: dict[str, Any]) -> None:
        path = f"/environments/{environment['name']}"
        self._title("4. Someone detaches a policy behind Trivet's back")
        role_name, policy_arn = self._detach_a_policy(environment)
        print(f"  aws iam detach-role-policy --role-name {role_name} \\")
        print(f"    --policy-arn {policy_arn}\n")

        drift = self._call("GET", f"{path}/drift")
        self._block(_sync_state(drift), report.change_lines(drift["changes"]))
        if drift["in_sync"]:
            raise DemoError("the detached policy was not noticed")

        repaired = self._call("POST", f"{path}/reapply")
        self._block("What was put back", report.change_lines(repaired["changes"]))

        drift = self._call("GET", f"{path}/drift")
        self._block(_sync_state(drift), report.change_lines(drift["changes"]))
        if not drift["in_sync"]:
            raise DemoError("the environment still differs after it was reapplied")

    def _profiles(self, environment: dict[str, Any]) -> None:
        self._title("5. The same roles with least privilege: the profile scoped")
        scoped = self._call("PUT", f"/environments/{SCOPED}", {"profile": "scoped"}, 201)
        lines = [
            breadth.line(shown["profile"], key, read_documents(self._iam, role["name"]).values())
            for key in environment["roles"]
            for shown in (environment, scoped)
            for role in [shown["roles"][key]]
        ]
        self._block("What each role can do, by its policies as IAM holds them", lines)

    def _detach_a_policy(self, environment: dict[str, Any]) -> tuple[str, str]:
        for role in environment["roles"].values():
            attached = self._iam.list_attached_role_policies(RoleName=role["name"])
            for policy in attached["AttachedPolicies"]:
                if policy["PolicyName"] == POLICY_TO_DETACH:
                    self._iam.detach_role_policy(
                        RoleName=role["name"], PolicyArn=policy["PolicyArn"]
                    )
                    return role["name"], policy["PolicyArn"]
        raise DemoError(f"no role has {POLICY_TO_DETACH} attached")

    def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        expected_status: int = 200,
    ) -> dict[str, Any]:
        print(f"  {self._paint(f'{method} {path}', 'bold')}")
        if body is not None:
            print(f"  {json.dumps(body)}")
        print(flush=True)
        started = time.monotonic()
        answer = send(method, self._api_url + path, body)
        seconds = time.monotonic() - started
        style = "good" if answer.status == expected_status else "bad"
        print(f"  {self._paint(f'{answer.status} {answer.reason}', style)} ({seconds:.1f} s)\n")
        return _document(answer, f"{method} {path}", expected_status)

    def _title(self, text: str) -> None:
        print(f"\n{self._paint(text, 'bold')}\n{'-' * len(text)}\n")

    def _block(self, heading: str, lines: list[str]) -> None:
        if heading:
            print(f"  {heading}")
            lines = [f"  {line}" for line in lines]
        print(report.indented(lines), end="\n\n" if lines else "\n", flush=True)


def read_wiring(iam: "IAMClient", key: str, role_name: str) -> report.RoleWiring:
    """Read from IAM how a role is wired."""
    trust: Any = iam.get_role(RoleName=role_name)["Role"]["AssumeRolePolicyDocument"]
    documents = read_documents(iam, role_name)
    attached = iam.list_attached_role_policies(RoleName=role_name)["AttachedPolicies"]
    managed_policies = [
        each["PolicyName"] for each in attached if ":iam::aws:" in each["PolicyArn"]
    ]
    for name in managed_policies:
        documents.pop(name)
    return report.RoleWiring(
        key=key,
        name=role_name,
        trusted_services=report.trusted_services(trust),
        pass_grants=tuple(
            grant
            for policy, document in documents.items()
            for grant in report.pass_grants(document, policy)
        ),
        managed_policies=tuple(managed_policies),
        own_policies=tuple(documents),
    )


def read_documents(iam: "IAMClient", role_name: str) -> dict[str, Any]:
    """Read from IAM the documents of all policies of a role, by the policies' names."""
    documents: dict[str, Any] = {}
    for name in iam.list_role_policies(RoleName=role_name)["PolicyNames"]:
        policy = iam.get_role_policy(RoleName=role_name, PolicyName=name)
        documents[f"{name} (inline)"] = policy["PolicyDocument"]
    for attached in iam.list_attached_role_policies(RoleName=role_name)["AttachedPolicies"]:
        arn = attached["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        content = iam.get_policy_version(PolicyArn=arn, VersionId=version)
        documents[attached["PolicyName"]] = content["PolicyVersion"]["Document"]
    return documents


def _document(answer: Answer, request: str, expected_status: int) -> dict[str, Any]:
    if answer.status != expected_status or not isinstance(answer.body, dict):
        raise DemoError(
            f"{request} was answered {answer.status} {answer.reason}, "
            f"not {expected_status}: {json.dumps(answer.body)}"
        )
    return answer.body


def _sync_state(drift: Mapping[str, Any]) -> str:
    return "In sync" if drift["in_sync"] else "Not in sync; what it would take:"


def demo() -> int:
    """Run the demo from start to end; return the exit status."""
    paint = report.paint_for(sys.stdout, os.environ)
    print("Trivet on an embedded AWS (moto, in memory): no account is needed, nothing stays.")
    with tempfile.TemporaryFile("w+") as log:
        try:
            with embedded_aws() as aws, local_api(aws.environment, log=log) as (url, _):
                print(f"The API is served by chalice local on {url}.", flush=True)
                os.environ.clear()
                os.environ.update(aws.environment)
                Demo(url, boto3.client("iam"), paint).run()
        except (ChildError, DemoError, NoAnswerError) as error:
            print(f"The end of the API's log:{end_of_log(log)}", file=sys.stderr)
            print(f"{paint('make demo failed:', 'bad')} {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nmake demo: interrupted", file=sys.stderr)
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(demo())
