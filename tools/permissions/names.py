"""What the policies speak of: names from the templates, and what a stage's configuration decides.

This is the one place that knows where the application keeps its templates and its tags.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chalicelib import templates
from chalicelib.model import ENVIRONMENT_TAG, ROLE_TAG
from chalicelib.templates import TemplateError, Templates

__all__ = ["ENVIRONMENT_TAG", "OWN_TAGS", "Names", "Stage", "TemplateError", "catalogue", "stages"]

OWN_TAGS = (ENVIRONMENT_TAG, ROLE_TAG)
BOUNDARY_NAME = "TrivetEnvironmentBoundary"
MEMBER_ROLE_NAME = "TrivetMember"


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
    def of(cls, profiles: Iterable[Templates], retired: Mapping[str, Sequence[str]]) -> "Names":
        """Return the names in these profiles' templates.

        Args:
            retired: `roles` and `policies` that the templates named once.
        """
        profiles = tuple(profiles)
        machines = [profile.state_machine for profile in profiles]
        return cls(
            roles=_distinct(name for each in profiles for name in each.role_names().values()),
            policies=_distinct(name for each in profiles for name in each.policy_names()),
            aws_managed_policies=sorted(
                {name for each in profiles for name in each.aws_managed_policies()}
            ),
            state_machines=_distinct(machine.name for machine in machines),
            state_machine_roles=_distinct(
                each.role_names()[machine.role]
                for each, machine in zip(profiles, machines, strict=True)
            ),
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
    boundary: str | None = BOUNDARY_NAME
    """The policy that every provisioned role must have as its boundary: name, ARN, or none."""
    tag_keys: tuple[str, ...] = ("*",)
    """The keys that callers' tags may have; `*` in one stands for any characters."""

    @property
    def prefix(self) -> str:
        """What the names of the stage's own resources begin with, such as `trivet-dev`."""
        return f"{self.app}-{self.name}"

    @property
    def fleet(self) -> str:
        """The name of the state machine that takes a drift run through all accounts."""
        return f"{self.prefix}-fleet"


def catalogue(folder: Path) -> tuple[Templates, ...]:
    """Return the templates of every profile in this folder, checked.

    Raises:
        TemplateError: a template cannot be right; names the file.
    """
    return (templates.load(folder),)


def stages(config: Mapping[str, Any]) -> tuple[Stage, ...]:
    """Return the stages of a Chalice configuration, in its order."""
    return tuple(_stage(config, name) for name in config["stages"])


def _stage(config: Mapping[str, Any], name: str) -> Stage:
    variables: dict[str, str] = {
        **config.get("environment_variables", {}),
        **config["stages"][name].get("environment_variables", {}),
    }
    boundary = variables.get("TRIVET_PERMISSIONS_BOUNDARY") or BOUNDARY_NAME
    keys = variables.get("TRIVET_TAG_KEYS") or "*"
    return Stage(
        app=config["app_name"],
        name=name,
        table=variables.get("TRIVET_TABLE") or f"trivet-{variables.get('TRIVET_STAGE', 'dev')}",
        boundary=None if boundary == "none" else boundary,
        tag_keys=tuple(key.strip() for key in keys.split(",") if key.strip()),
    )


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
