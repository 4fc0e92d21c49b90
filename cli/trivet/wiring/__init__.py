"""The wiring picture: roles, who may assume them, what each may pass or start, and the results.

Drawn from the API's own documents: an environment, and its profile where there is one. Each of the
smoke test's checks is a line in the card of the role that it is about, with its result; where it
is about another role or the state machine, an arrow leads there.
"""

from collections.abc import Mapping
from typing import Any

from trivet.wiring import flowchart, graph, picture, plain

Document = Mapping[str, Any]


def svg(environment: Document, profile: Document | None = None) -> str:
    """Return the picture as an SVG document that looks well on light and dark pages."""
    return picture.drawn(graph.read(environment, profile))


def mermaid(environment: Document, profile: Document | None = None) -> str:
    """Return the picture as a Mermaid flowchart."""
    return flowchart.written(graph.read(environment, profile))


def text(environment: Document, profile: Document | None = None) -> str:
    """Return the picture as lines of text, without colour."""
    return plain.written(graph.read(environment, profile))
