"""The wiring as a Mermaid flowchart: https://mermaid.js.org/syntax/flowchart.html."""

from collections.abc import Iterator, Mapping
from textwrap import wrap

from trivet.wiring.graph import Card, Result, Statement, Wiring
from trivet.wiring.plain import MARKS

_STROKES: Mapping[Result, str] = {
    "passed": "stroke:#1a7f37",
    "failed": "stroke:#cf222e,stroke-width:4px",
    "skipped": "stroke:#9a6700",
    "unknown": "stroke:#6e7781",
}

_WIDTH = 60
"""Characters of a line in a node, at most."""


def written(wiring: Wiring) -> str:
    """Return the flowchart: what forbids ends in a cross, and results have their colours."""
    ids = {card.key: f"n{number}" for number, card in enumerate(wiring.cards)}
    lines = ["flowchart LR"]
    lines += [f"  {ids[card.key]}{_node(card)}" for card in wiring.cards]
    links = [link for card in wiring.cards for link in _links(card, ids)]
    lines += [f"  {link}" for link, _ in links]
    if wiring.others:
        rows = [_marked(each, each.text) for each in wiring.others]
        lines.append(f'  others["{"<br/>".join(["other checks", *rows])}"]')
    for result, stroke in _STROKES.items():
        numbers = [str(number) for number, (_, each) in enumerate(links) if each == result]
        if numbers:
            lines.append(f"  linkStyle {','.join(numbers)} {stroke}")
    failed = [ids[card.key] for card in wiring.cards if _has_failed(card)]
    if failed:
        lines.append(f"  classDef failed {_STROKES['failed']}")
        lines.append(f"  class {','.join(failed)} failed")
    return "\n".join(lines) + "\n"


def _has_failed(card: Card) -> bool:
    statements = card.statements if card.trust is None else (card.trust, *card.statements)
    return any(each.result == "failed" for each in statements)


def _node(card: Card) -> str:
    own = [_marked(each, each.text) for each in card.statements if each.target is None]
    told = [] if card.breadth is None else card.breadth.lines()
    broad = [_escaped(part) for each in told for part in wrap(each, _WIDTH, break_on_hyphens=False)]
    label = "<br/>".join([f"<b>{_escaped(card.key)}</b>", _escaped(card.name), *broad, *own])
    return f'["{label}"]' if card.trust is not None else f'[["{label}"]]'


def _links(card: Card, ids: Mapping[str, str]) -> Iterator[tuple[str, Result]]:
    own = ids[card.key]
    if card.trust is not None:
        label = _marked(card.trust, "may assume")
        for number, service in enumerate(card.services):
            yield f'{own}s{number}(["{_escaped(service)}"]) -->|"{label}"| {own}', card.trust.result
    for each in card.statements:
        if each.target is not None:
            arrow = "--x" if each.forbids else "-->"
            link = f'{own} {arrow}|"{_marked(each, each.text)}"| {ids[each.target]}'
            yield link, each.result


def _marked(statement: Statement, text: str) -> str:
    return f"{MARKS[statement.result]} {_escaped(text)}"


def _escaped(text: str) -> str:
    """Return text that neither ends a Mermaid string nor is read as HTML."""
    codes = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;"}
    return "".join(codes.get(letter, letter) for letter in text)
