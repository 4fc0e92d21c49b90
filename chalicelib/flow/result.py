"""What a verb came to."""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.model.change import ChangeDocument
from chalicelib.model.environment import Environment, Look


@dataclass(frozen=True, slots=True)
class Result:
    """An environment, the last look at it, and what this call changed in it (or would)."""

    environment: Environment
    look: Look
    changes: Sequence[ChangeDocument] = ()
    created: bool = False
    dry_run: bool = False
