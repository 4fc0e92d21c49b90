"""Expectations of who may do what, put together so that IAM's simulator is asked seldom.

`iam:SimulatePrincipalPolicy` takes one role, one context, and lists of actions and resources, and
answers for every pair of them, 100 to a page unless MaxItems asks for up to 1,000. It is throttled:
https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from collections.abc import Iterable, Mapping

import msgspec

from chalicelib.model.desired import Expectation


class SimulationGroup(msgspec.Struct, frozen=True):
    """One question to the simulator: who asks it finds the answer to each expectation in it.

    The answer to an expectation is the one for its `(action, resource)`; the others, of which
    nothing is expected, are left aside.
    """

    role: str
    context: Mapping[str, str]
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    expectations: tuple[Expectation, ...]


class _Group(msgspec.Struct):
    role: str
    context: dict[str, str] = {}
    members: list[Expectation] = []

    def results(self, more: Expectation | None = None) -> int:
        """Return how many pairs the simulator answers for, with one more expectation."""
        members = [*self.members, *([more] if more else [])]
        return len({each.action for each in members}) * len({each.resource for each in members})


def grouped(expectations: Iterable[Expectation]) -> list[SimulationGroup]:
    """Return the fewest questions that answer all expectations, each as small as can be.

    Two expectations about one role go together when neither's context bears on the other. A
    condition key bears on the actions that any expectation gives it for: what `PassRole` is told
    of the receiving service does not matter to `StartExecution`, and to another `PassRole` it does.
    """
    listed = list(expectations)
    told = {(each.action, key) for each in listed for key in each.context}
    groups: list[_Group] = []
    # Those with a context first: they decide how many groups there have to be.
    for each in sorted(listed, key=lambda one: -len(one.context)):
        fitting = [group for group in groups if _fits(each, group, told)]
        if not fitting:
            fitting = [_Group(each.role)]
            groups += fitting
        group = min(fitting, key=lambda one: one.results(each) - one.results())
        group.context |= each.context
        group.members.append(each)
    return [_question(group) for group in groups]


def _fits(each: Expectation, group: _Group, told: set[tuple[str, str]]) -> bool:
    return each.role == group.role and all(
        _agree(each.action, each.context, group.context, told)
        and _agree(member.action, member.context, each.context, told)
        for member in group.members
    )


def _agree(
    action: str,
    own: Mapping[str, str],
    other: Mapping[str, str],
    told: set[tuple[str, str]],
) -> bool:
    """Tell whether an action with its own context is decided alike with the other's beside it."""
    return all(
        own[key] == value if key in own else (action, key) not in told
        for key, value in other.items()
    )


def _question(group: _Group) -> SimulationGroup:
    return SimulationGroup(
        role=group.role,
        context=group.context,
        actions=tuple(dict.fromkeys(each.action for each in group.members)),
        resources=tuple(dict.fromkeys(each.resource for each in group.members)),
        expectations=tuple(group.members),
    )
