"""Changes as people read them: what each is about, its effect, and the lines that differ.

A change tells `expected`, as declared, and `actual`, as AWS has it. Putting it right leads from
the second to the first: so `-` is what is there now and `+` what is declared.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from trivet import diff
from trivet.output import Styled

_EFFECTS = {"widened": "bold red", "narrowed": "yellow", "altered": "magenta"}
_SIGNS = {"+": "green", "-": "red", "~": "yellow"}

Line = list[Styled]
Change = Mapping[str, Any]


def of(changes: Iterable[Change]) -> Iterator[Line]:
    """Yield the lines that show these changes."""
    for change in changes:
        yield from _one(change)


def headline(change: Change) -> Line:
    """Return the line that tells a change: its sign, kind, resource and effect."""
    sign = _sign(change)
    told: Line = [
        (f"{sign} {change['kind']} ", _SIGNS[sign]),
        (str(change["resource"]).rpartition(":")[2], "bold"),
    ]
    effect = str(change.get("effect") or "none")
    if effect != "none":
        told.append((f"  {effect}", _EFFECTS.get(effect, "")))
    return told


def in_one_line(change: Change) -> Line:
    """Return the line that tells a change with its summary."""
    summary = change.get("summary")
    return [*headline(change), (f": {summary}" if summary else "", "")]


def _sign(change: Change) -> str:
    if change["actual"] is None:
        return "+"
    return "-" if change["expected"] is None else "~"


def _one(change: Change) -> Iterator[Line]:
    yield headline(change)
    if change.get("summary"):
        yield [(f"    {change['summary']}", "")]
    if str(change["kind"]).startswith("create_"):
        # All of it is new, as the profile has it: its summary says enough.
        return
    for sign, text in diff.lines(change):
        found = "  ..." if sign == "gap" else f"{sign} {text}"
        yield [(f"      {found}", _SIGNS.get(sign, "dim"))]
