"""A fleet in the embedded AWS: any number of environments, as Trivet would have made them.

Provisioning a thousand environments takes minutes. Here their roles and policies are put into
the memory of moto's process, from the very templates, and their records into the table through
Trivet's own store. That they are as Trivet makes them is not taken on trust: a drift run must
find every one in sync (`benchmarks.course` checks it).
"""

import sys
from typing import Any

import botocore.session
from moto import mock_aws
from moto.iam.models import IAMBackend, iam_backends
from moto.stepfunctions.models import StepFunctionBackend, stepfunctions_backends

from benchmarks.cloud import PLACE, names
from chalicelib import documents, read, templates
from chalicelib.aws import Account
from chalicelib.model import Desired, Role
from chalicelib.operation import Operation
from chalicelib.records import Declaration, Environment, SmokeTest
from chalicelib.store import Store
from tools.embedded_aws import serve_moto

TABLE = "trivet-local"


def serve() -> None:
    """Fill moto with `sys.argv[2]` environments and serve it; the entry point of the child."""
    mock = mock_aws()
    mock.start()
    fill(int(sys.argv[2]))
    mock.stop(remove_data=False)
    serve_moto()


def fill(size: int) -> None:
    """Put a fleet into the moto of this process, which must be mocking AWS."""
    account = Account(botocore.session.get_session())
    store = Store(account, TABLE, Operation(started=0, deadline=2**40, last_call=2**40))
    store.ensure_table()
    iam = iam_backends[PLACE.account_id][PLACE.partition]
    states = stepfunctions_backends[PLACE.account_id][PLACE.region]
    for name in names(size):
        desired = templates.load().render(name, PLACE, {}, None)
        unique_ids = _made(iam, desired) | _machine_made(account, states, desired)
        environment = Environment(
            name=name,
            account_id=PLACE.account_id,
            partition=PLACE.partition,
            region=PLACE.region,
            declaration=Declaration(),
            status="ready",
            unique_ids=unique_ids,
            smoke_test=SmokeTest(status="succeeded"),
        )
        store.create(environment)
        store.release(1, environment)


def _made(iam: IAMBackend, desired: Desired) -> dict[str, str]:
    unique_ids = {}
    for policy in desired.policies:
        made = iam.create_policy(
            description=policy.description,
            path="/",
            policy_document=documents.minified(policy.document),
            policy_name=policy.name,
            tags=_tags(policy.tags),
        )
        unique_ids[policy.arn] = made.id
    for role in desired.roles:
        unique_ids[role.arn] = _role_made(iam, role)
    return unique_ids


def _role_made(iam: IAMBackend, role: Role) -> str:
    made = iam.create_role(
        role_name=role.name,
        assume_role_policy_document=documents.minified(role.trust_policy),
        path="/",
        permissions_boundary=role.permissions_boundary,
        description=role.description,
        tags=_tags(role.tags),
        max_session_duration=str(role.max_session_duration),
    )
    for arn in role.managed_policies:
        iam.managed_policies[arn].attach_to(made)
    for name, document in role.inline_policies.items():
        made.put_policy(name, documents.minified(document))
    return str(made.id)


def _machine_made(
    account: Account, states: StepFunctionBackend, desired: Desired
) -> dict[str, str]:
    machine = desired.state_machine
    states.create_state_machine(
        name=machine.name,
        definition=documents.minified(machine.definition),
        roleArn=machine.role_arn,
        tags=[{"key": key, "value": value} for key, value in machine.tags.items()],
    )
    there = read.state_machine(account, machine.arn)
    assert there is not None
    return {machine.arn: there.unique_id}


def _tags(tags: Any) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
