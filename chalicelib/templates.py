"""The templates under `policies/`, read and checked once, then rendered per environment.

A folder with a `role.json` is a role; its name is the role's key. Documents are files of their
own beside it. JSON is parsed first and placeholders are substituted inside the parsed strings,
so that no value can break out of its string. Whatever can be known to be wrong without asking
AWS is refused when the templates are loaded, with the file named.

Limits: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html and
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from chalicelib import documents
from chalicelib.model import (
    ENVIRONMENT_TAG,
    ROLE_TAG,
    Desired,
    Document,
    Expectation,
    ManagedPolicy,
    Place,
    Role,
    StateMachine,
)

NAME_PATTERN = r"^[a-z][a-z0-9-]*[a-z0-9]$"
NAME_MIN_LENGTH = 3

_ROLE_NAME_LIMIT = 64
_POLICY_NAME_LIMIT = 128
_STATE_MACHINE_NAME_LIMIT = 80
_RESOURCE_NAME = re.compile(r"[\w+=,.@-]+", re.ASCII)
_TRUST_POLICY_LIMIT = 2_048
_MANAGED_POLICY_LIMIT = 6_144
_INLINE_POLICIES_LIMIT = 10_240
_DESCRIPTION_LIMIT = 1_000
_MANAGED_POLICIES_PER_ROLE = 10

# `${aws:username}` and the like, and `${*}`, `${?}`, `${$}`, are IAM's own and stay as they are:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}?")
_IAM_VARIABLE = re.compile(r"[*?$]|[\w-]+:[^}]+")

# The longest values that placeholders can take, for checking sizes before any environment is.
_LONGEST_PLACE = Place("0" * 12, "aws-iso-e", "ap-southeast-99")


class TemplateError(Exception):
    """A template is wrong; the message names the file."""


class _OwnPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    document: str
    description: str = ""


class _RoleFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    description: str
    trust_policy: str
    max_session_duration: int = 3600
    aws_managed_policies: tuple[str, ...] = ()
    customer_managed_policies: tuple[_OwnPolicy, ...] = ()
    inline_policies: tuple[_OwnPolicy, ...] = ()


class _StateMachineFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    role: str
    definition: str


class _ExpectationFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    role: str
    action: str
    resource: str
    expect: Literal["allowed", "denied"]
    context: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class _Document:
    file: Path
    content: Any


@dataclass(frozen=True, slots=True)
class _RoleTemplate:
    file: Path
    key: str
    content: _RoleFile
    documents: Mapping[str, _Document]


@dataclass(frozen=True, slots=True)
class Templates:
    """All templates of one `policies/` folder, checked."""

    roles: tuple[_RoleTemplate, ...]
    state_machine: _StateMachineFile
    definition: _Document
    expectations: tuple[_ExpectationFile, ...]
    expectations_file: Path

    @property
    def longest_name(self) -> int:
        """How long an environment name may be, so that every name made of it fits AWS's limit."""
        names = _names(self, self.expectations_file)
        return min(limit - len(_named(name, "")) for _, name, limit in names)

    def role_names(self) -> dict[str, str]:
        """Return the role names as templates, such as `${environment}-SageMaker`, by role key."""
        return {role.key: role.content.name for role in self.roles}

    def policy_names(self) -> list[str]:
        """Return the names of the customer managed policies, as templates."""
        return [
            policy.name for role in self.roles for policy in role.content.customer_managed_policies
        ]

    def aws_managed_policies(self) -> list[str]:
        """Return the names of the AWS managed policies that any role uses, sorted."""
        return sorted({name for role in self.roles for name in role.content.aws_managed_policies})

    def environment_of(self, resource_name: str) -> str | None:
        """Return the environment that a role or policy of this name would belong to, if any."""
        # The longest first: `x-Own-Role` is of `x` where there is a template `...-Own-Role`.
        templates = [*self.role_names().values(), *self.policy_names()]
        for template in sorted(templates, key=len, reverse=True):
            before, after = template.split("${environment}", 1)
            pattern = re.escape(before) + "([a-z][a-z0-9-]*[a-z0-9])" + re.escape(after)
            match = re.fullmatch(pattern, resource_name, re.IGNORECASE)
            if match and NAME_MIN_LENGTH <= len(match.group(1)) <= self.longest_name:
                return match.group(1).lower()
        return None

    def is_name(self, name: str) -> bool:
        """Tell whether this could be the name of an environment."""
        return (
            NAME_MIN_LENGTH <= len(name) <= self.longest_name
            and re.fullmatch(NAME_PATTERN.strip("^$"), name) is not None
        )

    def render(
        self,
        environment: str,
        place: Place,
        tags: Mapping[str, str],
        permissions_boundary: str | None,
    ) -> Desired:
        """Return the environment as it should be in this place.

        Args:
            environment: a valid environment name.
            place: account, partition and region that it lives in.
            tags: the caller's own tags; Trivet's come on top.
            permissions_boundary: the ARN put on every role, or `None`.
        """
        values = self._values(environment, place)

        def fill(template: Any, file: Path) -> Any:
            return _substituted(template, values, file)

        roles, policies = [], []
        for role in self.roles:
            own_tags = {**tags, ENVIRONMENT_TAG: environment, ROLE_TAG: role.key}
            made = [
                ManagedPolicy(
                    role=role.key,
                    name=(name := fill(policy.name, role.file)),
                    arn=f"arn:{place.partition}:iam::{place.account_id}:policy/{name}",
                    description=fill(policy.description, role.file),
                    document=self._document(role, policy.document, fill),
                    tags=own_tags,
                )
                for policy in role.content.customer_managed_policies
            ]
            policies += made
            roles.append(
                Role(
                    key=role.key,
                    name=values[f"role_name.{role.key}"],
                    arn=values[f"role_arn.{role.key}"],
                    description=fill(role.content.description, role.file),
                    max_session_duration=role.content.max_session_duration,
                    trust_policy=self._document(role, role.content.trust_policy, fill),
                    managed_policies=tuple(
                        f"arn:{place.partition}:iam::aws:policy/{name}"
                        for name in role.content.aws_managed_policies
                    )
                    + tuple(policy.arn for policy in made),
                    inline_policies={
                        fill(policy.name, role.file): self._document(role, policy.document, fill)
                        for policy in role.content.inline_policies
                    },
                    tags=own_tags,
                    permissions_boundary=permissions_boundary,
                )
            )
        machine = self.state_machine
        return Desired(
            environment=environment,
            place=place,
            roles=tuple(roles),
            policies=tuple(policies),
            state_machine=StateMachine(
                role=machine.role,
                name=_named(machine.name, environment),
                arn=values["state_machine_arn"],
                role_arn=values[f"role_arn.{machine.role}"],
                definition=fill(self.definition.content, self.definition.file),
                tags={**tags, ENVIRONMENT_TAG: environment, ROLE_TAG: machine.role},
            ),
            expectations=tuple(
                Expectation(
                    name=each.name,
                    role=each.role,
                    action=each.action,
                    resource=fill(each.resource, self.expectations_file),
                    context=fill(each.context, self.expectations_file),
                    expect=each.expect,
                )
                for each in self.expectations
            ),
        )

    @staticmethod
    def _document(role: _RoleTemplate, name: str, fill: Callable[[Any, Path], Any]) -> Document:
        document = role.documents[name]
        filled: Document = fill(document.content, document.file)
        return filled

    def _values(self, environment: str, place: Place) -> dict[str, str]:
        """Return every placeholder with its value."""
        iam = f"arn:{place.partition}:iam::{place.account_id}"
        states = f"arn:{place.partition}:states:{place.region}:{place.account_id}"
        values = {
            "environment": environment,
            "partition": place.partition,
            "account_id": place.account_id,
            "region": place.region,
            "state_machine_arn": f"{states}:stateMachine:"
            + _named(self.state_machine.name, environment),
        }
        for role in self.roles:
            name = _named(role.content.name, environment)
            values[f"role_name.{role.key}"] = name
            values[f"role_arn.{role.key}"] = f"{iam}:role/{name}"
        return values


def _named(name: str, environment: str) -> str:
    return name.replace("${environment}", environment)


@cache
def load(folder: Path | None = None) -> Templates:
    """Read and check the templates, once per process.

    Args:
        folder: `policies/` beside `app.py` unless given.

    Raises:
        TemplateError: a template is wrong; the message names the file.
    """
    folder = folder or Path(__file__).parent.parent / "policies"
    files = sorted(folder.glob("*/role.json"))
    machine_file = folder / "smoke-test" / "state-machine.json"
    machine = _decoded(machine_file, _StateMachineFile)
    expectations_file = folder / "smoke-test" / "expectations.json"
    templates = Templates(
        roles=tuple(_role(file) for file in files),
        state_machine=machine,
        definition=_document_file(machine_file.parent / machine.definition),
        expectations=_decoded(expectations_file, tuple[_ExpectationFile, ...]),
        expectations_file=expectations_file,
    )
    if not templates.roles:
        raise TemplateError(f"{folder}: no role: a folder with a role.json is one")
    _check_names(templates, machine_file)
    _check_references(templates, machine_file)
    _check_sizes(templates)
    return templates


def _role(file: Path) -> _RoleTemplate:
    content = _decoded(file, _RoleFile)
    names = [content.trust_policy] + [
        policy.document for policy in content.customer_managed_policies + content.inline_policies
    ]
    return _RoleTemplate(
        file=file,
        key=file.parent.name,
        content=content,
        documents={name: _document_file(file.parent / name) for name in names},
    )


_File = TypeVar("_File")


def _decoded(file: Path, into: type[_File]) -> _File:
    try:
        return msgspec.json.decode(file.read_bytes(), type=into)
    except (OSError, msgspec.MsgspecError) as error:
        raise TemplateError(f"{file}: {error}") from error


def _document_file(file: Path) -> _Document:
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise TemplateError(f"{file}: {error}") from error
    if not isinstance(content, dict):
        raise TemplateError(f"{file}: not a JSON object")
    return _Document(file, content)


def _substituted(template: Any, values: Mapping[str, str], file: Path) -> Any:
    """Return the parsed template with the placeholders in its strings replaced."""
    if isinstance(template, str):
        if "${" not in template:
            return template

        def value(match: re.Match[str]) -> str:
            name = match.group(1)
            if not match.group(0).endswith("}"):
                raise TemplateError(f"{file}: placeholder without its end: {match.group(0)}")
            if name in values:
                return values[name]
            # `${role_arn:notebook}` is a slip of the pen, and no variable of IAM's.
            ours = {placeholder.split(".")[0] for placeholder in values}
            if _IAM_VARIABLE.fullmatch(name) and name.split(":")[0] not in ours:
                return match.group(0)
            raise TemplateError(f"{file}: unknown placeholder ${{{name}}}")

        return _PLACEHOLDER.sub(value, template)
    if isinstance(template, dict):
        return {
            _substituted(key, values, file): _substituted(value, values, file)
            for key, value in template.items()
        }
    if isinstance(template, list):
        return [_substituted(each, values, file) for each in template]
    return template


def _check_names(templates: Templates, machine_file: Path) -> None:
    for file, name, limit in _names(templates, machine_file):
        if name.count("${environment}") != 1:
            raise TemplateError(f"{file}: {name} must hold ${{environment}} once")
        if not _RESOURCE_NAME.fullmatch(_named(name, "x")):
            raise TemplateError(f"{file}: {name} has characters that AWS does not allow in names")
        if limit - len(_named(name, "")) < NAME_MIN_LENGTH:
            raise TemplateError(
                f"{file}: {name} is too long: AWS allows {limit} characters, the environment's "
                "name included"
            )
    _check_unique((role.file, role.content.name) for role in templates.roles)
    _check_unique(
        (role.file, policy.name)
        for role in templates.roles
        for policy in role.content.customer_managed_policies
    )
    for role in templates.roles:
        _check_unique((role.file, policy.name) for policy in role.content.inline_policies)


def _names(templates: Templates, machine_file: Path) -> Iterator[tuple[Path, str, int]]:
    """Return every name made of an environment's, with its file and AWS's limit."""
    for role in templates.roles:
        yield role.file, role.content.name, _ROLE_NAME_LIMIT
        for policy in role.content.customer_managed_policies:
            yield role.file, policy.name, _POLICY_NAME_LIMIT
    yield machine_file, templates.state_machine.name, _STATE_MACHINE_NAME_LIMIT


def _check_unique(names: Iterable[tuple[Path, str]]) -> None:
    """Refuse a name that stands twice; IAM's are unique without regard to case."""
    seen: dict[str, Path] = {}
    for file, name in names:
        if name.lower() in seen:
            raise TemplateError(f"{file}: the name {name} is taken, in {seen[name.lower()]}")
        seen[name.lower()] = file


def _check_references(templates: Templates, machine_file: Path) -> None:
    keys = {role.key for role in templates.roles}
    if templates.state_machine.role not in keys:
        raise TemplateError(f"{machine_file}: no role {templates.state_machine.role}")
    for expectation in templates.expectations:
        if expectation.role not in keys:
            raise TemplateError(f"{templates.expectations_file}: no role {expectation.role}")
    for role in templates.roles:
        for name in role.content.aws_managed_policies:
            if not re.fullmatch(r"[\w+=,.@/-]+", name) or name.startswith("arn:"):
                raise TemplateError(f"{role.file}: {name} is not the name of an AWS managed policy")
        if len(set(role.content.aws_managed_policies)) < len(role.content.aws_managed_policies):
            raise TemplateError(f"{role.file}: an AWS managed policy is listed twice")
        attached = len(role.content.aws_managed_policies)
        attached += len(role.content.customer_managed_policies)
        if attached > _MANAGED_POLICIES_PER_ROLE:
            raise TemplateError(
                f"{role.file}: {attached} managed policies; "
                f"IAM allows {_MANAGED_POLICIES_PER_ROLE} on a role"
            )
        if not 3_600 <= role.content.max_session_duration <= 43_200:
            raise TemplateError(f"{role.file}: max_session_duration must be 3600..43200 seconds")


def _check_sizes(templates: Templates) -> None:
    """Render the longest environment there can be, and hold it against IAM's limits."""
    longest = templates.render("x" * templates.longest_name, _LONGEST_PLACE, {}, None)
    for template, role in zip(templates.roles, longest.roles, strict=True):
        _check_size(template, template.content.trust_policy, role.trust_policy, _TRUST_POLICY_LIMIT)
        inline = sum(documents.size(document) for document in role.inline_policies.values())
        if inline > _INLINE_POLICIES_LIMIT:
            raise TemplateError(
                f"{template.file}: the inline policies have up to {inline} characters; "
                f"IAM allows {_INLINE_POLICIES_LIMIT} in all"
            )
        if len(role.description) > _DESCRIPTION_LIMIT:
            raise TemplateError(
                f"{template.file}: description over {_DESCRIPTION_LIMIT} characters"
            )
        own = [policy for policy in longest.policies if policy.role == role.key]
        for source, policy in zip(template.content.customer_managed_policies, own, strict=True):
            _check_size(template, source.document, policy.document, _MANAGED_POLICY_LIMIT)


def _check_size(template: _RoleTemplate, name: str, document: Document, limit: int) -> None:
    size = documents.size(document)
    if size > limit:
        file = template.documents[name].file
        raise TemplateError(f"{file}: up to {size} characters; IAM allows {limit}")
