"""Between the form and the API's declaration: what the form's fields say, and what fills them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug.datastructures import MultiDict

_EMPTY_TAGS = 3
"""Rows for further tags that the form offers."""


@dataclass(slots=True)
class Form:
    """The fields of the form, as text; `errors` has what is wrong with each, by the API's names.

    Attributes:
        exists: whether it is an environment that is there already.
        is_protected: whether it is protected now; only its own route takes that off.
        parameters: text by profile and parameter; of a list, one string per line.
    """

    name: str = ""
    account_id: str = ""
    exists: bool = False
    profile: str = ""
    parameters: dict[tuple[str, str], str] = field(default_factory=dict)
    tags: list[tuple[str, str]] = field(default_factory=list)
    on_extras: str = "remove"
    is_protected: bool = False
    deletion_protection: bool = False
    adopt: bool = False
    errors: list[dict[str, str]] = field(default_factory=list)

    @property
    def tag_rows(self) -> list[tuple[str, str]]:
        """The tags, and some empty rows for more."""
        return [*self.tags, *[("", "")] * _EMPTY_TAGS]

    def mistakes(self, *fields: str) -> list[str]:
        """Return what is wrong with these fields of the declaration, or with parts of them."""
        return [
            error["message"] for error in self.errors if error["field"].startswith(tuple(fields))
        ]

    def body(self, profiles: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the declaration: the body of the API's PUT, without `dry_run` and `wait`.

        What a new environment leaves empty is left out, so that the API's defaults hold. Of one
        that exists everything is said, so that what was emptied here is emptied there.
        """
        parameters = self._parameters(profiles)
        body: dict[str, Any] = {"on_extras": self.on_extras, "profile": self.profile or None}
        body["parameters"] = parameters if parameters or self.exists else None
        body["tags"] = dict(self.tags) if self.tags or self.exists else None
        body["deletion_protection"] = True if self.deletion_protection else None
        return {key: value for key, value in body.items() if value is not None}

    def _parameters(self, profiles: Iterable[Mapping[str, Any]]) -> dict[str, str | list[str]]:
        """Return the parameters of the chosen profile that are filled in."""
        chosen = next((each for each in profiles if each["name"] == self.profile), None)
        found: dict[str, str | list[str]] = {}
        for name, parameter in (chosen["parameters"] if chosen else {}).items():
            text = self.parameters.get((self.profile, name), "").strip()
            if text:
                found[name] = text.split() if isinstance(parameter["default"], list) else text
        return found


def of_environment(environment: Mapping[str, Any], account_id: str) -> Form:
    """Return the form filled with what an environment declares."""
    profile = environment["profile"]
    return Form(
        name=environment["name"],
        account_id=account_id,
        exists=True,
        profile=profile,
        parameters={
            (profile, name): value if isinstance(value, str) else "\n".join(value)
            for name, value in environment["parameters"].items()
        },
        tags=sorted(environment["tags"].items()),
        on_extras=environment["on_extras"],
        is_protected=environment["deletion_protection"],
        deletion_protection=environment["deletion_protection"],
    )


def of_fields(fields: MultiDict[str, str]) -> Form:
    """Return the form as it was sent."""
    tags = zip(fields.getlist("tag_key"), fields.getlist("tag_value"), strict=False)
    is_protected = "is_protected" in fields
    return Form(
        name=fields.get("name", "").strip(),
        account_id=fields.get("account_id", "").strip(),
        exists="exists" in fields,
        profile=fields.get("profile", ""),
        parameters=_parameters(fields),
        tags=[(key.strip(), value.strip()) for key, value in tags if key.strip()],
        on_extras=fields.get("on_extras", "remove"),
        is_protected=is_protected,
        deletion_protection=is_protected or "deletion_protection" in fields,
        adopt="adopt" in fields,
    )


def _parameters(fields: MultiDict[str, str]) -> dict[tuple[str, str], str]:
    """Return the fields named `parameter.PROFILE.NAME`; other fields are left aside."""
    named = [(key.split(".", 2), value) for key, value in fields.items()]
    return {
        (parts[1], parts[2]): value
        for parts, value in named
        if parts[0] == "parameter" and len(parts) == 3
    }


def is_object(text: str) -> bool:
    """Tell whether a text is a JSON object."""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
