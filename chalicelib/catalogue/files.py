"""What the files of a profile look like, and how they are read.

A folder with a `profile.json` is a profile; a folder in it with a `role.json` is a role, whose
name is the role's key. Documents are files of their own, named relative to the file that names
them, so that profiles can share them.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from chalicelib.errors import Rejected


class TemplateError(Rejected):
    """A template is wrong; the message names the file."""


class OwnPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A policy of a role's own, customer managed or inline."""

    name: str
    document: str
    description: str = ""


class RoleFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`role.json`."""

    name: str
    description: str
    trust_policy: str
    max_session_duration: int = 3600
    aws_managed_policies: tuple[str, ...] = ()
    customer_managed_policies: tuple[OwnPolicy, ...] = ()
    inline_policies: tuple[OwnPolicy, ...] = ()


class StateMachineFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The smoke test's state machine."""

    name: str
    role: str
    definition: str


class ExpectationFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One element of a file of expectations."""

    name: str
    role: str
    action: str
    resource: str
    expect: Literal["allowed", "denied"]
    context: dict[str, str] = {}


class Parameter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What callers may set: a string, or a list of strings where the default is one.

    `description` says in words what is allowed, `pattern` (a whole string's, in Python's syntax)
    says it to the machine. The default may hold `${environment}` and `${environment_underscored}`,
    the environment's name with `_` for `-`.
    """

    description: str
    pattern: str
    default: str | tuple[str, ...]


class ProfileFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`profile.json`. `roles` are the keys of its roles, in the order in which they are shown."""

    description: str
    roles: tuple[str, ...]
    state_machine: str
    expectations: tuple[str, ...]
    parameters: dict[str, Parameter] = {}
    owns_by_name: bool = False
    """Its roles reach whatever has the environment's name and `-` in front: see `contested`."""


class DocumentFile(msgspec.Struct, frozen=True):
    """A document as its file has it, parsed, its placeholders still in it."""

    file: Path
    content: Mapping[str, Any]


class RoleTemplate(msgspec.Struct, frozen=True):
    """A role as its files have it."""

    file: Path
    key: str
    content: RoleFile
    documents: Mapping[str, DocumentFile]
    """By the names that `role.json` has for them."""


_File = TypeVar("_File")


def decoded(file: Path, into: type[_File]) -> _File:
    """Read a file of one of the types above.

    Raises:
        TemplateError: the file is missing, is no JSON, or does not fit the type.
    """
    try:
        return msgspec.json.decode(file.read_bytes(), type=into)
    except (OSError, msgspec.MsgspecError) as error:
        raise TemplateError(f"{file}: {error}") from error


def document(file: Path) -> DocumentFile:
    """Read a document: any JSON object.

    Raises:
        TemplateError: the file is missing, or is no JSON object.
    """
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise TemplateError(f"{file}: {error}") from error
    if not isinstance(content, dict):
        raise TemplateError(f"{file}: not a JSON object")
    return DocumentFile(file, content)


def role(folder: Path) -> RoleTemplate:
    """Read a role and its documents.

    Raises:
        TemplateError: one of the files is wrong.
    """
    file = folder / "role.json"
    content = decoded(file, RoleFile)
    names = [content.trust_policy] + [
        policy.document for policy in content.customer_managed_policies + content.inline_policies
    ]
    return RoleTemplate(
        file=file,
        key=folder.name,
        content=content,
        documents={name: document(folder / name) for name in names},
    )
