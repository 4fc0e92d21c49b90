"""The results of runs over many accounts, as a section of the page."""

from collections.abc import Mapping

from benchmarks.course import ACCOUNTS, AT_ONCE, EACH, Accounts
from benchmarks.tables import Row, table

_HEAD = (
    "accounts",
    "environments",
    "calls",
    "calls an account",
    f"{AT_ONCE} at once: in sequence",
    "seconds",
    "one after the other: in sequence",
    "seconds",
    "own CPU ms an account",
)

_SECTION = """\
## Checking many accounts

{accounts}

Each account has {each} environments in sync. The steps are those of the fleet's state machine,
which looks at {at_once} accounts side by side: in one process here, on AWS each in a process of its
own. Every call is counted: to the member, to its role, and to the table at home."""


def constant(measured: Mapping[int, Accounts]) -> Row:
    """Return whether an account costs no more calls among many than among few."""
    few, many = (measured[count] for count in ACCOUNTS)
    calls = [each.side_by_side.call_count / each.count for each in (few, many)]
    return Row(
        f"{few.count} accounts, and {many.count}: calls an account",
        "constant or falling",
        " → ".join(f"{each:.1f}" for each in calls),
        calls[1] <= calls[0],
    )


def section(measured: Mapping[int, Accounts]) -> str:
    """Return the section."""
    rows = table(_HEAD, [_row(each) for each in measured.values()])
    return _SECTION.format(accounts=rows, at_once=AT_ONCE, each=EACH)


def _row(measured: Accounts) -> list[str]:
    fast, slow = measured.side_by_side, measured.one_by_one
    return [
        str(measured.count),
        f"{measured.count * EACH:,}",
        f"{fast.call_count:,}",
        f"{fast.call_count / measured.count:.1f}",
        str(fast.in_sequence),
        f"{fast.seconds:.1f}",
        str(slow.in_sequence),
        f"{slow.seconds:.1f}",
        f"{slow.own_cpu / measured.count * 1000:.0f}",
    ]
