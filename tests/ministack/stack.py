"""A running MiniStack: its accounts, what is deployed in them, and who acts in them."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import botocore.session

from tests.kit.names import ACCOUNT, ROOT
from tools.child import SECONDS_TO_END, ChildError, end_of_log
from tools.embedded_aws import client_settings, without_aws
from tools.local_http import HOST, NoAnswerError, free_port, send
from tools.permissions.functions import FUNCTIONS

PYTHON = ROOT / ".venv-ministack" / "bin" / "python"
REGION = "us-east-1"
STAGE = "dev"
EXTERNAL_ID = "said-by-the-hub"
MEMBER_TEMPLATE = ROOT / "deploy" / "member-account.json"
_SERVER = ROOT / "tests" / "ministack" / "serve.py"
_SECONDS_TO_START = 60

Credentials = Mapping[str, str]
"""As STS gives them; of an account's root only its id as `AccessKeyId`."""


@dataclass(frozen=True)
class MiniStack:
    """The server, and what acts in its accounts behind Trivet's back."""

    endpoint: str

    def client(self, service: str, credentials: Credentials | str) -> Any:
        """Return a client.

        Args:
            credentials: of a session; or the id of an account, to act as its root.
        """
        if isinstance(credentials, str):
            credentials = {"AccessKeyId": credentials, "SecretAccessKey": "test"}
        return botocore.session.Session().create_client(
            service,
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials.get("SessionToken"),
        )

    def deploy(self, account: str, stack: str, template: str, **parameters: str) -> None:
        """Make a stack, or bring it up to date, and wait until it is."""
        formation = self.client("cloudformation", account)
        there = {each["StackName"] for each in formation.list_stacks()["StackSummaries"]}
        (formation.update_stack if stack in there else formation.create_stack)(
            StackName=stack,
            TemplateBody=template,
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
        )
        status = "IN_PROGRESS"
        while status.endswith("IN_PROGRESS"):
            time.sleep(0.1)
            [found] = formation.describe_stacks(StackName=stack)["Stacks"]
            status = found["StackStatus"]
        assert status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), found

    def let_in(self, account: str, **parameters: str) -> None:
        """Deploy what a member account grants, as it is generated."""
        given = {"HubAccountId": ACCOUNT, "Stage": STAGE, "ExternalId": EXTERNAL_ID} | parameters
        self.deploy(account, "trivet-member", MEMBER_TEMPLATE.read_text(), **given)

    def make_role(self, name: str, policy: Mapping[str, Any]) -> str:
        """Make a role of home that a Lambda function can have, and return its ARN."""
        iam = self.client("iam", ACCOUNT)
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        made = iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        )
        iam.put_role_policy(RoleName=name, PolicyName="policy", PolicyDocument=json.dumps(policy))
        return str(made["Role"]["Arn"])

    def session(self, role: str) -> Credentials:
        """Return the credentials of a session of a role of home, as Lambda gets them."""
        return self.assumed(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:role/{role}")

    def assumed(self, by: Credentials | str, role_arn: str, **parameters: str) -> Credentials:
        """Assume a role, and return the session's credentials."""
        answer = self.client("sts", by).assume_role(
            RoleArn=role_arn, RoleSessionName="a-test", **parameters
        )
        credentials: Credentials = answer["Credentials"]
        return credentials

    def environment(self, function: str) -> dict[str, str]:
        """Return the variables that one of Trivet's functions finds on Lambda."""
        keys = self.session(function)
        return client_settings(self.endpoint, REGION) | {
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
            "AWS_LAMBDA_FUNCTION_NAME": function,
            "TRIVET_STAGE": STAGE,
            "TRIVET_EXTERNAL_ID": EXTERNAL_ID,
        }


def make_functions_roles(aws: MiniStack) -> None:
    """Make the roles of Trivet's functions, with the policies that are generated for them."""
    for function in FUNCTIONS:
        policy = json.loads((ROOT / ".chalice" / f"policy-{STAGE}-{function}.json").read_text())
        aws.make_role(f"trivet-{STAGE}-{function}", policy)


@contextmanager
def ministack() -> Iterator[MiniStack]:
    """Run MiniStack for as long as the context lasts.

    Raises:
        ChildError: it does not start; the message holds the end of its log.
    """
    port = free_port()
    settings = {
        "AUTH": "true",
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        # It knows a few of AWS's managed policies, and takes the others to allow everything.
        "MINISTACK_AUTOCREATE_AWS_MANAGED": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [PYTHON, _SERVER],
            env=without_aws(os.environ) | settings,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        assert process.stdin is not None
        try:
            _await(process, f"http://{HOST}:{port}", log)
            yield MiniStack(f"http://{HOST}:{port}")
        finally:
            process.stdin.close()
            process.wait(SECONDS_TO_END)


def _await(process: "subprocess.Popen[bytes]", endpoint: str, log: Any) -> None:
    until = time.monotonic() + _SECONDS_TO_START
    while True:
        try:
            send("GET", f"{endpoint}/_ministack/ready")
            return
        except NoAnswerError as error:
            if process.poll() is not None or time.monotonic() > until:
                raise ChildError(f"MiniStack did not start: {end_of_log(log)}") from error
            time.sleep(0.1)
