"""State machines of many environments, which no bulk listing shows: read beside everything else.

Step Functions lets them be read slowly. The repair of roles and policies does not wait for that,
and what could not be read is asked for once more after all the others.
"""

from collections.abc import Sequence
from concurrent.futures import Executor, Future

import msgspec

from chalicelib.aws.accounts import Target
from chalicelib.errors import Unavailable
from chalicelib.flow.account_case import Case, as_declared
from chalicelib.model.actual import ActualStateMachine
from chalicelib.resources import state_machine
from chalicelib.work import threads
from chalicelib.work.operation import Operation

RESERVE = 5
"""Seconds that must be left for an environment to be begun."""

_UNREAD = "The state machine could not be read in time: the next run looks at it."


class Machines(msgspec.Struct, frozen=True):
    """The readings under way, by the environment's name."""

    operation: Operation
    target: Target
    readings: "dict[str, Future[ActualStateMachine | None]]"

    @classmethod
    def read(
        cls, pool: Executor, operation: Operation, target: Target, cases: Sequence[Case]
    ) -> "Machines":
        """Begin to read the state machines of these environments, in their order."""
        return cls(
            operation,
            target,
            {each.name: threads.start_in(pool, _read, target, each) for each in cases},
        )

    def awaited(
        self, case: Case, until: float | None
    ) -> tuple[str | None, ActualStateMachine | None]:
        """Return the state machine, taken as declared where the rest is not to wait for it.

        Args:
            until: when not to wait any longer; `None` for as long as there is time.

        Returns:
            What to say where it was not read, and the state machine.

        Raises:
            TimeoutError: it was not read in time.
            TrivetError: AWS refuses or fails, asked again after all the others.
        """
        machine = self.readings[case.name]
        try:
            return None, self._read_by(machine, until)
        except (TimeoutError, Unavailable):
            if until is None and machine.done():
                return None, _read(self.target, case)
            if until is None:
                raise
        return _UNREAD, as_declared(case)

    def _read_by(
        self, machine: "Future[ActualStateMachine | None]", until: float | None
    ) -> ActualStateMachine | None:
        left = self.operation.time_left() - RESERVE
        if until is not None:
            left = min(left, until - self.operation.clock.now())
        return machine.result(max(0, left))


def _read(target: Target, case: Case) -> ActualStateMachine | None:
    return state_machine.read(target, case.desired.state_machine.arn)
