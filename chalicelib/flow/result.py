"""What a verb came to."""

from collections.abc import Sequence

import msgspec

from chalicelib.model.change import ChangeDocument
from chalicelib.model.environment import Environment, Look


class Result(msgspec.Struct, frozen=True):
    """An environment, the last look at it, and what this call changed in it (or would)."""

    environment: Environment
    look: Look
    changes: Sequence[ChangeDocument] = ()
    created: bool = False
    dry_run: bool = False
