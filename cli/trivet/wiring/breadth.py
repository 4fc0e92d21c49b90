"""How much each role may do by its declared policies: folded from the environment's history.

Every entry of the history carries whole documents in its changes' `expected`, so that what Trivet
last set is the sum of all changes since it made the role: `create_role` begins anew, what is put or
attached is added, what is deleted or detached goes. For a role that was adopted, or made longer ago
than the history is kept, the sum has no beginning: its breadth is unknown, and said to be.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trivet.errors import Problem

Document = Mapping[str, Any]
Page = Callable[[str | None], Document]
"""Returns the page of an environment's history that is at this cursor, `None` for the newest."""

PAGE_SIZE = 100
"""Entries to ask for at a time: the API's most."""

_PAGES = 20
"""At most, before the breadth counts as unknown."""

_INCOMPLETE = "the environment is incomplete, so that not all of it has been set yet"
_TOO_OLD = (
    "its history, which begins with Trivet 2 and is kept 400 days, does not reach back to when "
    "Trivet made it"
)
_ADOPTED = "it was adopted, and no entry of the history tells what it had before"
_TOO_LONG = f"the newest {_PAGES * PAGE_SIZE:,} entries of the history do not tell of its making"


@dataclass(frozen=True, slots=True)
class Breadth:
    """What a role's declared policies allow, conditions and denials left aside.

    `unknown` is the reason why nothing is known, if so. `aws_managed` are the names of AWS's
    managed policies, whose documents no answer of the API has. Of the role's other policies,
    `services` are the prefixes of what they allow, and `anywhere` is how many actions, or patterns
    of actions, they allow on the resource `*` (or on all but some: `NotResource`).
    """

    unknown: str = ""
    aws_managed: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    anywhere: int = 0

    @property
    def attached(self) -> str:
        """How many of AWS's policies are attached, in words."""
        count = len(self.aws_managed)
        full = sum("FullAccess" in each for each in self.aws_managed)
        said = f"{count or 'no'} AWS managed {'policy' if count == 1 else 'policies'}"
        return f"{said}, {full} FullAccess" if full else said

    @property
    def on_all(self) -> str:
        """How many actions the role's own policies allow on `*`, in words."""
        actions = "action" if self.anywhere == 1 else "actions"
        return f"{self.anywhere} {actions} on *" if self.anywhere else "nothing on *"

    def lines(self) -> list[str]:
        """Return all of it in words."""
        if self.unknown:
            return [f"breadth unknown: {self.unknown}"]
        names = f": {', '.join(self.aws_managed)}" if self.aws_managed else ""
        services = f"; services {', '.join(self.services)}" if self.services else ""
        return [f"{self.attached}{names}", f"own policies: {self.on_all}{services}"]


def read(environment: Document, page: Page) -> dict[str, Breadth]:
    """Return the breadth of each role of an environment, by its key.

    Raises:
        Unreachable: the API gave no answer. Where it refuses the history, the breadth is unknown.
    """
    keys = list(environment["roles"])
    if environment["status"] == "incomplete":
        return dict.fromkeys(keys, Breadth(_INCOMPLETE))
    try:
        entries, lacking = _entries(page)
    except Problem as problem:
        why = f"the API does not show the history: {' '.join(str(problem).split())}"
        return dict.fromkeys(keys, Breadth(why))
    set_up = _Setup()
    for entry in reversed(entries):
        for change in entry["changes"]:
            set_up.add(change)
    return {key: set_up.breadth(key, lacking) for key in keys}


def _entries(page: Page) -> tuple[list[Document], str]:
    """Return what was done since the environment began, newest first.

    And why a role may be lacking in that.
    """
    found: list[Document] = []
    cursor: str | None = None
    for _ in range(_PAGES):
        listing = page(cursor)
        for entry in listing["entries"]:
            if entry["operation"] == "delete" and entry["outcome"] == "done":
                return found, _why(found)
            found.append(entry)
            if entry["operation"] == "create":
                return found, _why(found)
        cursor = listing["next_cursor"]
        if cursor is None:
            return found, _why(found)
    return found, _TOO_LONG


def _why(entries: Sequence[Document]) -> str:
    return _ADOPTED if any(each["operation"] == "adopt" for each in entries) else _TOO_OLD


@dataclass(slots=True)
class _Role:
    attached: set[str] = field(default_factory=set)
    inline: dict[str, Document] = field(default_factory=dict)


class _Setup:
    """What Trivet set by the changes that were added, the oldest first."""

    def __init__(self) -> None:
        self._roles: dict[str, _Role] = {}
        self._policies: dict[str, Document] = {}

    def add(self, change: Document) -> None:
        """Add what a change set; before a role's `create_role`, what is said of it has no use."""
        resource, expected, actual = change["resource"], change["expected"], change["actual"]
        role = self._roles.get(change["role"], _Role())
        match change["kind"]:
            case "create_role":
                self._roles[change["role"]] = _Role()
            case "put_inline_policy":
                role.inline[expected["name"]] = expected["document"]
            case "delete_inline_policy":
                role.inline.pop(actual["name"], None)
            case "attach_managed_policy":
                role.attached.add(expected)
            case "detach_managed_policy":
                role.attached.discard(actual)
            case "create_policy":
                self._policies[resource] = expected["document"]
            case "update_policy":
                self._policies[resource] = expected
            case "delete_policy":
                self._policies.pop(resource, None)
                for each in self._roles.values():
                    each.attached.discard(resource)

    def breadth(self, key: str, lacking: str) -> Breadth:
        """Return the breadth of a role; `lacking` is the reason if it is not all there."""
        role = self._roles.get(key)
        if role is None:
            return Breadth(lacking)
        own = [arn for arn in role.attached if ":iam::aws:" not in arn]
        if any(arn not in self._policies for arn in own):
            return Breadth(lacking)
        documents = [*role.inline.values(), *(self._policies[arn] for arn in own)]
        allowed = set(_allowed(documents))
        return Breadth(
            aws_managed=tuple(sorted(arn.rpartition("/")[2] for arn in role.attached - {*own})),
            services=tuple(sorted({action.partition(":")[0] for action, _ in allowed})),
            anywhere=len({action for action, anywhere in allowed if anywhere}),
        )


def _allowed(documents: Iterable[Document]) -> Iterator[tuple[str, bool]]:
    """Yield each action or pattern that is allowed, and whether on `*`.

    `NotAction` and `NotResource` allow all but some: they count as `*`.
    """
    for document in documents:
        for statement in _listed(document["Statement"]):
            if statement["Effect"] == "Allow":
                anywhere = "*" in _listed(statement.get("Resource", "*"))
                for action in _listed(statement.get("Action", "*")):
                    yield action.lower(), anywhere


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
