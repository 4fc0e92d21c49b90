"""What callers may set of a profile, its defaults, and what is wrong with what they set."""

import re
from collections.abc import Iterator, Mapping

from chalicelib.catalogue.files import Parameter
from chalicelib.errors import SHOWN, FieldError

Given = Mapping[str, str | list[str]]
"""The parameters of a declaration: those that a caller set."""


def values(
    parameters: Mapping[str, Parameter], environment: str, given: Given
) -> dict[str, str | tuple[str, ...]]:
    """Return every parameter's value, given or default, by its placeholder `parameter.NAME`.

    What was given once and is no parameter any more is passed over.
    """
    return {
        f"parameter.{name}": _plain(given[name])
        if name in given
        else default(parameter, environment)
        for name, parameter in parameters.items()
    }


def default(parameter: Parameter, environment: str) -> str | tuple[str, ...]:
    """Return a parameter's default in this environment."""
    if isinstance(parameter.default, str):
        return _own(parameter.default, environment)
    return tuple(_own(each, environment) for each in parameter.default)


def _own(text: str, environment: str) -> str:
    return text.replace("${environment}", environment).replace(
        "${environment_underscored}", environment.replace("-", "_")
    )


def _plain(given: str | list[str]) -> str | tuple[str, ...]:
    return given if isinstance(given, str) else tuple(given)


def errors(parameters: Mapping[str, Parameter], given: Given) -> Iterator[FieldError]:
    """Return what is wrong with the parameters given, one by one."""
    for name, value in given.items():
        parameter = parameters.get(name)
        if parameter is None:
            yield FieldError(field(name), _known(parameters))
        elif isinstance(value, str) != isinstance(parameter.default, str):
            kind = "a string" if isinstance(parameter.default, str) else "a list of strings"
            yield FieldError(field(name), f"must be {kind}. {parameter.description}")
        else:
            for each in [value] if isinstance(value, str) else value:
                if not fits(parameter, each):
                    allowed = f"{parameter.pattern}. {parameter.description}"
                    yield FieldError(field(name), f"{each[:SHOWN]!r} does not fit {allowed}")


def fits(parameter: Parameter, value: str) -> bool:
    """Tell whether this may be the value, or an element of it.

    Whatever the pattern says, no value brings a placeholder, or a variable of IAM's, with it.
    """
    return "${" not in value and re.fullmatch(parameter.pattern, value) is not None


def field(name: str) -> str:
    """Return a parameter's name as errors have it."""
    return f"parameters.{name}"


def _known(parameters: Mapping[str, Parameter]) -> str:
    if not parameters:
        return "the profile has no parameters"
    return f"no parameter of the profile; it has: {', '.join(parameters)}"
