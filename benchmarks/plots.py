"""The results as two plots: time and calls against the size of the fleet."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from benchmarks.course import Fleet, Results
from benchmarks.measuring import LATENCY

_OURS, _OURS_TOO, _THEIRS = "#1f6f8b", "#5fa3b8", "#c0504d"
_LEFT_ABOVE = {"xytext": (-4, 6), "ha": "right", "va": "bottom"}
_RIGHT_BELOW = {"xytext": (4, -6), "ha": "left", "va": "top"}


@dataclass(frozen=True, slots=True)
class _Line:
    label: str
    colour: str
    value: Callable[[Fleet], float]
    form: str
    labels: Mapping[str, Any]


_TIME = (
    _Line(
        "role by role, one after the other",
        _THEIRS,
        lambda fleet: fleet.role_by_role.seconds,
        "{:,.1f} s",
        _LEFT_ABOVE,
    ),
    _Line("Trivet", _OURS, lambda fleet: fleet.trivet.seconds, "{:,.1f} s", _RIGHT_BELOW),
)
_CALLS = (
    _Line(
        "role by role: all to IAM",
        _THEIRS,
        lambda fleet: fleet.role_by_role.call_count,
        "{:,}",
        _LEFT_ABOVE,
    ),
    _Line(
        "Trivet: all, of which one per environment to Step Functions",
        _OURS_TOO,
        lambda fleet: fleet.trivet.call_count,
        "{:,}",
        _RIGHT_BELOW,
    ),
    _Line("Trivet: to IAM", _OURS, lambda fleet: fleet.trivet.count("iam"), "{:,}", _RIGHT_BELOW),
)


def draw(results: Results, folder: Path) -> None:
    """Write `time.png` and `calls.png`."""
    # No window: this runs on machines without a screen.
    mpl.use("agg")
    fleets = list(results.fleets.values())
    seconds = f"seconds, {LATENCY * 1000:.0f} ms added to each call"
    _plot(fleets, _TIME, "Time to check a fleet that is in sync", seconds, folder / "time.png")
    _plot(
        fleets, _CALLS, "AWS calls to check a fleet that is in sync", "calls", folder / "calls.png"
    )


def _plot(
    fleets: Sequence[Fleet], lines: Sequence[_Line], title: str, unit: str, file: Path
) -> None:
    sizes = [fleet.size for fleet in fleets]
    figure, axes = plt.subplots(figsize=(7.2, 4.5), layout="constrained")
    axes.set_title(title, loc="left", fontsize=13, fontweight="bold", pad=12)
    axes.set_xlabel("environments in the fleet (three roles and two policies each)")
    axes.set_ylabel(unit)
    for line in lines:
        _draw(axes, sizes, [line.value(fleet) for fleet in fleets], line)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(sizes)
    axes.xaxis.set_minor_locator(NullLocator())
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axis.set_minor_formatter(NullFormatter())
    axes.grid(visible=True, which="major", color="#dddddd", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    # Room for the figures beside the points, and for the legend.
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    axes.set_xlim(left / 1.3, right * 1.6)
    axes.set_ylim(low / 1.8, high * 3)
    axes.legend(loc="upper left", frameon=False)
    figure.savefig(file, dpi=150)
    plt.close(figure)


def _draw(axes: Axes, sizes: Sequence[int], values: Sequence[float], line: _Line) -> None:
    """Draw a line, and write each value beside its point."""
    axes.plot(sizes, values, "o-", color=line.colour, linewidth=2, label=line.label)
    for size, value in zip(sizes, values, strict=True):
        axes.annotate(
            line.form.format(value),
            (size, value),
            textcoords="offset points",
            color=line.colour,
            fontsize=9,
            **line.labels,
        )
