"""The wiring picture: roles, who may assume them, what each may pass or start, and the results.

Drawn from the API's own documents: an environment, its profile where there is one, and the breadth
of its roles that its history tells (`trivet.wiring.breadth`). Each of the smoke test's checks is a
line in the card of the role that it is about, with its result; where it is about another role or
the state machine, an arrow leads there.
"""

from collections.abc import Mapping
from typing import Any

from trivet.wiring import flowchart, graph, picture, plain
from trivet.wiring.breadth import Breadth

Document = Mapping[str, Any]
Breadths = Mapping[str, Breadth]
"""The breadth of each role, by its key: what `breadth.read` returns."""


def svg(
    environment: Document, profile: Document | None = None, breadth: Breadths | None = None
) -> str:
    """Return the picture as an SVG document that looks well on light and dark pages."""
    return picture.drawn(graph.read(environment, profile, breadth))


def mermaid(
    environment: Document, profile: Document | None = None, breadth: Breadths | None = None
) -> str:
    """Return the picture as a Mermaid flowchart."""
    return flowchart.written(graph.read(environment, profile, breadth))


def text(
    environment: Document, profile: Document | None = None, breadth: Breadths | None = None
) -> str:
    """Return the picture as lines of text, without colour."""
    return plain.written(graph.read(environment, profile, breadth))
