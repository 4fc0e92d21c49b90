"""The shapes of the wiring picture, and their colours on light and dark pages.

Colours are attributes, for light; the document's one `<style>` element has those for dark, so that
a page whose content security policy refuses styles still shows the picture, as on a light page.
"""

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import get_args

from trivet.wiring.graph import Result

RESULTS: tuple[Result, ...] = get_args(Result)

_SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
_MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"

# What is drawn -> its attributes, and what of them is different on a dark page.
_PAINT: Mapping[str, tuple[Mapping[str, str], Mapping[str, str]]] = {
    "page": ({"fill": "#ffffff"}, {"fill": "#0d1117"}),
    "card": ({"fill": "#f6f8fa", "stroke": "#8c959f"}, {"fill": "#161b22", "stroke": "#6e7681"}),
    "machine": ({"fill": "#eef4ff", "stroke": "#0969da"}, {"fill": "#0c1d33", "stroke": "#4493f8"}),
    "service": ({"fill": "#fff8e6", "stroke": "#9a6700"}, {"fill": "#231a03", "stroke": "#bb8009"}),
    "alarm": ({"fill": "#ffebe9", "stroke": "#cf222e"}, {"fill": "#3c1618", "stroke": "#f85149"}),
    "title": ({"fill": "#1f2328", "font-size": "18", "font-weight": "600"}, {"fill": "#f0f6fc"}),
    "strong": ({"fill": "#1f2328", "font-size": "13", "font-weight": "600"}, {"fill": "#f0f6fc"}),
    "text": ({"fill": "#1f2328", "font-size": "13"}, {"fill": "#f0f6fc"}),
    "faint": ({"fill": "#59636e", "font-size": "13"}, {"fill": "#9198a1"}),
    "chip": ({"fill": "#1f2328", "font-size": "12"}, {"fill": "#f0f6fc"}),
    "small": ({"fill": "#59636e", "font-size": "12"}, {"fill": "#9198a1"}),
    "code": ({"fill": "#59636e", "font-size": "11", "font-family": _MONO}, {"fill": "#9198a1"}),
    "passed": ({"stroke": "#1a7f37"}, {"stroke": "#3fb950"}),
    "failed": ({"stroke": "#cf222e"}, {"stroke": "#f85149"}),
    "skipped": ({"stroke": "#9a6700"}, {"stroke": "#d29922"}),
    "unknown": ({"stroke": "#6e7781"}, {"stroke": "#9198a1"}),
    "badge-passed": ({"fill": "#1a7f37"}, {"fill": "#3fb950"}),
    "badge-failed": ({"fill": "#cf222e"}, {"fill": "#f85149"}),
    "badge-skipped": ({"fill": "#9a6700"}, {"fill": "#d29922"}),
    "badge-unknown": ({"fill": "#6e7781"}, {"fill": "#9198a1"}),
    "mark": ({"stroke": "#ffffff", "stroke-width": "1.8", "fill": "none"}, {"stroke": "#0d1117"}),
}

_MARKS: Mapping[Result, str] = {
    "passed": "m-4,0.5 3,3 5,-6.5",
    "failed": "m-3,-3 6,6 m0,-6 -6,6",
    "skipped": "m-3.5,0 7,0",
    "unknown": "m-2.2,-2.2 c0,-3.2 4.6,-3.2 4.6,0 c0,1.8 -2.4,1.6 -2.4,3.8 m0,2 0,0.8",
}

STYLE = (
    "@media (prefers-color-scheme: dark) {"
    + "".join(
        f".wiring-{kind}{{{';'.join(f'{name}:{value}' for name, value in dark.items())}}}"
        for kind, (_, dark) in _PAINT.items()
    )
    + "}"
)
"""The content of the document's `<style>`, for whoever has to name its hash."""


def document(width: float, height: float, title: str, told: str, parts: Sequence[str]) -> str:
    """Return the SVG document of these parts, with a title and a description in words."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" '
        f'width="{_n(width)}" height="{_n(height)}" role="img" font-family="{_SANS}">'
        f"<title>{_safe(title)}</title><desc>{_safe(told)}</desc><style>{STYLE}</style>"
        f"{rectangle(0, 0, width, height, 'page')}{''.join(parts)}</svg>\n"
    )


def rectangle(left: float, top: float, width: float, height: float, kind: str) -> str:
    """Return a rectangle with rounded corners."""
    return (
        f'<rect x="{_n(left)}" y="{_n(top)}" width="{_n(width)}" height="{_n(height)}" rx="6" '
        f"{_paint(kind)}/>"
    )


def text(left: float, base: float, content: str, kind: str, longest: int) -> str:
    """Return one line of text; of more than `longest` characters, the end is left out."""
    shown = content if len(content) <= longest else content[: longest - 1] + "…"
    whole = f"<title>{_safe(content)}</title>" if shown != content else ""
    return f'<text x="{_n(left)}" y="{_n(base)}" {_paint(kind)}>{_safe(shown)}{whole}</text>'


def chip(left: float, top: float, content: str, *, broad: bool) -> tuple[str, float]:
    """Return a few words in a frame of their own, and its width; coloured where they say much."""
    width = 6.5 * len(content) + 20
    frame = rectangle(left, top, width, 22, "service" if broad else "card")
    words = text(left + 10, top + 15, content, "chip" if broad else "small", 60)
    return frame + words, width


def badge(x: float, y: float, result: Result, told: str) -> str:
    """Return the round badge of a result, with what is told where the pointer rests on it."""
    return (
        f'<g class="wiring-result-{result}"><title>{_safe(told)}</title>'
        f'<circle cx="{_n(x)}" cy="{_n(y)}" r="8" {_paint("badge-" + result)}/>'
        f'<path d="M{_n(x)},{_n(y)} {_MARKS[result]}" {_paint("mark")}/></g>'
    )


def arrow(left: float, right: float, y: float, result: Result, *, forbids: bool = False) -> str:
    """Return a straight arrow to the right."""
    tip = "" if forbids else "m-6,-4 6,4 -6,4"
    drawn = f'<path d="M{_n(left)},{_n(y)} H{_n(right - 1)} {tip}" {_stroke(result, forbids)}/>'
    return drawn + _bar(right - 3, y, result) if forbids else drawn


def line(
    start: tuple[float, float], lane: float, end: tuple[float, float], result: Result, forbids: bool
) -> str:
    """Return a line that leaves to the right, runs down or up a lane, and comes back.

    It ends in an arrow, or in a bar where it forbids.
    """
    (x, y), (end_x, end_y) = start, end
    down = end_y > y
    round_by = min(6.0, abs(end_y - y) / 2)
    turn = round_by if down else -round_by
    tip = "" if forbids else "m6,-4 -6,4 6,4"
    path = (
        f"M{_n(x)},{_n(y)} H{_n(lane - round_by)} q{_n(round_by)},0 {_n(round_by)},{_n(turn)} "
        f"V{_n(end_y - turn)} q0,{_n(turn)} {_n(-round_by)},{_n(turn)} H{_n(end_x + 2)} {tip}"
    )
    drawn = f'<path d="{path}" {_stroke(result, forbids)}/>'
    return drawn + _bar(end_x + 5, end_y, result) if forbids else drawn


def _bar(x: float, y: float, result: Result) -> str:
    """Return what a line that forbids ends in."""
    return f'<path d="M{_n(x)},{_n(y - 4)} v8" stroke-width="2.5" {_paint(result)}/>'


def _stroke(result: Result, forbids: bool) -> str:
    width = "3.5" if result == "failed" else "1" if forbids else "1.8"
    dashes = ' stroke-dasharray="4 3"' if forbids and result != "failed" else ""
    return f'fill="none" stroke-width="{width}"{dashes} {_paint(result)}'


def _paint(kind: str) -> str:
    attributes = " ".join(f'{name}="{value}"' for name, value in _PAINT[kind][0].items())
    return f'class="wiring-{kind}" {attributes}'


def _n(number: float) -> str:
    return f"{number:g}"


def _safe(content: str) -> str:
    """Return text that XML may hold: escaped, without control characters."""
    return escape(re.sub(r"[^\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]", " ", content))
