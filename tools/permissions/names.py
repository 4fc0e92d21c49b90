"""What the policies speak of: names from the templates, and what a stage's configuration decides.

This is the one place that knows where the application keeps its templates and its tags.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chalicelib.aws.accounts import MEMBER_ROLE
from chalicelib.catalogue import load
from chalicelib.catalogue.catalogue import Catalogue
from chalicelib.catalogue.files import TemplateError
from chalicelib.model.desired import ENVIRONMENT_TAG, ROLE_TAG
from chalicelib.settings import DEFAULT_BOUNDARY, NO_BOUNDARY

__all__ = [
    "DEFAULT_BOUNDARY",
    "ENVIRONMENT_TAG",
    "MEMBER_ROLE",
    "OWN_TAGS",
    "Names",
    "Stage",
    "TemplateError",
    "catalogue",
    "stages",
]

OWN_TAGS = (ENVIRONMENT_TAG, ROLE_TAG)


@dataclass(frozen=True, slots=True)
class Names:
    """The names that Trivet gives, with `${environment}` in them, in all profiles together."""

    roles: Sequence[str]
    policies: Sequence[str]
    aws_managed_policies: Sequence[str]
    state_machines: Sequence[str]
    state_machine_roles: Sequence[str]
    retired_roles: Sequence[str] = field(default=())
    """Names that the templates had once: environments that still have them can be removed."""
    retired_policies: Sequence[str] = field(default=())

    @classmethod
    def of(cls, catalogue: Catalogue, retired: Mapping[str, Sequence[str]]) -> "Names":
        """Return the names in the templates of these profiles.

        Args:
            retired: `roles` and `policies` that the templates named once.
        """
        return cls(
            roles=catalogue.role_names(),
            policies=catalogue.policy_names(),
            aws_managed_policies=catalogue.aws_managed_policies(),
            state_machines=catalogue.state_machine_names(),
            state_machine_roles=catalogue.state_machine_role_names(),
            retired_roles=retired.get("roles", ()),
            retired_policies=retired.get("policies", ()),
        )


@dataclass(frozen=True, slots=True)
class Stage:
    """What a Chalice stage decides. Not to be taken for a Trivet environment."""

    app: str
    """The app's name, such as `trivet`."""
    name: str
    """The stage's own, such as `dev`."""
    table: str
    boundary: str | None = DEFAULT_BOUNDARY
    """The policy that every provisioned role must have as its boundary: name, ARN, or none."""
    tag_keys: tuple[str, ...] = ("*",)
    """The keys that callers' tags may have; `*` in one stands for any characters."""
    schedule: str = "rate(1 hour)"
    """When drift runs."""

    @property
    def prefix(self) -> str:
        """What the names of the stage's own resources begin with, such as `trivet-dev`."""
        return f"{self.app}-{self.name}"

    @property
    def fleet(self) -> str:
        """The name of the state machine that takes a drift run through all accounts."""
        return f"{self.prefix}-fleet"


def catalogue(folder: Path) -> Catalogue:
    """Return all profiles in this folder, checked.

    Raises:
        TemplateError: a template cannot be right; names the file.
    """
    found = tuple(sorted(file.parent.name for file in folder.glob("*/profile.json")))
    loaded = load(folder, found)
    for error in loaded.broken.values():
        raise error
    return loaded


def stages(config: Mapping[str, Any]) -> tuple[Stage, ...]:
    """Return the stages of a Chalice configuration, in its order."""
    return tuple(_stage(config, name) for name in config["stages"])


def _stage(config: Mapping[str, Any], name: str) -> Stage:
    variables: dict[str, str] = {
        **config.get("environment_variables", {}),
        **config["stages"][name].get("environment_variables", {}),
    }
    boundary = variables.get("TRIVET_PERMISSIONS_BOUNDARY") or DEFAULT_BOUNDARY
    keys = variables.get("TRIVET_TAG_KEYS") or "*"
    return Stage(
        app=config["app_name"],
        name=name,
        table=variables.get("TRIVET_TABLE") or f"trivet-{variables.get('TRIVET_STAGE', 'dev')}",
        boundary=None if boundary == NO_BOUNDARY else boundary,
        schedule=variables.get("TRIVET_DRIFT_SCHEDULE") or "rate(1 hour)",
        tag_keys=tuple(key.strip() for key in keys.split(",") if key.strip()),
    )
