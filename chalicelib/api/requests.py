"""Requests read and validated: every field that is wrong is reported, not only the first.

What is wrong is said in words of what is allowed (`api.words`), never in types of Python's.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any, TypeVar, cast

import msgspec
from chalice.app import Request
from msgspec import Meta, Struct

from chalicelib import catalogue, settings
from chalicelib.api.schemas import TAG_TEXT, AccountId, TagKey, Tags, TagValue
from chalicelib.api.words import allowed, element, given
from chalicelib.catalogue.names import NAME_MIN_LENGTH, NAME_PATTERN
from chalicelib.errors import SHOWN, FieldError, Invalid, NotFound, TrivetError
from chalicelib.table.rows import read_cursor

_Parsed = TypeVar("_Parsed", bound=Struct)

_LONG_INTEGER = 1_000

_BODY_LIMIT = 64 * 1024
"""Bytes of a request's body."""

_ERRORS_TOLD = 20

_IN_LIST = re.compile(r"\[\d+\]")


class NotJson(TrivetError):
    """The body is not JSON, or not an object."""


def name_type() -> Any:
    """Return the type of an environment's name; how long it may be follows from the templates."""
    longest = catalogue.load(allowed=settings.current().profiles).longest_name
    return Annotated[
        str,
        Meta(
            min_length=NAME_MIN_LENGTH,
            max_length=longest,
            pattern=NAME_PATTERN,
            description="lower-case letters, digits and hyphens; a letter first, no hyphen last",
        ),
    ]


def validated(
    request: Request,
    body_type: type[Struct] | None,
    query_type: type[Struct],
    path: Mapping[str, str],
) -> tuple[Any, Any]:
    """Return the request's body, `None` where the route takes none, and its query parameters.

    Args:
        path: parameters of the path to validate along with the body.

    Raises:
        NotJson: the body is not JSON, or not an object.
        Invalid: fields or parameters are wrong, unknown or missing; all of them named.
    """
    errors: list[FieldError] = []
    found: list[Any] = [None, None]
    try:
        found[0] = body(request, body_type, path) if body_type else None
    except Invalid as error:
        errors += error.errors
    try:
        found[1] = query(request, query_type)
    except Invalid as error:
        errors += error.errors
    if errors:
        raise Invalid(errors[:_ERRORS_TOLD])
    return found[0], found[1]


def body(request: Request, into: type[_Parsed], path: Mapping[str, str]) -> _Parsed:
    """Return the request's body, validated; an absent body is one without fields.

    Args:
        path: parameters of the path to validate along with it, as fields of their own.

    Raises:
        NotJson: it is not JSON, or not an object.
        Invalid: fields are wrong, unknown or missing; all of them named.
    """
    content = _json_object(request.raw_body)
    errors = [
        FieldError(field, error)
        for field, value in path.items()
        for error in _value_errors(field, _path_type(field), value, strict=True)
    ]
    return _parsed(into, content, strict=True, errors=errors)


def _json_object(raw_body: str | bytes) -> dict[str, Any]:
    size_in_bytes = len(raw_body.encode() if isinstance(raw_body, str) else raw_body)
    if size_in_bytes > _BODY_LIMIT:
        size = f"{size_in_bytes:,} bytes; at most {_BODY_LIMIT:,} are allowed"
        raise NotJson(f"The body is too large: {size}.")
    raw = raw_body.strip()
    try:
        # JSON has no NaN and no Infinity, though Python reads them.
        content = (
            json.loads(
                raw,
                parse_constant=_refuse,
                parse_int=_integer,
                object_pairs_hook=_without_repetition,
            )
            if raw
            else {}
        )
    except (ValueError, RecursionError) as error:
        raise NotJson(f"The body is not JSON: {str(error)[:SHOWN]}") from error
    if not isinstance(content, dict):
        raise NotJson("The body is not a JSON object.")
    return content


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"an object has the key {_quoted(twice)} twice")
    return content


def _path_type(field: str) -> Any:
    return AccountId if field == "account_id" else name_type()


def query(request: Request, into: type[_Parsed]) -> _Parsed:
    """Return the query parameters, validated.

    Raises:
        Invalid: parameters are wrong, unknown or given twice; all of them named.
    """
    given = request.query_params
    names = list(given or ())
    errors = [
        FieldError(name, "given more than once")
        for name in names
        if given is not None and len(given.getlist(name)) > 1
    ]
    values = {name: given[name] for name in names} if given is not None else {}
    return _parsed(into, values, strict=False, errors=errors)


@cache
def _fields(struct: type[Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.name: field for field in msgspec.structs.fields(struct)}


def _parsed(
    into: type[_Parsed], values: Mapping[str, Any], strict: bool, errors: list[FieldError]
) -> _Parsed:
    fields = _fields(into)
    errors = list(errors)
    for name, field in fields.items():
        if name in values:
            kind = name_type() if name == "name" else field.type
            errors += [
                FieldError(name, error) for error in _value_errors(name, kind, values[name], strict)
            ]
        elif field.required:
            errors.append(FieldError(name, "missing"))
    errors += [FieldError(_shown(name), "unknown field") for name in values if name not in fields]
    if errors:
        raise Invalid(errors[:_ERRORS_TOLD])
    return msgspec.convert(values, into, strict=strict)


def _value_errors(name: str, kind: Any, value: Any, strict: bool) -> Iterator[str]:
    if name == "tags" and isinstance(value, dict):
        yield from _tag_errors(value)
        return
    if isinstance(value, str) and _has_control_characters(value):
        yield "has control characters"
        return
    if name == "parameters" and isinstance(value, dict) and any(_shown(k) != k for k in value):
        yield f"the names of parameters have at most {SHOWN} characters, each of them UTF-8"
        return
    try:
        msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        yield _said(error, kind if strict else given(kind))
        return
    if name == "cursor":
        yield from _cursor_errors(value)


def check_possible(path: Mapping[str, str], validated: Iterable[str]) -> None:
    """Check that an environment can have the name in a path, before anything is asked of AWS.

    Raises:
        NotFound: none can.
    """
    name = path.get("name")
    if name is None or "name" in validated:
        return
    if any(_value_errors("name", name_type(), name, strict=True)):
        raise NotFound(f"There is no environment {_quoted(name)}, and none can have that name.")


def _cursor_errors(text: str) -> Iterator[str]:
    try:
        read_cursor(text, Any)
    except Invalid as error:
        yield from (each.message for each in error.errors)


def _said(error: msgspec.ValidationError, kind: Any) -> str:
    """Say what is allowed, and where in the value the trouble is."""
    _, _, where = str(error).rstrip("`").partition(" - at `$")
    if _IN_LIST.fullmatch(where):
        return f"{where}: must be {allowed(element(kind))}"
    at = f"{where}: " if where and "[...]" not in where else ""
    return f"{at}must be {allowed(kind)}"


def _tag_errors(tags: dict[str, Any]) -> Iterator[str]:
    try:
        # Length and types as a whole; each tag by itself follows.
        msgspec.convert(dict.fromkeys(map(str, range(len(tags))), ""), cast("Any", Tags))
    except msgspec.ValidationError:
        yield "at most 48 tags are allowed"
    may_set = settings.current()
    seen: dict[str, str] = {}
    for key, value in tags.items():
        other = seen.setdefault(key.lower(), key)
        if other != key:
            yield f"{_quoted(key)} and {_quoted(other)} are one key to IAM, which ignores case"
        for part, kind in ((key, TagKey), (value, TagValue)):
            try:
                msgspec.convert(part, cast("Any", kind))
            except msgspec.ValidationError:
                yield f"{_quoted(key)}: must be {allowed(kind)}"
                continue
            if not _is_tag_text(part):
                yield f"{_quoted(key)}: {TAG_TEXT}"
        if not may_set.callers_may_tag(key):
            keys = ", ".join(may_set.tag_keys)
            yield f"{_quoted(key)}: callers may set these tag keys only: {keys}"


def _is_tag_text(text: str) -> bool:
    return all(
        character in "_.:/=+-@" or unicodedata.category(character)[0] in "LNZ" for character in text
    )


def _has_control_characters(text: str) -> bool:
    return any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


def _shown(name: str) -> str:
    """Return a name that a caller made up, fit for an answer: it may be no UTF-8, or endless."""
    return name[:SHOWN].encode(errors="backslashreplace").decode()


def _quoted(name: str) -> str:
    return repr(name[:SHOWN])


def _integer(text: str) -> float:
    # Python refuses to read very long ones, though they are JSON.
    return int(text) if len(text) < _LONG_INTEGER else float(text)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
