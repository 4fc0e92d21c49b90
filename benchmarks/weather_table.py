"""Drift runs in bad weather, as the results' page shows them."""

from collections.abc import Iterator, Mapping, Sequence

from benchmarks.measuring import Sample
from benchmarks.tables import Row, table

Runs = Mapping[int, Sequence[Sample]]
"""The runs over fleets, by size: the first in calm weather, the others in bad."""

_HEAD = ("environments", "weather", "calls", "seconds", "repaired", "not reached")


def rows(measured: Runs) -> Iterator[Row]:
    """Return what must be reached in bad weather, and whether it was."""
    for size, runs in measured.items():
        slowest = max(run.seconds for run in runs[1:])
        repaired = min(run.result["repaired"] for run in runs[1:])
        yield Row(
            f"{size} with one drift each, in bad weather, {len(runs) - 1} runs in a row: each",
            "repairs all within 29 s",
            f"{repaired} repaired, within {slowest:.1f} s",
            repaired == size and slowest < 29,
        )


def table_of(measured: Runs) -> str:
    """Return all runs in a table."""
    return table(
        _HEAD,
        [
            [
                f"{size}",
                f"bad, run {number}" if number else "calm",
                f"{run.call_count:,}",
                f"{run.seconds:.1f}",
                f"{run.result['repaired']}",
                f"{run.result['not_reached']}",
            ]
            for size, runs in measured.items()
            for number, run in enumerate(runs)
        ],
    )
