"""What two policy documents allow that the other does not."""

from typing import Any, Literal

import msgspec

from chalicelib.model.change import Effect
from chalicelib.model.statements import Gap, Policy, gaps, read

Scope = Literal["Resource", "Principal"]


class Comparison(msgspec.Struct, frozen=True):
    """A policy as declared and as found, and what either says that the other does not."""

    scope: Scope
    expected: Policy
    actual: Policy
    allowed: list[Gap]
    """What the one found allows besides."""
    denied: list[Gap]
    """What it denies besides."""
    no_longer_allowed: list[Gap]
    no_longer_denied: list[Gap]

    @property
    def unclear(self) -> bool:
        """Tell whether what either document means cannot be told in full."""
        return self.expected.unread != self.actual.unread or self.read_otherwise

    @property
    def read_otherwise(self) -> bool:
        """Tell whether IAM takes the same text for policy variables in one document only."""
        versions = {self.expected.version, self.actual.version} - {None}
        return len(versions) > 1 and (self.expected.variables or self.actual.variables)

    @property
    def effect(self) -> Effect:
        """What the difference makes of what the policy allows."""
        more = bool(self.allowed or self.no_longer_denied)
        less = bool(self.denied or self.no_longer_allowed)
        if self.unclear or (more and less):
            return "altered"
        if more:
            return "widened"
        return "narrowed" if less else "none"


def compare(expected: Any, actual: Any, scope: Scope) -> Comparison:
    """Compare two policy documents, of which either may be `None`: one that says nothing.

    Args:
        scope: what the statements name beside actions: `Principal` in a trust policy.
    """
    declared, found = read(expected, scope), read(actual, scope)
    return Comparison(
        scope=scope,
        expected=declared,
        actual=found,
        allowed=gaps(found.allows(), declared.allows(), found.denies()),
        denied=gaps(found.denies(), declared.denies()),
        no_longer_allowed=gaps(declared.allows(), found.allows(), declared.denies()),
        no_longer_denied=gaps(declared.denies(), found.denies()),
    )
