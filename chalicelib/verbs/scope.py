"""What a drift run takes in: which accounts and environments, and where it starts."""

from collections.abc import Iterable, Sequence

from chalicelib.errors import FieldError, Invalid
from chalicelib.installation import Installation
from chalicelib.model.report import AccountRow, RunRequest

_REGISTRY_PAGE = 1_000


def is_whole(request: RunRequest) -> bool:
    """Tell whether a run takes in the whole fleet."""
    return request.environments is None and request.accounts is None


def accounts_of(installation: Installation, request: RunRequest) -> list[str]:
    """Return the ids of the accounts that a run takes in, home first.

    Raises:
        Invalid: it names an account that is not registered, or an environment that is nowhere.
    """
    home = installation.home.place.account_id
    everyone = [home, *(each for each in _members(installation) if each != home)]
    named = everyone if request.accounts is None else request.accounts
    unknown = sorted(set(named).difference(everyone))
    if unknown:
        raise Invalid([FieldError("accounts", f"not registered: {', '.join(unknown)}")])
    accounts = [each for each in everyone if each in named]
    names = request.environments or ()
    missing = sorted(set(names) - installation.environments.recorded(accounts, names))
    if missing:
        raise Invalid([FieldError("environments", f"there is none named {', '.join(missing)}")])
    return accounts


def _members(installation: Installation) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page, cursor = installation.accounts.page(_REGISTRY_PAGE, cursor)
        found += [each.account_id for each in page]
        if cursor is None:
            return found


def in_turn(accounts: Sequence[str], starts: Sequence[str]) -> list[str]:
    """Return the accounts in the order in which a run comes to them.

    Args:
        starts: as `next_starts` of the run before.
    """
    turns = {start.partition("/")[0]: turn for turn, start in enumerate(starts)}
    return sorted(accounts, key=lambda account_id: turns.get(account_id, len(turns)))


def start_in(account_id: str, starts: Sequence[str]) -> str | None:
    """Return the name of the environment that a run starts with in an account, if it says one."""
    names = {account: name for account, _, name in (start.partition("/") for start in starts)}
    return names.get(account_id)


def next_starts(
    reached: Iterable[tuple[AccountRow, Sequence[str]]], unseen: Iterable[AccountRow] = ()
) -> list[str]:
    """Return where the next run starts: `account/name` for each account that was not done.

    Those come first that this run did not come to at all, so that in the end each has its turn.

    Args:
        reached: the row of each account, and the environments not reached, as reports name them.
        unseen: the rows of those that were not even looked at.
    """
    left = [(row, names[0].rpartition("/")[2]) for row, names in reached if names]
    left.sort(key=lambda each: each[0].checked > 0)
    return [
        *(f"{row.account_id}/" for row in unseen),
        *(f"{row.account_id}/{name}" for row, name in left),
    ]


def home_first(installation: Installation, rows: Iterable[AccountRow]) -> list[AccountRow]:
    """Return the rows of accounts by their ids, home's first, whatever their turn was."""
    home = installation.home.place.account_id
    return sorted(rows, key=lambda row: (row.account_id != home, row.account_id))
