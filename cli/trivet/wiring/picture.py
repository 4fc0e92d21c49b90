"""The wiring as an SVG document, drawn without a binary.

Cards stand one below the other: a role each, the state machine last. Every row of a card is an
expectation, with a badge for its result on the card's right border. Where the expectation is about
another card, a line leaves the badge, runs down a lane of its own to the right of all cards, and
ends at that card's head: in an arrow where it says "may", in a bar where it says "may not". To the
left of each role stands who may assume it. Between head and rows stands how much the role's
policies allow, in two chips: coloured where AWS's managed policies are attached, or actions are
allowed on `*`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from textwrap import wrap

from trivet.wiring import shapes
from trivet.wiring.breadth import Breadth
from trivet.wiring.graph import Card, Statement, Wiring
from trivet.wiring.plain import summary
from trivet.wiring.shapes import badge, chip, line, rectangle, text

_MARGIN = 20
_SERVICE_WIDTH = 180
_CARD_LEFT = _MARGIN + _SERVICE_WIDTH + 64
_CARD_WIDTH = 450
_CARD_RIGHT = _CARD_LEFT + _CARD_WIDTH
_FIRST_LANE = _CARD_RIGHT + 26
_LANE = 14
_ROW = 25
_PORT = 11
_BETWEEN_CARDS = 26
_CHIP = 30
_SMALL_ROW = 16
_WIDTH = 64
"""Characters of a line about a role's breadth, at most."""


@dataclass(slots=True)
class _Placed:
    """A card with its place, in pixels."""

    card: Card
    top: float
    head: float
    """The height of its head."""

    @property
    def breadth(self) -> float:
        """The height of what it says of its breadth."""
        return _breadth_height(self.card.breadth)

    @property
    def height(self) -> float:
        return self.head + self.breadth + _ROW * len(self.card.statements) + 6

    def row(self, number: int) -> float:
        """Return the middle of a row."""
        return self.top + self.head + self.breadth + _ROW * (number + 0.5)


@dataclass(slots=True)
class _Line:
    """A line from a row to the head of a card."""

    statement: Statement
    start: float
    end: float = 0
    lane: int = 0

    @property
    def span(self) -> tuple[float, float]:
        return min(self.start, self.end), max(self.start, self.end)


@dataclass(slots=True)
class _Drawing:
    """What has been drawn, and down to where."""

    parts: list[str] = field(default_factory=list)
    bottom: float = _MARGIN

    def add_lines(self, lines: Sequence[tuple[str, str]], step: float) -> None:
        """Add lines of text, each with its class, below what is there."""
        for content, kind in lines:
            self.bottom += step
            self.parts.append(text(_MARGIN, self.bottom - 6, content, kind, 110))


def drawn(wiring: Wiring) -> str:
    """Return the SVG document."""
    drawing = _Drawing()
    _title(drawing, wiring)
    placed = _place(wiring.cards, drawing.bottom + 8)
    lines = _routed(placed)
    lanes = max((each.lane for each in lines), default=-1) + 1
    width = _FIRST_LANE + _LANE * lanes + _MARGIN
    drawing.parts += [part for each in placed for part in _card(each)]
    # What failed is drawn last, above all that it crosses.
    for each in sorted(lines, key=lambda each: each.statement.result == "failed"):
        drawing.parts.append(_drawn_line(each))
    drawing.parts += [part for each in placed for part in _badges(each)]
    drawing.bottom = placed[-1].top + placed[-1].height + 12
    _others(drawing, wiring.others)
    _legend(drawing)
    title = f"Wiring of {wiring.environment}"
    return shapes.document(width, drawing.bottom + _MARGIN, title, _told(wiring), drawing.parts)


def _told(wiring: Wiring) -> str:
    """Return the picture in words, for those who do not see it."""
    failed = "".join(f" Failed: {each.check}." for each in wiring.failed)
    broad = "".join(
        f" {card.key}: {'; '.join(card.breadth.lines())}." for card in wiring.cards if card.breadth
    )
    return f"{summary(wiring)}.{failed}{broad}"


def _title(drawing: _Drawing, wiring: Wiring) -> None:
    profile = f"profile {wiring.profile} · " if wiring.profile else ""
    drawing.add_lines([(wiring.environment, "title")], 26)
    drawing.add_lines([(f"{profile}account {wiring.account_id} · {summary(wiring)}", "faint")], 20)
    drawing.add_lines([(each, "faint") for each in wiring.parameters], 17)
    for each in wiring.failed:
        top = drawing.bottom + 4
        drawing.parts.append(rectangle(_MARGIN, top, _CARD_RIGHT - _MARGIN, 26, "alarm"))
        drawing.parts.append(badge(_MARGIN + 16, top + 13, "failed", each.detail))
        drawing.parts.append(text(_MARGIN + 32, top + 17, f"failed: {each.check}", "strong", 90))
        drawing.bottom = top + 26


def _place(cards: Sequence[Card], top: float) -> list[_Placed]:
    placed: list[_Placed] = []
    for card in cards:
        arriving = sum(each.target == card.key for other in cards for each in other.statements)
        head = max(52, 10 + _PORT * arriving, 8 + 34 * len(card.services))
        placed.append(_Placed(card, top, head))
        top += placed[-1].height + _BETWEEN_CARDS
    return placed


def _routed(placed: Sequence[_Placed]) -> list[_Line]:
    """Return all lines, each with the place where it ends and its lane, so that few cross."""
    found: list[_Line] = []
    for target in placed:
        arriving = [
            _Line(statement, source.row(number))
            for source in placed
            for number, statement in enumerate(source.card.statements)
            if statement.target == target.card.key
        ]
        # From above first, and in both groups the lowest start first: so that they nest.
        arriving.sort(key=lambda each: (each.start > target.top, -each.start))
        for number, each in enumerate(arriving):
            each.end = target.top + (target.head - _PORT * (len(arriving) - 1)) / 2 + _PORT * number
        found += arriving
    taken: list[list[tuple[float, float]]] = []
    for each in sorted(found, key=lambda each: each.span[1] - each.span[0]):
        each.lane = _free_lane(taken, each.span)
    return found


def _free_lane(taken: list[list[tuple[float, float]]], span: tuple[float, float]) -> int:
    for number, spans in enumerate(taken):
        if all(span[1] + 6 < start or end + 6 < span[0] for start, end in spans):
            spans.append(span)
            return number
    taken.append([span])
    return len(taken) - 1


def _drawn_line(each: _Line) -> str:
    lane = _FIRST_LANE + _LANE * each.lane
    statement = each.statement
    return line(
        (_CARD_RIGHT, each.start),
        lane,
        (_CARD_RIGHT, each.end),
        statement.result,
        statement.forbids,
    )


def _card(placed: _Placed) -> Iterator[str]:
    card = placed.card
    kind = "machine" if card.trust is None else "card"
    yield rectangle(_CARD_LEFT, placed.top, _CARD_WIDTH, placed.height, kind)
    yield text(_CARD_LEFT + 14, placed.top + 22, card.key, "strong", 50)
    yield text(_CARD_LEFT + 14, placed.top + 40, card.name, "code", 64)
    if card.breadth is not None:
        yield from _breadth(card.breadth, placed.top + placed.head)
    for number, each in enumerate(card.statements):
        middle = placed.row(number)
        if each.result == "failed":
            yield rectangle(_CARD_LEFT + 4, middle - 12, _CARD_WIDTH - 8, 24, "alarm")
        kind = "strong" if each.result == "failed" else "faint" if each.forbids else "text"
        yield text(_CARD_LEFT + 14, middle + 4, each.text, kind, 60)
    if card.trust is not None:
        yield from _trust(placed, card.trust)


def _breadth_height(breadth: Breadth | None) -> float:
    if breadth is None:
        return 0
    return _SMALL_ROW * len(_small_print(breadth)) + (6 if breadth.unknown else _CHIP + 6)


def _breadth(breadth: Breadth, top: float) -> Iterator[str]:
    left = float(_CARD_LEFT + 14)
    if not breadth.unknown:
        for content, broad in (
            (breadth.attached, bool(breadth.aws_managed)),
            (f"own: {breadth.on_all}", bool(breadth.anywhere)),
        ):
            drawn, width = chip(left, top, content, broad=broad)
            yield drawn
            left += width + 8
        top += _CHIP
    for number, each in enumerate(_small_print(breadth), 1):
        yield text(_CARD_LEFT + 14, top + _SMALL_ROW * number - 4, each, "small", _WIDTH)


def _small_print(breadth: Breadth) -> list[str]:
    """Return the lines of a role's breadth, besides what the chips say."""
    if breadth.unknown:
        said = breadth.lines()
    else:
        services = ", ".join(breadth.services) or "none"
        said = [", ".join(breadth.aws_managed), f"services of its own policies: {services}"]
    return [part for each in said for part in wrap(each, _WIDTH, break_on_hyphens=False)]


def _trust(placed: _Placed, trust: Statement) -> Iterator[str]:
    first = placed.top + (placed.head - 34 * len(placed.card.services)) / 2
    for number, service in enumerate(placed.card.services):
        top = first + 34 * number
        yield rectangle(_MARGIN, top, _SERVICE_WIDTH, 30, "service")
        yield text(_MARGIN + 10, top + 19, service, "code", 25)
        yield shapes.arrow(_MARGIN + _SERVICE_WIDTH, _CARD_LEFT, top + 15, trust.result)


def _badges(placed: _Placed) -> Iterator[str]:
    trust = placed.card.trust
    if trust is not None:
        middle = (_MARGIN + _SERVICE_WIDTH + _CARD_LEFT) / 2 - 4
        said = f"{trust.check}: {trust.result}. {trust.detail}"
        yield badge(middle, placed.top + placed.head / 2 - 2, trust.result, said)
    for number, each in enumerate(placed.card.statements):
        said = f"{each.check}: {each.result}. {each.detail}"
        yield badge(_CARD_RIGHT, placed.row(number), each.result, said)


def _others(drawing: _Drawing, others: Sequence[Statement]) -> None:
    if others:
        drawing.add_lines([("other checks", "strong")], 26)
    for each in others:
        drawing.bottom += _ROW
        said = f"{each.result}. {each.detail}"
        drawing.parts.append(badge(_MARGIN + 10, drawing.bottom - 10, each.result, said))
        kind = "strong" if each.result == "failed" else "text"
        drawing.parts.append(text(_MARGIN + 28, drawing.bottom - 6, each.text, kind, 100))


def _legend(drawing: _Drawing) -> None:
    drawing.bottom += 30
    y = drawing.bottom - 10
    left = float(_MARGIN + 10)
    for result in shapes.RESULTS:
        drawing.parts.append(badge(left, y, result, result))
        drawing.parts.append(text(left + 14, y + 4, result, "faint", 20))
        left += 90
    drawing.parts.append(shapes.arrow(left, left + 40, y, "unknown"))
    drawing.parts.append(text(left + 48, y + 4, "may", "faint", 20))
    drawing.parts.append(shapes.arrow(left + 90, left + 130, y, "unknown", forbids=True))
    drawing.parts.append(text(left + 138, y + 4, "may not", "faint", 20))
