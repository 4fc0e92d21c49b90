"""What the environment's variables say: the one module that reads them.

Region, credentials and endpoint are the AWS SDK's own variables, and are left to it.
"""

import os
from fnmatch import fnmatchcase
from typing import Literal

import msgspec

DEFAULT_BOUNDARY = "TrivetEnvironmentBoundary"
NO_BOUNDARY = "none"

Function = Literal["api_handler", "drift_run", "iam_change", "fleet_step"]


class Settings(msgspec.Struct, frozen=True):
    """This deployment's choices."""

    stage: str
    """Chalice's stage, `local` outside Lambda. Not to be taken for an environment of Trivet's."""
    function: Function
    """Which of Trivet's functions this process is."""
    table: str
    permissions_boundary: str
    """Name or ARN of the boundary that every role carries, or `none`."""
    profiles: tuple[str, ...]
    tag_keys: tuple[str, ...]
    """Patterns of the tag keys that callers may set."""
    ignored_tag_keys: tuple[str, ...]
    """Patterns of tag keys that are nobody's drift."""
    max_drift: float
    """The share of a fleet beyond which a run repairs nothing."""
    concurrency: int
    """Environments repaired side by side in one account."""
    external_id: str | None
    """What members' roles ask for at AssumeRole."""

    def demands_boundary(self) -> bool:
        """Tell whether every environment must have this deployment's boundary."""
        return self.permissions_boundary != NO_BOUNDARY

    def callers_may_tag(self, key: str) -> bool:
        """Tell whether a caller may set a tag of this key."""
        return matches(key, self.tag_keys)

    def ignores_tag(self, key: str) -> bool:
        """Tell whether a tag of this key is nobody's drift."""
        return matches(key, self.ignored_tag_keys)


def matches(key: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether a tag key fits one of the patterns, in which `*` stands for anything."""
    return any(
        fnmatchcase(key.lower(), pattern.lower().replace("[", "[[]")) for pattern in patterns
    )


def current() -> Settings:
    """Read the variables, now: Chalice sets some of them after the import."""
    on_lambda = "AWS_LAMBDA_FUNCTION_NAME" in os.environ
    stage = os.environ.get("TRIVET_STAGE", "dev") if on_lambda else "local"
    return Settings(
        stage=stage,
        function=_function(),
        table=os.environ.get("TRIVET_TABLE") or f"trivet-{stage}",
        permissions_boundary=os.environ.get("TRIVET_PERMISSIONS_BOUNDARY") or DEFAULT_BOUNDARY,
        profiles=_listed("TRIVET_PROFILES", "standard,scoped"),
        tag_keys=_listed("TRIVET_TAG_KEYS", "*"),
        ignored_tag_keys=_listed("TRIVET_IGNORED_TAG_KEYS", ""),
        max_drift=float(os.environ.get("TRIVET_MAX_DRIFT") or 0.5),
        concurrency=int(os.environ.get("TRIVET_CONCURRENCY") or 16),
        external_id=os.environ.get("TRIVET_EXTERNAL_ID") or None,
    )


def drift_schedule() -> str:
    """Return the rate of the scheduled drift run: needed before the app exists."""
    return os.environ.get("TRIVET_DRIFT_SCHEDULE", "rate(1 hour)")


def _listed(variable: str, default: str) -> tuple[str, ...]:
    value = os.environ.get(variable) or default
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _function() -> Function:
    name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
    others: tuple[Function, ...] = ("drift_run", "iam_change", "fleet_step")
    return next((each for each in others if name.endswith(f"-{each}")), "api_handler")
