"""All checks, one after the other."""

from collections.abc import Iterator

# Imported for the checks in them, in the order in which they are made.
from trivet.doctor import functions, triggers, state, account, watching, answers  # isort: skip # noqa: F401
from trivet.doctor.checking import CHECKS, Finding
from trivet.doctor.deployment import Deployment


def findings(deployment: Deployment) -> Iterator[Finding]:
    """Make every check."""
    for each in CHECKS:
        yield each.made(deployment)
