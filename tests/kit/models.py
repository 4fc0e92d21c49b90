"""What AWS's own description of its services says of a call, and botocore does not check.

botocore refuses what is missing, of the wrong type or too short. Patterns, enumerations and upper
limits it lets pass: AWS refuses them. Nor does it tell that an older one, as the Lambda runtime may
have, would not know an operation or a parameter: `oldest_botocore.json` lists what that one knows.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import botocore
from botocore.loaders import create_loader
from botocore.model import OperationModel, ServiceModel

NAMES = {
    "DynamoDB": "dynamodb",
    "EventBridge": "events",
    "IAM": "iam",
    "SFN": "stepfunctions",
    "STS": "sts",
}
"""botocore's folders of the services that Trivet calls, by their ids."""

OLDEST = Path(__file__).with_name("oldest_botocore.json")
"""What `listed` returns of the operations that Trivet calls, of the oldest botocore."""

_Value = tuple[str, Any, Any]
"""Where something is in a call, what it is, and its shape."""


class Sent(Protocol):
    """A call as it went over the wire."""

    @property
    def service(self) -> str:
        """botocore's id."""

    @property
    def action(self) -> str:
        """The operation."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """As callers of botocore give them, save that IAM and STS have only strings."""


def operation(call: Sent) -> OperationModel:
    """Return the description of a call's operation, by the botocore at hand."""
    return model(NAMES[call.service]).operation_model(call.action)


@cache
def model(service: str) -> ServiceModel:
    """Return the description of a service, such as `iam`."""
    return ServiceModel(create_loader().load_service_model(service, "service-2"), service)


def broken(call: Sent) -> Iterator[str]:
    """Return what AWS says of each value that breaks a constraint of the service's model."""
    for path, value, shape in _values(operation(call).input_shape, call.parameters, ""):
        failed = f"Value '{value}' at '{path}' failed to satisfy constraint: Member must"
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        pattern, choice = shape.metadata.get("pattern"), shape.metadata.get("enum")
        if shape.type_name in ("integer", "long"):
            if most is not None and int(value) > most:
                yield f"{failed} have value less than or equal to {most}"
        elif most is not None and len(value) > most:
            yield f"{failed} have length less than or equal to {most}"
        elif least is not None and len(value) < least:
            yield f"{failed} have length greater than or equal to {least}"
        elif choice and value not in choice:
            yield f"{failed} satisfy enum value set: {choice}"
        elif pattern and not _pattern(pattern).fullmatch(value):
            yield f"{failed} satisfy regular expression pattern: {pattern}"


def unknown_to_the_oldest(call: Sent) -> Iterator[str]:
    """Return what of a call the oldest botocore that the Lambda runtime may have does not know."""
    name = f"{NAMES[call.service]}:{call.action}"
    known = _oldest().get(name)
    if known is None:
        yield name
        return
    paths = {path for path, _, _ in _members(operation(call).input_shape, call.parameters)}
    yield from (f"{name} {path}" for path in sorted(paths - known))


@cache
def _oldest() -> Mapping[str, frozenset[str]]:
    operations = json.loads(OLDEST.read_text())["operations"]
    return {name: frozenset(each["parameters"]) for name, each in operations.items()}


def listed(described: OperationModel) -> dict[str, list[str]]:
    """Return the parameters that an operation takes, nested ones too, and its error codes."""
    codes = {
        each.metadata.get("error", {}).get("code", each.name) for each in described.error_shapes
    }
    return {"parameters": sorted(_paths(described.input_shape, ())), "errors": sorted(codes)}


def _paths(shape: Any, within: tuple[str, ...], path: str = "") -> Iterator[str]:
    if shape is None or shape.name in within:
        return
    if shape.type_name == "list":
        yield from _paths(shape.member, within, path)
    elif shape.type_name == "map":
        yield from _paths(shape.value, within, path)
    elif shape.type_name == "structure":
        for name, member in shape.members.items():
            at = f"{path}.{name}" if path else name
            yield at
            yield from _paths(member, (*within, shape.name), at)


def _members(
    shape: Any, value: Any, within: tuple[str, ...] = (), path: str = ""
) -> Iterator[_Value]:
    """Return each member that is given, named as `_paths` names it."""
    if shape is None or shape.name in within:
        return
    if shape.type_name == "list":
        for each in value:
            yield from _members(shape.member, each, within, path)
    elif shape.type_name == "map":
        for each in value.values():
            yield from _members(shape.value, each, within, path)
    elif shape.type_name == "structure":
        for name, given in value.items():
            at = f"{path}.{name}" if path else name
            yield at, given, shape.members.get(name)
            yield from _members(shape.members.get(name), given, (*within, shape.name), at)


def _values(shape: Any, value: Any, path: str) -> Iterator[_Value]:
    """Return each text, number and list of a call's parameters, with where it is and its shape."""
    if shape is None:
        return
    if shape.type_name in ("string", "integer", "long") and not isinstance(value, list | Mapping):
        yield path, value, shape
    elif isinstance(value, list) and shape.type_name == "list":
        yield path, value, shape
        for number, each in enumerate(value, 1):
            yield from _values(shape.member, each, f"{path}.{number}.member")
    elif isinstance(value, Mapping) and shape.type_name == "map":
        for each in value.values():
            yield from _values(shape.value, each, path)
    elif isinstance(value, Mapping) and shape.type_name == "structure":
        for name in value.keys() & shape.members.keys():
            at = name[0].lower() + name[1:]
            yield from _values(shape.members[name], value[name], f"{path}.{at}" if path else at)


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """Return a pattern of Java's in Python's words."""
    letters, spaces = re.compile(r"\\p\{[LN]\}"), re.compile(r"\\p\{Z\}")
    if letters.search(text) or spaces.search(text):
        return re.compile(spaces.sub(r"\\s", letters.sub(r"\\w", text)))
    return re.compile(text, re.ASCII)


def _main(names: list[str]) -> None:
    """Print what the botocore at hand knows of operations, such as `iam:CreateRole`."""
    operations = {
        name: listed(model(name.split(":")[0]).operation_model(name.split(":")[1]))
        for name in names
    }
    found = {"botocore": botocore.__version__, "operations": operations}
    sys.stdout.write(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    _main(sys.argv[1:])
