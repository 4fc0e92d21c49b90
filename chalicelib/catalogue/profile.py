"""One profile: its templates, rendered for an environment in an account."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from chalicelib.catalogue import names, sizes
from chalicelib.catalogue import parameters as parameters_of
from chalicelib.catalogue.files import (
    DocumentFile,
    ExpectationFile,
    OwnPolicy,
    Parameter,
    ProfileFile,
    RoleTemplate,
    StateMachineFile,
)
from chalicelib.catalogue.parameters import Given
from chalicelib.catalogue.placeholders import Values, filled, used
from chalicelib.errors import FieldError, Invalid
from chalicelib.model.desired import (
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

_LONGEST_PLACE = Place("0" * 12, "aws-iso-e", "ap-southeast-99")


class Profile(msgspec.Struct, frozen=True):
    """A profile's files, read; `catalogue.load` has checked them."""

    name: str
    file: Path
    content: ProfileFile
    templates: tuple[RoleTemplate, ...]
    """The roles, in the order of `profile.json`."""
    state_machine: StateMachineFile
    state_machine_file: Path
    definition: DocumentFile
    expectations: tuple[tuple[Path, ExpectationFile], ...]
    """Each with the file that it stands in."""

    @property
    def description(self) -> str:
        """What the profile is, in a sentence."""
        return self.content.description

    @property
    def roles(self) -> tuple[str, ...]:
        """The keys of its roles."""
        return self.content.roles

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """What callers may set, by name."""
        return self.content.parameters

    @property
    def longest_name(self) -> int:
        """How long an environment name may be, so that every name made of it fits AWS's limit."""
        return min(names.room(name, limit) for _, name, limit in self.resource_names())

    def resource_names(self) -> Iterator[tuple[Path, str, int]]:
        """Return every name made of an environment's, with its file and AWS's limit."""
        for role in self.templates:
            yield role.file, role.content.name, names.ROLE_NAME_LIMIT
            for policy in role.content.customer_managed_policies:
                yield role.file, policy.name, names.POLICY_NAME_LIMIT
        yield self.state_machine_file, self.state_machine.name, names.STATE_MACHINE_NAME_LIMIT

    def render(
        self,
        name: str,
        place: Place,
        *,
        tags: Mapping[str, str],
        permissions_boundary: str | None,
        parameters: Given,
    ) -> Desired:
        """Return the environment as it should be in this place.

        Args:
            name: a valid environment name.
            place: account, partition and region that it lives in.
            tags: the caller's own; Trivet's come on top.
            permissions_boundary: the ARN put on every role, or `None`.
            parameters: those that the caller set.

        Raises:
            TemplateError: a placeholder cannot be filled.
        """
        values = self._values(name, place, parameters)
        policies = {
            role.key: tuple(_managed_policies(role, values, place, _tags(tags, name, role.key)))
            for role in self.templates
        }
        return Desired(
            name=name,
            place=place,
            roles=tuple(
                _role(
                    role,
                    values,
                    tuple(_aws_managed(role, place))
                    + tuple(policy.arn for policy in policies[role.key]),
                    _tags(tags, name, role.key),
                    permissions_boundary,
                )
                for role in self.templates
            ),
            policies=tuple(policy for own in policies.values() for policy in own),
            state_machine=_state_machine(self, name, values, tags),
            expectations=tuple(_expectations(self.expectations, values)),
        )

    def longest(self, name: str, parameters: Given | None = None) -> Desired:
        """Return the environment as it is where account, partition and region are longest."""
        return self.render(
            name,
            _LONGEST_PLACE,
            tags={},
            permissions_boundary=None,
            parameters=parameters or {},
        )

    def check_parameters(self, name: str, given: Given) -> None:
        """Refuse parameters that this profile does not have, or that do not fit.

        Args:
            name: the environment's.
            given: the parameters that the caller set.

        Raises:
            Invalid: a name is unknown, a value is of the wrong type or does not match the
                pattern, or a document would go over IAM's limits; names the parameter.
        """
        wrong = list(parameters_of.errors(self.parameters, given))
        if not wrong and given:
            problem = next(sizes.problems(self.templates, self.longest(name, given)), None)
            if problem is not None:
                longest = max(given, key=lambda each: len(str(given[each])))
                wrong.append(
                    FieldError(
                        parameters_of.field(longest), f"give fewer or shorter ones: {problem}"
                    )
                )
        if wrong:
            raise Invalid(wrong)

    def _values(self, name: str, place: Place, given: Given) -> Values:
        """Return every placeholder with its value."""
        values: dict[str, str | tuple[str, ...]] = {
            "environment": name,
            "environment_underscored": name.replace("-", "_"),
            "partition": place.partition,
            "account_id": place.account_id,
            "region": place.region,
            "state_machine_arn": f"{place.states}:stateMachine:"
            + names.named(self.state_machine.name, name),
        }
        for role in self.templates:
            role_name = names.named(role.content.name, name)
            values[f"role_name.{role.key}"] = role_name
            values[f"role_arn.{role.key}"] = f"{place.iam}:role/{role_name}"
        return values | parameters_of.values(self.parameters, name, given)


def _expectations(
    templates: tuple[tuple[Path, ExpectationFile], ...], values: Values
) -> Iterator[Expectation]:
    """Return the expectations; one about a list speaks of its first element.

    A `*` in that is read as `x`: a resource that one asks about has no wildcard. With no
    element there is nothing to expect.
    """
    first = {
        name: value if isinstance(value, str) else value[0].replace("*", "x")
        for name, value in values.items()
        if value
    }
    for file, each in templates:
        if all(values.get(name) != () for name in used(each.resource)):
            yield Expectation(
                name=each.name,
                role=each.role,
                action=each.action,
                resource=filled(each.resource, first, file),
                context=filled(each.context, first, file),
                expect=each.expect,
            )


def _state_machine(
    profile: Profile, name: str, values: Values, tags: Mapping[str, str]
) -> StateMachine:
    template, definition = profile.state_machine, profile.definition
    return StateMachine(
        role=template.role,
        name=names.named(template.name, name),
        arn=str(values["state_machine_arn"]),
        role_arn=str(values[f"role_arn.{template.role}"]),
        definition=filled(definition.content, values, definition.file),
        tags=_tags(tags, name, template.role),
    )


def _role(
    template: RoleTemplate,
    values: Values,
    managed_policies: tuple[str, ...],
    tags: Mapping[str, str],
    permissions_boundary: str | None,
) -> Role:
    content = template.content
    return Role(
        key=template.key,
        name=str(values[f"role_name.{template.key}"]),
        arn=str(values[f"role_arn.{template.key}"]),
        description=filled(content.description, values, template.file),
        max_session_duration=content.max_session_duration,
        trust_policy=_document(template, content.trust_policy, values),
        managed_policies=managed_policies,
        inline_policies={
            filled(policy.name, values, template.file): _document(template, policy.document, values)
            for policy in content.inline_policies
        },
        tags=tags,
        permissions_boundary=permissions_boundary,
    )


def _managed_policies(
    template: RoleTemplate, values: Values, place: Place, tags: Mapping[str, str]
) -> Iterator[ManagedPolicy]:
    def made(policy: OwnPolicy) -> ManagedPolicy:
        name = filled(policy.name, values, template.file)
        return ManagedPolicy(
            role=template.key,
            name=name,
            arn=f"{place.iam}:policy/{name}",
            description=filled(policy.description, values, template.file),
            document=_document(template, policy.document, values),
            tags=tags,
        )

    return map(made, template.content.customer_managed_policies)


def _aws_managed(template: RoleTemplate, place: Place) -> Iterator[str]:
    for name in template.content.aws_managed_policies:
        yield f"arn:{place.partition}:iam::aws:policy/{name}"


def _document(template: RoleTemplate, name: str, values: Values) -> Document:
    """Return a policy document; a statement that a list left with no resource is left out."""
    source = template.documents[name]
    document: dict[str, Any] = filled(source.content, values, source.file)
    statements = document.get("Statement")
    if isinstance(statements, list):
        left = [each for each in statements if not _is_empty(each)]
        document["Statement"] = left
    return document


def _is_empty(statement: Any) -> bool:
    return isinstance(statement, dict) and statement.get("Resource") == []


def _tags(tags: Mapping[str, str], name: str, key: str) -> Mapping[str, str]:
    return {**tags, ENVIRONMENT_TAG: name, ROLE_TAG: key}
