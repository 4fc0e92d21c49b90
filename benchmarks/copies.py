"""A fleet in the embedded AWS: any number of environments, as Trivet would have made them.

Provisioning a thousand environments takes minutes. Here their roles and policies are put into
the memory of moto's process, from the very profile, and their records into the table through
Trivet's own records. That they are as Trivet makes them is not taken on trust: a drift run must
find every one in sync (`benchmarks.course` checks it).
"""

import sys
from typing import Any

from moto import mock_aws
from moto.iam.models import IAMBackend, iam_backends
from moto.stepfunctions.models import StepFunctionBackend, stepfunctions_backends
from msgspec.structs import replace

from benchmarks.cloud import PLACE, desired, environment, names, places
from chalicelib import settings
from chalicelib.aws.accounts import Target, home
from chalicelib.flow import boundary
from chalicelib.model import documents
from chalicelib.model.desired import Desired, Place, Role
from chalicelib.model.environment import Look, SmokeTest, timestamp
from chalicelib.resources import state_machine
from chalicelib.table.accounts import Accounts, MemberAccount
from chalicelib.table.entry import Entry, item_of
from chalicelib.table.records import Records
from chalicelib.table.sending import Write
from chalicelib.table.table import MOST_WRITES, Table
from chalicelib.work.operation import Operation, under_way
from tests.kit import quick_moto
from tools.embedded_aws import serve_moto


def serve() -> None:
    """Fill moto with `sys.argv[2]` environments in each of `sys.argv[3]` accounts, and serve it."""
    with quick_moto.installed():
        mock = mock_aws()
        mock.start()
        fill(int(sys.argv[2]), int(sys.argv[3]))
        mock.stop(remove_data=False)
        serve_moto()


def fill(size: int, accounts: int = 1) -> None:
    """Put a fleet into the moto of this process, which must be mocking AWS.

    Args:
        size: environments in each account.
        accounts: home, and members that are registered.
    """
    forever = 2.0**40
    with under_way(Operation(started=0, deadline=forever, last_call=forever)) as operation:
        table = Table(home(), settings.current().table, operation)
        table.ensure()
        for place in places(accounts):
            if place == PLACE:
                _fill_account(table, home().target, size)
            else:
                _register(table, place.account_id)
                _fill_account(table, home().member(place.account_id, None, None), size)


def _register(table: Table, account_id: str) -> None:
    now = timestamp(table.now())
    Accounts(table).put(
        MemberAccount(account_id=account_id, registered_at=now, checked_at=now, status="connected")
    )


def _fill_account(table: Table, target: Target, size: int) -> None:
    place = target.place
    iam = iam_backends[place.account_id][place.partition]
    states = stepfunctions_backends[place.account_id][place.region]
    for name in names(size):
        wanted = desired(name, place)
        boundary.ensure(target, wanted)
        machine = _machine_made(target, states, wanted)
        _record(table, place, wanted, _made(iam, wanted) | machine)


def _record(table: Table, place: Place, made: Desired, unique_ids: dict[str, str]) -> None:
    """Record an environment as one that was made, proved, and found in sync.

    Row by row: moto copies the whole table for each transaction.
    """
    recorded = replace(
        environment(made.name, place),
        status="ready",
        unique_ids=unique_ids,
        made={
            each.name: sorted([*each.managed_policies, *each.inline_policies])
            for each in made.roles
        },
        smoke_test=SmokeTest(status="succeeded"),
    )
    records = Records(table)
    look = Look(in_sync=True, at=timestamp(table.now()))
    entry, index = records.indexed(Entry(recorded, version=2, own_look=look), MOST_WRITES)
    row: Write = {"Put": {"Item": item_of(records.pk(place.account_id), entry)}}
    table.write_all(f"recording environment {made.name}", [row, *index])


def _made(iam: IAMBackend, wanted: Desired) -> dict[str, str]:
    unique_ids = {}
    for policy in wanted.policies:
        made = iam.create_policy(
            description=policy.description,
            path="/",
            policy_document=documents.minified(policy.document),
            policy_name=policy.name,
            tags=_tags(policy.tags),
        )
        unique_ids[policy.arn] = made.id
    for role in wanted.roles:
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


def _machine_made(target: Target, states: StepFunctionBackend, wanted: Desired) -> dict[str, str]:
    machine = wanted.state_machine
    states.create_state_machine(
        name=machine.name,
        definition=documents.minified(machine.definition),
        roleArn=machine.role_arn,
        tags=[{"key": key, "value": value} for key, value in machine.tags.items()],
    )
    there = state_machine.read(target, machine.arn)
    assert there is not None
    return {machine.arn: there.unique_id}


def _tags(tags: Any) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
