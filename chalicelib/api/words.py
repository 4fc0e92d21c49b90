"""What a field may hold, in words: for the messages of a 422."""

from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from msgspec import Meta, UnsetType

_PLAIN = {
    bool: "true or false",
    str: "a text",
    int: "a whole number",
    float: "a number",
    NoneType: "null",
}


def allowed(kind: Any) -> str:
    """Return what a value of this type is, such as `a whole number from 1 to 100`."""
    origin = get_origin(kind)
    if origin is Annotated:
        base, *metas = get_args(kind)
        return _limited(base, metas)
    if origin is Literal:
        return f"one of: {', '.join(str(each) for each in get_args(kind))}"
    if origin in (Union, UnionType):
        parts = [each for each in get_args(kind) if each is not UnsetType]
        return " or ".join(allowed(each) for each in parts)
    if origin is list:
        return f"a list, each element {allowed(get_args(kind)[0])}"
    if origin is dict:
        return f"an object, each value {allowed(get_args(kind)[1])}"
    return _PLAIN.get(kind, "an object")


def element(kind: Any) -> Any:
    """Return the type of a list's elements; of what is no list, the type itself."""
    parts = [each for each in get_args(kind) if get_origin(each) is not None]
    if get_origin(kind) is list:
        return get_args(kind)[0]
    return element(parts[0]) if parts else kind


def given(kind: Any) -> Any:
    """Return what a query parameter can be sent as: its type may be another or `None`."""
    parts = [each for each in get_args(kind) if each is not NoneType]
    return parts[0] if get_origin(kind) in (Union, UnionType) else kind


def _limited(base: Any, metas: list[Meta]) -> str:
    said = allowed(base)
    for meta in metas:
        if meta.pattern is not None and meta.description:
            said = meta.description
        elif meta.ge is not None and meta.le is not None:
            said += f" from {meta.ge:g} to {meta.le:g}"
        elif meta.description and base is str:
            said = meta.description
        if meta.max_length is not None and meta.max_length <= _WORTH_SAYING:
            said += f", {_length(base, meta)}"
    return said


_WORTH_SAYING = 2_048


def _length(base: Any, meta: Meta) -> str:
    what = "characters" if base is str else "elements"
    if meta.min_length:
        return f"{meta.min_length} to {meta.max_length} {what}"
    return f"at most {meta.max_length} {what}"
