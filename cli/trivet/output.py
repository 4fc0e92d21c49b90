"""What is printed: tables, lines in colour, and JSON.

Colours only on terminals, and not where NO_COLOR is set. Whatever came from elsewhere is shown
with its control characters spelled out: a role's description can send a terminal no commands.
"""

import json
import re
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from trivet.errors import Problem, Unreachable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

Styled = tuple[str, str]
Cell = str | Styled | Sequence[Styled]
"""Text, text with a style, or several of these one after the other."""

_TONES = {
    "ready": "green",
    "succeeded": "green",
    "passed": "green",
    "in sync": "green",
    "connected": "green",
    "done": "green",
    "repaired": "green",
    "drifted": "yellow",
    "pending": "yellow",
    "running": "yellow",
    "paused": "yellow",
    "skipped": "yellow",
    "incomplete": "bold red",
    "failed": "bold red",
    "unreachable": "bold red",
    "stopped": "bold red",
}


def toned(word: str) -> Styled:
    """Return a word of the API's with the style that it always has."""
    return word, _TONES.get(word, "")


def document(content: Any) -> None:
    """Print a document of the API as JSON."""
    click.echo(json.dumps(content, indent=2, ensure_ascii=False))


def table(headers: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Print a table; where the output is no terminal, nothing in it is cut or wrapped."""
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        shown.add_column(header, overflow="fold")
    for row in rows:
        shown.add_row(*map(_text, row))
    _console().print(shown)


def pairs(rows: Iterable[tuple[str, Cell]]) -> None:
    """Print what has names, one a line: the names in a column of their own."""
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, show_header=False)
    shown.add_column(style="dim", no_wrap=True)
    shown.add_column(overflow="fold")
    for name, value in rows:
        shown.add_row(_text(name), _text(value))
    _console().print(shown)


def line(cell: Cell = "") -> None:
    """Print one line."""
    _console().print(_text(cell), soft_wrap=True)


def waiting(told: str) -> AbstractContextManager[Any]:
    """Return a context in which a terminal shows that something is waited for.

    The object that it gives has `update(text)` there, and is `None` elsewhere.
    """
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    return console.status(safe(told)) if console.is_terminal else nullcontext()


def error(problem: Problem | Unreachable, about: str | None = None) -> None:
    """Print an error in words: what went wrong, each invalid field, and what to do."""
    lines = [f"Error: {f'{about}: ' if about else ''}{problem}"]
    if isinstance(problem, Problem):
        lines += [f"  {each.get('field')}: {each.get('message')}" for each in problem.errors]
        lines += [problem.advice] if problem.advice else []
    click.echo("\n".join(map(safe, lines)), err=True)


def when(time: str | None) -> str:
    """Return a time of the API's for people: in the zone of this machine, to the minute."""
    if time is None:
        return "-"
    return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M")


def who(arn: str | None) -> str:
    """Return the part of a caller's ARN that tells people apart: `role/name/session`."""
    return "-" if arn is None else arn.rpartition(":")[2]


def _console() -> "Console":
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        # As wide as anything gets: whoever reads a pipe wants whole words.
        console.width = 4096
    return console


def _text(cell: Cell) -> "Text":
    from rich.text import Text

    if isinstance(cell, str):
        return Text(safe(cell))
    parts: Any = [cell] if isinstance(cell, tuple) and isinstance(cell[1], str) else cell
    return Text.assemble(*((safe(content), style) for content, style in parts))


def safe(content: str) -> str:
    """Return text with its control characters spelled out."""
    return re.sub(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", lambda found: repr(found[0])[1:-1], content)
