"""What can be known to be wrong with a profile without asking AWS, with the file named.

Limits and patterns: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html and
the API models of IAM; botocore does not hold requests to the patterns in these.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from chalicelib.catalogue import names, parameters, sizes
from chalicelib.catalogue.files import RoleTemplate, TemplateError
from chalicelib.catalogue.placeholders import used
from chalicelib.catalogue.profile import Profile
from chalicelib.model.desired import Desired, Role

_RESOURCE_NAME = re.compile(r"[\w+=,.@-]+", re.ASCII)
_SID = re.compile(r"[A-Za-z0-9]*")
_ROLE_DESCRIPTION = re.compile(r"[\t\n\r\x20-\x7E\xA1-\xFF]*")
_INLINE_POLICY_NAME_LIMIT = 128
_DESCRIPTION_LIMIT = 1_000
_MANAGED_POLICIES_PER_ROLE = 10


def check(profile: Profile) -> None:
    """Refuse a profile that AWS would refuse, or that does not fit together.

    Sizes are those of the longest environment there can be, with the default parameters.

    Raises:
        TemplateError: names the file.
    """
    _check_parameters(profile)
    _check_names(profile)
    _check_references(profile)
    longest = profile.longest("x" * profile.longest_name)
    for problem in sizes.problems(profile.templates, longest):
        raise TemplateError(problem)
    for template, role in zip(profile.templates, longest.roles, strict=True):
        _check_role(template)
        _check_texts(template, role, longest)
    _check_machine(longest.state_machine.definition, profile.definition.file)


def _check_parameters(profile: Profile) -> None:
    for name, parameter in profile.parameters.items():
        try:
            re.compile(parameter.pattern)
        except re.error as error:
            raise TemplateError(f"{profile.file}: parameter {name}: pattern: {error}") from error
        default = parameters.default(parameter, "x" * names.NAME_MIN_LENGTH)
        for each in [default] if isinstance(default, str) else default:
            if not parameters.fits(parameter, each):
                raise TemplateError(
                    f"{profile.file}: parameter {name}: its default {each} does not match "
                    f"its pattern {parameter.pattern}"
                )
    lists = {
        f"parameter.{name}"
        for name, parameter in profile.parameters.items()
        if not isinstance(parameter.default, str)
    }
    for role in profile.templates:
        for document in role.documents.values():
            for statement in _statements(document.content):
                rest = {key: value for key, value in statement.items() if key != "Resource"}
                # What becomes of an emptied condition, or NotResource, would be anyone's guess.
                for placeholder in sorted(used(rest) & lists):
                    raise TemplateError(
                        f"{document.file}: ${{{placeholder}}} is a list, and may stand only in "
                        "a list of Resource"
                    )


def _check_names(profile: Profile) -> None:
    for file, name, limit in profile.resource_names():
        if name.count("${environment}") != 1:
            raise TemplateError(f"{file}: {name} must hold ${{environment}} once")
        if not _RESOURCE_NAME.fullmatch(names.named(name, "x")):
            raise TemplateError(f"{file}: {name} has characters that AWS does not allow in names")
        if names.room(name, limit) < names.NAME_MIN_LENGTH:
            raise TemplateError(
                f"{file}: {name} is too long: AWS allows {limit} characters, the environment's "
                "name included"
            )
    _check_unique((role.file, role.content.name) for role in profile.templates)
    _check_unique(
        (role.file, policy.name)
        for role in profile.templates
        for policy in role.content.customer_managed_policies
    )
    for role in profile.templates:
        _check_unique((role.file, policy.name) for policy in role.content.inline_policies)
    _check_unique((file, expectation.name) for file, expectation in profile.expectations)


def _check_unique(named: Iterable[tuple[Path, str]]) -> None:
    """Refuse a name that stands twice; IAM's are unique without regard to case."""
    seen: dict[str, Path] = {}
    for file, name in named:
        if name.lower() in seen:
            raise TemplateError(f"{file}: the name {name} is taken, in {seen[name.lower()]}")
        seen[name.lower()] = file


def _check_references(profile: Profile) -> None:
    if profile.state_machine.role not in profile.roles:
        raise TemplateError(f"{profile.state_machine_file}: no role {profile.state_machine.role}")
    for file, expectation in profile.expectations:
        if expectation.role not in profile.roles:
            raise TemplateError(f"{file}: no role {expectation.role}")
    folders = {found.parent.name for found in profile.file.parent.glob("*/role.json")}
    if unlisted := sorted(folders - set(profile.roles)):
        raise TemplateError(f"{profile.file}: roles lacks {', '.join(unlisted)}")
    if not profile.roles or len(set(profile.roles)) < len(profile.roles):
        raise TemplateError(f"{profile.file}: roles names no role, or one twice")


def _check_role(template: RoleTemplate) -> None:
    content, file = template.content, template.file
    for name in content.aws_managed_policies:
        if not re.fullmatch(r"[\w+=,.@/-]+", name) or name.startswith("arn:"):
            raise TemplateError(f"{file}: {name} is not the name of an AWS managed policy")
    if len(set(content.aws_managed_policies)) < len(content.aws_managed_policies):
        raise TemplateError(f"{file}: an AWS managed policy is listed twice")
    attached = len(content.aws_managed_policies) + len(content.customer_managed_policies)
    if attached > _MANAGED_POLICIES_PER_ROLE:
        raise TemplateError(
            f"{file}: {attached} managed policies; "
            f"IAM allows {_MANAGED_POLICIES_PER_ROLE} on a role"
        )
    if not 3_600 <= content.max_session_duration <= 43_200:
        raise TemplateError(f"{file}: max_session_duration must be 3600..43200 seconds")
    for document in template.documents.values():
        _check_sids(document.content, document.file)


def _check_texts(template: RoleTemplate, role: Role, longest: Desired) -> None:
    """Check descriptions and inline names as they are in the longest environment."""
    if not _ROLE_DESCRIPTION.fullmatch(role.description):
        raise TemplateError(f"{template.file}: description has characters outside Latin-1")
    own = [policy.description for policy in longest.policies if policy.role == role.key]
    if max(map(len, (role.description, *own))) > _DESCRIPTION_LIMIT:
        raise TemplateError(f"{template.file}: description over {_DESCRIPTION_LIMIT} characters")
    for name in role.inline_policies:
        if not _RESOURCE_NAME.fullmatch(name) or len(name) > _INLINE_POLICY_NAME_LIMIT:
            raise TemplateError(
                f"{template.file}: inline policy {name}: its name may have letters, digits and "
                f"+=,.@-_, {_INLINE_POLICY_NAME_LIMIT} at most"
            )


def _check_sids(document: Mapping[str, Any], file: Path) -> None:
    sids = [str(each["Sid"]) for each in _statements(document) if "Sid" in each]
    for sid in sids:
        # A placeholder in one is filled with what is checked elsewhere.
        if not _SID.fullmatch(re.sub(r"\$\{[^}]*\}", "", sid)):
            raise TemplateError(f"{file}: Sid {sid} may have letters and digits only")
    _check_unique((file, f"Sid {sid}") for sid in sids)


def _statements(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    statements = document.get("Statement", [])
    listed = statements if isinstance(statements, list) else [statements]
    return [each for each in listed if isinstance(each, Mapping)]


def _check_machine(machine: Mapping[str, Any], file: Path) -> None:
    """Refuse a workflow, or one nested in it, that goes on to a state which it does not have.

    https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html
    """
    states: Mapping[str, Any] = machine.get("States", {})
    _check_state(machine.get("StartAt"), "StartAt", states, file)
    for name, state in states.items():
        for step in (state, *state.get("Choices", ()), *state.get("Catch", ())):
            for element in ("Next", "Default"):
                if element in step:
                    _check_state(step[element], f"{name}: {element}", states, file)
        nested = [state[each] for each in ("ItemProcessor", "Iterator") if each in state]
        for each in (*nested, *state.get("Branches", ())):
            _check_machine(each, file)


def _check_state(target: Any, where: str, states: Mapping[str, Any], file: Path) -> None:
    if target not in states:
        raise TemplateError(f"{file}: {where}: there is no state {target}")
