"""Waiting for what the API does in its own time: smoke tests, and drift runs over many accounts."""

from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

from trivet import output
from trivet.errors import Problem, Unreachable

Document = dict[str, Any]

_PAUSE = 2.0
"""Seconds between two looks."""

_FAILURES = 5
"""How many looks in a row may fail before it is given up."""


def settled(
    first: Document,
    look: Callable[[], Document],
    is_settled: Callable[[Document], bool],
    told: Callable[[Document], str],
    limit: float,
) -> Document:
    """Look again and again until something is settled.

    A look that fails for a while (throttled, no answer) is repeated.

    Args:
        first: the document as the first answer had it.
        look: returns the document as it is now.
        told: says in one line how far it is.
        limit: seconds after which it is given up.

    Returns:
        The document at the end; not settled where the time ran out.
    """
    seen, failures, until = first, 0, monotonic() + limit
    if is_settled(seen):
        return seen
    with output.waiting(told(seen)) as status:
        while not is_settled(seen) and monotonic() < until:
            pause = _PAUSE
            try:
                seen, failures = look(), 0
            except (Problem, Unreachable) as error:
                failures += 1
                if failures == _FAILURES or not _passes(error):
                    raise
                pause = max(pause, _asked_for(error))
            if status is not None:
                status.update(told(seen))
            if not is_settled(seen):
                sleep(pause)
    return seen


def _passes(error: Problem | Unreachable) -> bool:
    return isinstance(error, Unreachable) or error.status in (409, 429, 502, 503, 504)


def _asked_for(error: Problem | Unreachable) -> float:
    return float(error.retry_after or 0) if isinstance(error, Problem) else 0.0


_SMOKE_TEST_LIMIT = 330.0
"""Seconds: after 300, the API counts a role that cannot be assumed as wrong, not as new."""


def smoke_test(environment: Document, look: Callable[[], Document]) -> Document:
    """Wait for an environment's smoke test; `changes` stay those of the first document."""

    def is_settled(seen: Document) -> bool:
        return seen["smoke_test"]["status"] in ("succeeded", "failed")

    def told(seen: Document) -> str:
        return f"{seen['name']}: smoke test {seen['smoke_test']['status']}"

    seen = settled(environment, look, is_settled, told, _SMOKE_TEST_LIMIT)
    return {**seen, "changes": environment.get("changes", [])}


_RUN_LIMIT = 3600.0


def drift_run(report: Document, look: Callable[[], Document]) -> Document:
    """Wait for the end of a drift run."""

    def is_settled(seen: Document) -> bool:
        return bool(seen["status"] == "finished")

    def told(seen: Document) -> str:
        counts = ("checked", "drifted", "repaired", "failed")
        return "drift run: " + ", ".join(f"{seen[each]} {each}" for each in counts)

    return settled(report, look, is_settled, told, _RUN_LIMIT)
