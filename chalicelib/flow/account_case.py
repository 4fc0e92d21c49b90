"""One environment of a drift run, as an account's bulk listings show it."""

from collections.abc import Sequence

import msgspec

from chalicelib.flow.plan import Plan, compare
from chalicelib.installation import Installation
from chalicelib.model.actual import Actual, ActualStateMachine
from chalicelib.model.desired import Desired
from chalicelib.resources.change import AnyChange
from chalicelib.table.entry import Entry


class Case(msgspec.Struct, frozen=True):
    """An environment as recorded, as declared, and as IAM's bulk listings show it."""

    entry: Entry
    desired: Desired
    actual: Actual

    @property
    def name(self) -> str:
        """The environment's name."""
        return self.desired.name


def as_declared(case: Case) -> ActualStateMachine:
    """Return the state machine as it should be, for who has not read it."""
    machine = case.desired.state_machine
    recorded = case.entry.environment.unique_ids.get(machine.arn, "")
    return ActualStateMachine(machine.arn, recorded, machine.role_arn, machine.definition)


def plan_of(installation: Installation, case: Case, machine: ActualStateMachine | None) -> Plan:
    """Return the plan for an environment, given its state machine."""
    actual = case.actual.with_state_machine(machine)
    ignored = installation.settings.ignores_tag
    return compare(case.entry.environment, case.desired, actual, ignored)


def steps_of(installation: Installation, case: Case) -> Sequence[AnyChange]:
    """Return what a repair would do to an environment, its state machine apart."""
    return plan_of(installation, case, as_declared(case)).steps
