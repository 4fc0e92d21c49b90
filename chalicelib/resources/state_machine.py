"""What Trivet knows of the smoke test's state machine.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from chalicelib.aws.accounts import Target
from chalicelib.aws.answers import call, found
from chalicelib.model import documents, explain
from chalicelib.model.actual import ActualStateMachine
from chalicelib.model.change import Explanation
from chalicelib.model.desired import StateMachine
from chalicelib.resources import tags
from chalicelib.resources.change import DONE, AnyChange, Change, Foreign, Outcome


def read(target: Target, arn: str) -> ActualStateMachine | None:
    """Return the state machine, or `None` if there is none, or one that is being deleted."""
    describe = target.states.describe_state_machine
    answer = found(f"reading state machine {arn}", describe, stateMachineArn=arn)
    if answer is None or answer["status"] == "DELETING":
        return None
    return ActualStateMachine(
        arn=arn,
        unique_id=_unique_id(answer["creationDate"]),
        role_arn=answer["roleArn"],
        definition=json.loads(answer["definition"]),
    )


def _unique_id(created: datetime) -> str:
    return created.astimezone(UTC).isoformat()


def is_own(wanted: StateMachine, held: ActualStateMachine, unique_ids: Mapping[str, str]) -> bool:
    """Tell whether the machine under the environment's name is its own.

    DescribeStateMachine shows no tags: it is the environment's if it was recorded, or runs under
    the environment's role. 1.0 recorded creation dates in its process's own time zone.
    """
    recorded = unique_ids.get(held.arn)
    if recorded and datetime.fromisoformat(recorded) == datetime.fromisoformat(held.unique_id):
        return True
    return held.role_arn == wanted.role_arn


def foreign(
    wanted: StateMachine, held: ActualStateMachine, unique_ids: Mapping[str, str]
) -> list[Foreign]:
    """Tell whether the machine under the environment's name is someone else's."""
    if is_own(wanted, held, unique_ids):
        return []
    return [Foreign(held.arn, "it runs under another role", adoptable=True)]


def differences(wanted: StateMachine, held: ActualStateMachine | None) -> Iterator[AnyChange]:
    """Return what differs in the state machine: no change or one."""
    expected = {"definition": wanted.definition, "role_arn": wanted.role_arn}
    if held is None:
        yield CreateStateMachine(wanted.role, wanted.arn, expected, None, wanted=wanted)
        return
    same = documents.same_json(wanted.definition, held.definition)
    if not same or wanted.role_arn != held.role_arn:
        actual = {"definition": held.definition, "role_arn": held.role_arn}
        yield UpdateStateMachine(wanted.role, wanted.arn, expected, actual)


class CreateStateMachine(Change[Mapping[str, Any], None], frozen=True, kw_only=True):
    """The state machine is missing."""

    kind = "create_state_machine"
    actions = ("states:CreateStateMachine", "states:TagResource")

    wanted: StateMachine

    def apply(self, target: Target) -> Outcome:
        """Create it.

        Raises:
            NotYet: Step Functions cannot assume its role, yet or ever, or one of its name is still
                being deleted.
        """
        wanted = self.wanted
        answer = call(
            f"creating state machine {wanted.name} under role {wanted.role_arn}",
            target.states.create_state_machine,
            name=wanted.name,
            definition=documents.minified(wanted.definition),
            roleArn=wanted.role_arn,
            tags=[
                {"key": each["Key"], "value": each["Value"]} for each in tags.as_list(wanted.tags)
            ],
        )
        return Outcome(_unique_id(answer["creationDate"]))

    def explain(self) -> Explanation:
        """Say that it is missing."""
        return explain.state_machine(self.expected, None)


class UpdateStateMachine(Change[Mapping[str, Any], Mapping[str, Any]], frozen=True):
    """The state machine has another definition or role."""

    kind = "update_state_machine"
    actions = ("states:UpdateStateMachine",)

    def apply(self, target: Target) -> Outcome:
        """Put both back.

        Raises:
            NotYet: Step Functions cannot assume its role, yet or ever.
        """
        call(
            f"updating state machine {self.name} under role {self.expected['role_arn']}",
            target.states.update_state_machine,
            stateMachineArn=self.resource,
            definition=documents.minified(self.expected["definition"]),
            roleArn=self.expected["role_arn"],
        )
        return DONE

    def explain(self) -> Explanation:
        """Name the states that differ."""
        return explain.state_machine(self.expected, self.actual)


CHANGES: tuple[type[AnyChange], ...] = (CreateStateMachine, UpdateStateMachine)
"""Every kind of change to a state machine."""


def delete(target: Target, arn: str) -> None:
    """Delete the state machine; AWS takes minutes to let go of its name."""
    found(f"deleting state machine {arn}", target.states.delete_state_machine, stateMachineArn=arn)
