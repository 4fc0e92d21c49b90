"""All profiles of a deployment: those that loaded, those that are wrong, those that are allowed."""

import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import msgspec

from chalicelib.catalogue import checks, files, names
from chalicelib.catalogue.files import (
    ExpectationFile,
    ProfileFile,
    StateMachineFile,
    TemplateError,
)
from chalicelib.catalogue.profile import Profile
from chalicelib.errors import FieldError, Invalid
from chalicelib.model.environment import shorter_names


class Catalogue(msgspec.Struct, frozen=True):
    """The profiles under one `policies/` folder."""

    profiles: Mapping[str, Profile]
    """Those that loaded, by name."""
    broken: Mapping[str, TemplateError]
    """Why the others did not. One wrong profile stops no other."""
    allowed: tuple[str, ...]
    """What callers may name, the default first."""

    @property
    def default(self) -> str:
        """The profile of a new environment whose caller names none."""
        return self.allowed[0]

    @property
    def offered(self) -> tuple[Profile, ...]:
        """The profiles that callers may name and that loaded, the default first."""
        return tuple(self.profiles[name] for name in self.allowed if name in self.profiles)

    def profile(self, name: str) -> Profile:
        """Return a profile to render what is recorded, also one that is no longer allowed.

        Raises:
            TemplateError: it did not load; names the file.
        """
        if name in self.profiles:
            return self.profiles[name]
        raise self.broken.get(name) or TemplateError(
            f"There is no profile {name} under policies/, which environments are declared with. "
            "Put its folder back, or declare them with another."
        )

    def declarable(self, name: str) -> Profile:
        """Return a profile that a caller named.

        Raises:
            Invalid: callers may not name it.
            TemplateError: they may, and it did not load; names the file.
        """
        if name not in self.allowed:
            raise Invalid([FieldError("profile", f"one of: {', '.join(self.allowed)}")])
        return self.profile(name)

    @property
    def longest_name(self) -> int:
        """How long an environment's name may be, whatever its profile is or becomes."""
        return min(profile.longest_name for profile in self.profiles.values())

    def is_name(self, name: str) -> bool:
        """Tell whether this could be the name of an environment."""
        return names.is_name(name, self.longest_name)

    def environment_of(self, resource_name: str) -> str | None:
        """Return the environment that a role or policy of this name would belong to, if any."""
        templates = (*self.role_names(), *self.policy_names())
        return names.environment_of(resource_name, templates, self.longest_name)

    def role_names(self) -> tuple[str, ...]:
        """Return the names of all profiles' roles, such as `${environment}-SageMaker`."""
        return _distinct(role.content.name for role in self._roles())

    def policy_names(self) -> tuple[str, ...]:
        """Return the names of all profiles' customer managed policies, as templates."""
        return _distinct(
            policy.name
            for role in self._roles()
            for policy in role.content.customer_managed_policies
        )

    def aws_managed_policies(self) -> tuple[str, ...]:
        """Return the names of the AWS managed policies that any role uses, sorted."""
        return tuple(
            sorted({name for role in self._roles() for name in role.content.aws_managed_policies})
        )

    def state_machine_names(self) -> tuple[str, ...]:
        """Return the names of all profiles' state machines, as templates."""
        return _distinct(profile.state_machine.name for profile in self.profiles.values())

    def state_machine_role_names(self) -> tuple[str, ...]:
        """Return the names of the roles that the state machines run under, as templates."""
        return _distinct(
            role.content.name
            for profile in self.profiles.values()
            for role in profile.templates
            if role.key == profile.state_machine.role
        )

    def contested(self, name: str, profile: str, others: Iterable[tuple[str, str]]) -> str | None:
        """Return another environment whose own resources could not be told from this one's.

        Where a profile reaches whatever is called `name-` and more, that must be nobody else's.

        Args:
            name: the environment's.
            profile: the name of its profile.
            others: name and profile of the account's other environments.
        """
        for other, others_profile in sorted(others):
            if names.overlap(name, other) and (
                self.owns_by_name(profile) or self.owns_by_name(others_profile)
            ):
                return other
        return None

    def all_contested(self, profiles: Mapping[str, str]) -> dict[str, str]:
        """Return which environments stand beside one that `contested` keeps them apart from.

        Args:
            profiles: the profile of each of an account's environments.

        Returns:
            One such other, by the name of each.
        """
        found: dict[str, str] = {}
        for name, profile in profiles.items():
            others = [(each, profiles[each]) for each in shorter_names(name) if each in profiles]
            other = self.contested(name, profile, others)
            if other is not None:
                found[name] = other
                found.setdefault(other, name)
        return found

    def owns_by_name(self, profile: str) -> bool:
        """Tell whether a profile's roles reach whatever is called `name-` and more."""
        # Of one that did not load it cannot be told: then it is better to refuse.
        loaded = self.profiles.get(profile)
        return loaded is None or loaded.content.owns_by_name

    def _roles(self) -> Iterable[files.RoleTemplate]:
        return (role for profile in self.profiles.values() for role in profile.templates)


@cache
def load(
    folder: Path | None = None, allowed: tuple[str, ...] = ("standard", "scoped")
) -> Catalogue:
    """Read and check all profiles, once per process.

    Args:
        folder: `policies/` beside `app.py` unless given.
        allowed: the profiles that callers may name, the default first.

    Raises:
        TemplateError: no profile loaded at all; names each file.
    """
    folder = folder or Path(__file__).parent.parent.parent / "policies"
    profiles: dict[str, Profile] = {}
    broken: dict[str, TemplateError] = {}
    found = {file.parent.name for file in folder.glob("*/profile.json")}
    for name in sorted(found | set(allowed)):
        try:
            profiles[name] = _profile(folder / name)
        except TemplateError as error:
            broken[name] = error
    if not profiles:
        raise TemplateError("; ".join(map(str, broken.values())) or f"{folder}: no profile")
    return Catalogue(profiles, broken, allowed)


def _profile(folder: Path) -> Profile:
    file = folder / "profile.json"
    content = files.decoded(file, ProfileFile)
    machine_file = _beside(file, content.state_machine)
    machine = files.decoded(machine_file, StateMachineFile)
    profile = Profile(
        name=folder.name,
        file=file,
        content=content,
        templates=tuple(files.role(folder / key) for key in content.roles),
        state_machine=machine,
        state_machine_file=machine_file,
        definition=files.document(machine_file.parent / machine.definition),
        expectations=tuple(
            (found, each)
            for found in (_beside(file, name) for name in content.expectations)
            for each in files.decoded(found, tuple[ExpectationFile, ...])
        ),
    )
    checks.check(profile)
    return profile


def _beside(file: Path, name: str) -> Path:
    """Return the file that another names: `../shared.json` in `policies/a/` is in `policies/`."""
    return Path(os.path.normpath(file.parent / name))


def _distinct(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found))
