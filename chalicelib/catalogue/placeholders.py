"""How values get into parsed documents: `${name}` inside their strings, and nowhere else.

JSON is parsed first, so that no value can break out of its string. `${aws:username}` and the like,
and `${*}`, `${?}`, `${$}`, are IAM's own and stay as they are:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chalicelib.catalogue.files import TemplateError

_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}?")
_IAM_VARIABLE = re.compile(r"[*?$]|[\w-]+:[^}]+")

Values = Mapping[str, str | tuple[str, ...]]
"""Every placeholder with its value. One that is a list may stand in a string of a list only."""


def filled(template: Any, values: Values, file: Path) -> Any:
    """Return a parsed template with the placeholders in its strings replaced.

    In a string of a list, a value that is a list stands for one string per element: so
    `["${parameter.buckets}/*"]` becomes `["a/*", "b/*"]`, or `[]`.

    Raises:
        TemplateError: a placeholder is unknown, unclosed, or a list where no list can stand.
    """
    if isinstance(template, str):
        return _text(template, values, file) if "${" in template else template
    if isinstance(template, dict):
        return {_text(key, values, file): filled(v, values, file) for key, v in template.items()}
    if isinstance(template, list):
        return [
            filled(each, one, file)
            for each in template
            for one in (_choices(each, values) if isinstance(each, str) else (values,))
        ]
    return template


def used(template: Any) -> set[str]:
    """Return the names of the placeholders in a parsed template, IAM's variables included."""
    if isinstance(template, str):
        if "${" not in template:
            return set()
        return {match.group(1) for match in _PLACEHOLDER.finditer(template)}
    if isinstance(template, Mapping):
        return used(list(template)) | used(list(template.values()))
    if isinstance(template, list):
        return {name for each in template for name in used(each)}
    return set()


def _choices(text: str, values: Values) -> list[Values]:
    """Return the values for each string that this one stands for."""
    if "${" not in text:
        return [values]
    choices: list[Values] = [values]
    for name in sorted(used(text)):
        several = values.get(name)
        if isinstance(several, tuple):
            choices = [{**choice, name: each} for choice in choices for each in several]
    return choices


def _text(template: str, values: Values, file: Path) -> str:
    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if not match.group(0).endswith("}"):
            raise TemplateError(f"{file}: placeholder without its end: {match.group(0)}")
        found = values.get(name)
        if isinstance(found, str):
            return found
        if found is not None:
            raise TemplateError(f"{file}: ${{{name}}} is a list, and stands in no list")
        # `${role_arn:notebook}` is a slip of the pen, and no variable of IAM's.
        ours = {placeholder.split(".")[0] for placeholder in values}
        if _IAM_VARIABLE.fullmatch(name) and name.split(":")[0] not in ours:
            return match.group(0)
        raise TemplateError(f"{file}: unknown placeholder ${{{name}}}")

    return _PLACEHOLDER.sub(value, template) if "${" in template else template
