"""One pass through all that Trivet does, so that every AWS call it can make is made.

The calls are recorded as each of its functions makes them: by the routes of the API, by the
scheduled drift run, and by the handler of IAM's change events.
"""

from __future__ import annotations

import json
import os
from functools import cache
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends

from tests.kit import drifts, events, product
from tests.kit.account import client
from tests.kit.faults import Meddler
from tests.kit.hostile import hostile
from tests.kit.http import PatientApi, invoke, rest
from tests.kit.names import POLICIES
from tests.kit.recorder import RecordedCall, Recorder, recording
from tests.kit.wire import refusing
from tests.kit.world import World, fresh

ADMINISTRATOR = "policy/AdministratorAccess"
POLICY = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"},
}
TRUST = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    },
}
_LONG_AFTER = 32_472_144_000.0
"""A time after any check: the year 2999, in seconds since the epoch."""

_STALE = 1
"""Seconds: what vanished is shown no more when Trivet looks again. Calls that change what is gone
would be refused for the tags that it has no more, which tells nothing of the policies."""

_TRIGGER, _NOTEBOOK, _WORKFLOW = (
    "LambdaTriggerStepFunc",
    "SageMaker",
    "StepFunctionsWorkflowExecution",
)


@cache
def recorded_calls(
    region: str, lifted: bool = False, is_hostile: bool = False
) -> tuple[RecordedCall, ...]:
    """Return the calls of the whole pass, once per process.

    Args:
        lifted: whether the stage demands no permissions boundary; then only what differs is done.
        is_hostile: whether AWS shows, knows and forgets as late as the real one may.
    """
    # As on Lambda, the name of the table follows from the stage.
    variables = {"AWS_LAMBDA_FUNCTION_NAME": "trivet-dev", "TRIVET_STAGE": "dev"}
    if lifted:
        variables["TRIVET_PERMISSIONS_BOUNDARY"] = "none"
    with (
        patch.dict(os.environ, variables),
        fresh(region) as made,
        made.wire.through(*(hostile(made.clock, stale=_STALE) if is_hostile else ())),
        recording(made.wire, "api_handler") as recorder,
    ):
        through = _Pass(made, recorder, region)
        if lifted:
            through.without_a_boundary()
        else:
            through.everything()
    return tuple(recorder.calls)


class _Pass:
    """An account with Trivet in it, and someone who acts behind Trivet's back."""

    def __init__(self, world: World, recorder: Recorder, region: str) -> None:
        self.wire, self.clock, self.recorder = world.wire, world.clock, recorder
        self.api = PatientApi(world.wire, world.clock)
        self.iam = client("iam")
        identity = client("sts").get_caller_identity()
        self.partition = identity["Arn"].split(":")[1]
        self.region = region
        self.account = identity["Account"]

    def everything(self) -> None:
        self.tables()
        self.provisioning()
        self.adoption()
        self.repairs()
        self.withdrawn_policies()
        self.removal("lake", "hand", "pond")
        self.members()

    def without_a_boundary(self) -> None:
        """Making, adopting, repairing and removing; and the boundaries that callers may name."""
        self.api.provision("lake", wait=0)
        self.adoption()
        self.callers_boundaries()
        self.repaired_by_each("lake")
        self.removal("lake", "hand")

    def tables(self) -> None:
        """The table is missing, for each that makes it."""
        self.drift_run()
        dynamodb = client("dynamodb")
        dynamodb.update_table(TableName="trivet-dev", DeletionProtectionEnabled=False)
        # Somebody took the protection off the table: it is put on again.
        self.drift_run()
        dynamodb.update_table(TableName="trivet-dev", DeletionProtectionEnabled=False)
        assert self.api.post("/drift-runs").status == 200
        dynamodb.update_table(TableName="trivet-dev", DeletionProtectionEnabled=False)
        dynamodb.delete_table(TableName="trivet-dev")

    def provisioning(self) -> None:
        assert self.api.provision("lake", wait=25)["smoke_test"]["status"] == "succeeded"
        assert self.api.provision("lake")["changes"] == []
        assert self.api.provision("lake", tags={"team": "lake"}, dry_run=True)["changes"]
        assert self.api.provision("lake", tags={"team": "lake"}, wait=0)["changes"]
        assert self.api.put("/environments/pond", {"wait": 0}).status == 201
        self.drift_run()
        for path in (
            *("/environments", "/environments/pond", "/environments/pond/drift"),
            *("/health", "/openapi.json", "/drift-runs/latest"),
        ):
            assert self.api.get(path).status == 200
        assert self.api.post("/environments/lake/smoke-test", {"wait": 25}).status == 200

    def adoption(self) -> None:
        """Roles made by hand, one of them with more than Trivet would give it."""
        for suffix in (_NOTEBOOK, _WORKFLOW, _TRIGGER):
            self.iam.create_role(
                RoleName=f"hand-{suffix}", AssumeRolePolicyDocument=json.dumps(TRUST)
            )
        self.iam.attach_role_policy(
            RoleName=f"hand-{_NOTEBOOK}", PolicyArn=self.managed(ADMINISTRATOR)
        )
        self.iam.create_policy(PolicyName=f"hand-{_TRIGGER}Role", PolicyDocument=json.dumps(POLICY))
        assert self.api.put("/environments/hand", {"wait": 0}).status == 409
        adopted = self.api.post("/environments/hand/adopt", {"wait": 0})
        assert adopted.body["status"] == "ready", adopted

    def callers_boundaries(self) -> None:
        """A boundary that the caller names: on new roles, on old ones, and taken off again."""
        arn = self.own_policy("team-boundary")
        assert self.api.provision("fenced", permissions_boundary=arn, wait=0)["changes"]
        for boundary in (None, self.managed("policy/PowerUserAccess"), None):
            self.api.provision("fenced", permissions_boundary=boundary, wait=0)
        assert self.api.delete("/environments/fenced").status == 200

    def repairs(self) -> None:
        """Every kind of drift, put right by each of those that put it right."""
        self.retag("lake")
        assert self.api.post("/drift-runs", {"apply": False}).body["drifted"] >= 1
        assert self.api.post("/drift-runs").body["failed"] == 0
        self.repaired_by_each("lake")
        assert self.api.get("/drift-runs/latest").body["failed"] == 0
        for put_right in (self.drift_run, lambda: self.iam_change("pond")):
            self.unfence("pond")
            self.retag("pond")
            put_right()
            self.lose_boundary("pond")
            put_right()
        drifts.delete_all("hand")
        drifts.delete_all("pond")
        self.drift_run()
        drifts.delete_all("pond")
        self.iam_change("pond")
        drifts.delete_all("pond")
        assert self.api.post("/environments/pond/reapply").status == 200
        for name in ("hand", "lake", "pond"):
            # Where its role was not to be seen in time, the state machine is made only now.
            assert self.api.get(f"/environments/{name}").status == 200
            assert self.api.get(f"/environments/{name}/drift").body["in_sync"], name
        with patch.object(*product.reports_kept(), 1):
            self.drift_run()
            assert self.api.post("/drift-runs").status == 200

    def repaired_by_each(self, name: str) -> None:
        """All drifts that there are, put right by the API, the drift run and the event handler."""
        self.disturb(name)
        assert self.api.post(f"/environments/{name}/reapply").status == 200
        self.disturb(name)
        self.vanishing(name)
        self.drift_run()
        self.disturb(name)
        self.vanishing(name)
        # What was seen to differ is found under other rows of the index once it is put back.
        assert not self.api.get(f"/environments/{name}/drift").body["in_sync"]
        self.iam_change(name)

    def withdrawn_policies(self) -> None:
        """AWS withdraws a policy that a role needs again: its absence is looked up."""
        backend = iam_backends[DEFAULT_ACCOUNT_ID][self.partition]
        arn = self.managed("policy/AmazonAthenaFullAccess")
        role = f"pond-{_NOTEBOOK}"
        self.iam.detach_role_policy(RoleName=role, PolicyArn=arn)
        withdrawn = backend.managed_policies.pop(arn)
        assert self.api.post("/environments/pond/reapply").status == 502
        self.drift_run()
        with pytest.raises(Exception, match="AWS has no managed policy"):
            self.iam_change("pond")
        backend.managed_policies[arn] = withdrawn
        assert self.api.post("/environments/pond/reapply").status == 200

    def removal(self, name: str, *others: str) -> None:
        """What is removed lost its tags, and others hold on to it for a while."""
        iam = self.iam
        policy = self.policy(name)
        role = f"{name}-{_NOTEBOOK}"
        self.disturb(name)
        iam.create_user(UserName="someone", Path="/team/")
        iam.attach_user_policy(UserName="someone", PolicyArn=policy)
        iam.create_instance_profile(InstanceProfileName="theirs")
        iam.add_role_to_instance_profile(InstanceProfileName="theirs", RoleName=role)
        assert self.api.delete(f"/environments/{name}").status == 409
        iam.detach_user_policy(UserName="someone", PolicyArn=policy)
        iam.remove_role_from_instance_profile(InstanceProfileName="theirs", RoleName=role)
        answer = self.api.delete(f"/environments/{name}")
        assert answer.status == 200, answer
        assert len(answer.body["deleted"]) == 6, answer
        for other in others:
            assert self.api.delete(f"/environments/{other}").status == 200
        assert iam.list_roles()["Roles"] == []

    def members(self) -> None:
        """A member account is registered; a run over more than one account asks for the fleet."""
        assert self.api.put("/accounts/210987654321", {}).status == 201
        # A preview whose start nobody answered: runs after it look for its execution.
        with self.wire.through(refusing("StartExecution", "InternalFailure", status=500)):
            assert self.api.post("/drift-runs", {"apply": False}).status == 503
        assert self.api.post("/drift-runs").status == 200
        made = self.api.put("/accounts/210987654321/environments/far", {"wait": 0})
        assert made.status == 201, made
        product.forget_account()
        self.drift_run()
        product.forget_account()
        self.iam_change("far", account="210987654321")

    # What goes on around Trivet -------------------------------------------------------------------

    def drift_run(self) -> None:
        rest(self.clock)
        with self.recorder.attributing("drift_run"):
            invoke("drift_run", events.scheduled(), seconds=60)

    def iam_change(self, name: str, account: str = DEFAULT_ACCOUNT_ID) -> None:
        event = events.cloudtrail(_LONG_AFTER, "UntagRole", {"roleName": f"{name}-{_NOTEBOOK}"})
        event["account"] = account
        rest(self.clock)
        with self.recorder.attributing("iam_change"):
            invoke("iam_change", event, seconds=60)

    def vanishing(self, name: str) -> None:
        """Let the trigger role, which lost a tag, vanish between the reading and the change."""
        role = f"{name}-{_TRIGGER}"
        self.iam.untag_role(RoleName=role, TagKeys=["trivet:role"])
        vanishing = Meddler(
            lambda call: call.name == f"TagRole {role}", lambda: drifts.delete_role(role)
        )
        self.wire.layers.append(vanishing)

    def disturb(self, name: str) -> None:
        """Change everything that can be changed about an environment's roles and policies."""
        drifts.disturb(name)
        for key in POLICIES:
            policy = drifts.Target(name, key).policy
            self.iam.tag_policy(PolicyArn=policy, Tags=[{"Key": "added", "Value": "by hand"}])
            self.fill_with_versions(policy)

    def unfence(self, name: str) -> None:
        """Put someone else's boundary on a role."""
        self.iam.put_role_permissions_boundary(
            RoleName=f"{name}-{_NOTEBOOK}", PermissionsBoundary=self.managed(ADMINISTRATOR)
        )

    def retag(self, name: str) -> None:
        """Change a tag that is not the one by which a role is known."""
        tags = [{"Key": "trivet:role", "Value": "another"}]
        self.iam.tag_role(RoleName=f"{name}-{_TRIGGER}", Tags=tags)

    def lose_boundary(self, name: str) -> None:
        """Take the boundary off all roles, and delete its policy."""
        for suffix in (_NOTEBOOK, _WORKFLOW, _TRIGGER):
            self.iam.delete_role_permissions_boundary(RoleName=f"{name}-{suffix}")
        arn = f"arn:{self.partition}:iam::{self.account}:policy/{product.BOUNDARY_NAME}"
        self.iam.delete_policy(PolicyArn=arn)

    def fill_with_versions(self, policy: str) -> None:
        """Edit a policy until it has as many versions as it can have."""
        for version in self.iam.list_policy_versions(PolicyArn=policy)["Versions"]:
            if not version["IsDefaultVersion"]:
                self.iam.delete_policy_version(PolicyArn=policy, VersionId=version["VersionId"])
        for _ in range(4):
            self.iam.create_policy_version(
                PolicyArn=policy, PolicyDocument=json.dumps(POLICY), SetAsDefault=True
            )

    def own_policy(self, name: str) -> str:
        """The ARN of a policy that is not Trivet's, made if it is missing."""
        try:
            self.iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(POLICY))
        except ClientError as error:
            assert error.response["Error"]["Code"] == "EntityAlreadyExists"  # noqa: PT017
        return f"arn:{self.partition}:iam::{self.account}:policy/{name}"

    def policy(self, name: str) -> str:
        return f"arn:{self.partition}:iam::{self.account}:policy/{name}-{_TRIGGER}Role"

    def managed(self, policy: str) -> str:
        return f"arn:{self.partition}:iam::aws:{policy}"
