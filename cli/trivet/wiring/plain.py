"""The wiring as lines of text."""

from collections.abc import Iterator

from trivet.wiring.graph import Card, Result, Statement, Wiring

MARKS: dict[Result, str] = {"passed": "✓", "failed": "✗", "skipped": "-", "unknown": "?"}


def written(wiring: Wiring) -> str:
    """Return the wiring as text: a paragraph per role, a line per expectation."""
    return "\n".join(_lines(wiring)) + "\n"


def summary(wiring: Wiring) -> str:
    """Return how many checks had which result, in one line."""
    results = [each.result for each in wiring.statements()]
    counts = [f"{results.count(each)} {each}" for each in MARKS if each in results]
    return f"smoke test {wiring.smoke_test}: {', '.join(counts)}"


def _lines(wiring: Wiring) -> Iterator[str]:
    profile = f", profile {wiring.profile}" if wiring.profile else ""
    yield f"{wiring.environment} ({wiring.account_id}{profile})"
    yield summary(wiring)
    yield from (f"  {each}" for each in wiring.parameters)
    for card in wiring.cards:
        yield ""
        yield from _card(card)
    if wiring.others:
        yield ""
        yield "other checks"
        yield from (_row(each, "") for each in wiring.others)
    if wiring.failed:
        yield ""
        yield "failed"
        for each in wiring.failed:
            yield f"  {MARKS['failed']} {each.check}"
            yield f"    {each.detail}"


def _card(card: Card) -> Iterator[str]:
    yield f"{card.key}  {card.name}"
    if card.trust is not None:
        who = ", ".join(card.services)
        yield f"  {MARKS[card.trust.result]} assumed by {who}"
    if card.breadth is not None:
        yield from (f"  {each}" for each in card.breadth.lines())
    for each in card.statements:
        arrow = "" if each.target is None else " ──┤ " if each.forbids else " ──▶ "
        yield _row(each, f"{arrow}{each.target}" if arrow else "")


def _row(statement: Statement, arrow: str) -> str:
    return f"  {MARKS[statement.result]} {statement.text}{arrow}"
