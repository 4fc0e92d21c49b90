"""States, times and counts in the words that people read; the states' words are the API's own."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

_TONES = {
    "good": ("ready", "succeeded", "passed", "in sync", "repaired", "connected", "done"),
    "bad": ("failed", "incomplete", "unreachable", "widened", "stopped"),
    "warn": ("drifted", "narrowed", "altered", "paused"),
    "busy": ("running", "pending"),
}


def tone(state: str) -> str:
    """Return how a state is coloured: good, bad, warn, busy or quiet."""
    return next((name for name, states in _TONES.items() if state in states), "quiet")


def drift_state(drift: Mapping[str, Any]) -> str:
    """Return what the last look at an environment found, in a word or two."""
    in_sync = drift["in_sync"]
    if in_sync is None:
        return "unknown"
    return "in sync" if in_sync else "drifted"


def moment(text: str | None) -> str:
    """Return a time of the API's as `2026-11-24 22:39:05 UTC`; a dash for none."""
    if text is None:
        return "–"  # noqa: RUF001  # a dash is meant
    return _parsed(text).strftime("%Y-%m-%d %H:%M:%S UTC")


def ago(text: str | None, now: datetime | None = None) -> str:
    """Return how long a time of the API's is past or ahead: `3 min ago`, `in 2 h`, `never`.

    Args:
        now: with a time zone; the present where it is left out.
    """
    if text is None:
        return "never"
    seconds = ((now or datetime.now(UTC)) - _parsed(text)).total_seconds()
    length = abs(seconds)
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if length >= size:
            number = int(length // size)
            said = f"{number} {'day' if (number, unit) == (1, 'days') else unit}"
            break
    else:
        return "just now" if seconds >= 0 else "in less than a minute"
    return f"{said} ago" if seconds >= 0 else f"in {said}"


def counted(states: Iterable[str]) -> str:
    """Return how often each state occurs: `9 passed, 1 failed`, the worst first."""
    counts = Counter(states)
    order = ("failed", "skipped", "passed")
    known = [state for state in order if state in counts]
    return ", ".join(f"{counts[state]} {state}" for state in known)


def plural(number: int, noun: str) -> str:
    """Return `1 change`, `2 changes`, `No changes`."""
    return f"{number or 'No'} {noun if number == 1 else noun + 's'}"


def _parsed(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
