"""Patterns with IAM's wildcards: whether one takes in all that another does.

`*` stands for any characters and `?` for one. In an ARN a `*` goes beyond a colon only where it
ends its part: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
What is said here holds whether or not a service keeps to that. A policy variable (`${...}`) may
stand for anything.
"""

import re
from functools import lru_cache

_PARTS = re.compile(r"\$\{[^}]*\}|\*+|.", re.DOTALL)
_OPEN = re.compile(r"[*?$}]")


@lru_cache(maxsize=4096)
def covers(wide: str, narrow: str) -> bool:
    """Tell whether all that fits `narrow` certainly fits `wide`."""
    if wide in (narrow, "*"):
        return True
    start = re.split(r"[*?]", wide, maxsplit=1)[0]
    return start != wide and narrow.startswith(start) and _fits(_parts(wide), _parts(narrow))


def disjoint(one: str, other: str) -> bool:
    """Tell whether certainly nothing fits both patterns."""
    starts = _OPEN.split(one)[0], _OPEN.split(other)[0]
    if starts == (one, other):
        return one != other
    ends = _OPEN.split(one)[-1][::-1], _OPEN.split(other)[-1][::-1]
    return any(not a.startswith(b) and not b.startswith(a) for a, b in (starts, ends))


def _parts(pattern: str) -> list[str]:
    """Return characters and policy variables, with one `*` for each run of them."""
    return ["*" if part[0] == "*" else part for part in _PARTS.findall(pattern)]


def _fits(wide: list[str], narrow: list[str]) -> bool:
    """Read `narrow` as text, its wildcards as letters that only wildcards stand for.

    The places in `wide` that can have been reached are the bits of a number, so that a pattern
    full of wildcards takes no longer than another.
    """
    places: dict[str, int] = {}
    beyond_colons = 0
    for place, part in enumerate(wide):
        places[part] = places.get(part, 0) | 1 << place
        if part == "*" and wide[place + 1 : place + 2] in ([], [":"]):
            beyond_colons |= 1 << place
    stars, single = places.pop("*", 0), places.get("?", 0)
    reached = 1 | (1 & stars) << 1
    for part in narrow:
        anything = part == ":" or len(part) > 1
        passed = reached & (places.get(part, 0) | (0 if anything or part == "*" else single))
        stayed = reached & (beyond_colons if anything else stars)
        reached = passed << 1 | stayed
        reached |= (reached & stars) << 1
    return bool(reached >> len(wide) & 1)
