"""`make bench`: measures everything, prints the table, and writes `benchmarks/results/`.

Exits with 1 when anything that must be reached was missed, or something did not come out right.
"""

import sys
from pathlib import Path

from tqdm import tqdm

from benchmarks import course, plots, results_table
from tools.child import ChildError

_RESULTS = Path(__file__).parent / "results"
_BAR = "{desc} {bar:24} step {n_fmt} of {total_fmt}, {elapsed}"
_WIDTH = 48


def main() -> int:
    """Measure, print and write; return the exit status."""
    with tqdm(total=course.STEPS, bar_format=_BAR) as bar:

        def step(what: str) -> None:
            bar.set_description_str(f"{what:<{_WIDTH}}")
            bar.update(1)

        results = course.run(step)
    _RESULTS.mkdir(exist_ok=True)
    page = results_table.page(results)
    (_RESULTS / "results.md").write_text(page)
    plots.draw(results, _RESULTS)
    print(page)
    missed = [row.what for row in results_table.rows(results) if not row.reached]
    for what in missed:
        print(f"missed: {what}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ChildError, AssertionError) as error:
        sys.exit(f"make bench: {error}")
