"""Values as they stand in rows: keys, packed documents, and cursors of pages."""

import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, TypeVar

import msgspec

from chalicelib.errors import FieldError, Invalid, Unreadable
from chalicelib.table.sending import Item

T = TypeVar("T")

MOST_BYTES = 4_000_000
"""Bytes of JSON on one page: Lambda answers with at most 6 MB, the API's escaping included."""

_MOST_UNPACKED = 20_000_000
"""Bytes: more was not written by Trivet."""

LAST = "\uffff"
"""Sorts behind every name, id and time."""


def key(pk: str, sk: str) -> Item:
    """Return the key of a row."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def environment_pk(home_account_id: str, account_id: str) -> str:
    """Return the key under which an account's environments stand: home's as 1.0 wrote them."""
    return "environment" if account_id == home_account_id else f"environment#{account_id}"


def packed(value: Any) -> Item:
    """Return a value as JSON, compressed: a row holds 400 KB, and policies repeat much."""
    return {"B": zlib.compress(msgspec.json.encode(value))}


def unpacked(item: Item, attribute: str, type_: type[T]) -> T:
    """Return a packed value.

    Raises:
        Unreadable: it is not there, or says something else.
    """
    try:
        reader = zlib.decompressobj()
        return msgspec.json.decode(
            reader.decompress(item[attribute]["B"], _MOST_UNPACKED), type=type_
        )
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise unreadable(item, str(error)) from error


def unreadable(item: Item, reason: str) -> Unreadable:
    """Return the error of a row that does not say what it should."""
    pk, sk = (item.get(each, {}).get("S", "?") for each in ("pk", "sk"))
    return Unreadable(
        f"The row {pk} / {sk} of the table cannot be read: {reason}. Put it right or delete it; "
        "all others are as they were.",
        name=sk,
    )


def cursor_of(value: Any) -> str:
    """Return where the next page starts, as a string that callers hand back."""
    return urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")


def read_cursor(text: str, type_: type[T]) -> T:
    """Return what `cursor_of` was given.

    Raises:
        Invalid: this is none of ours.
    """
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        value = msgspec.json.decode(raw, type=type_)
    except ValueError as error:
        raise _no_cursor() from error
    if cursor_of(value) != text:
        raise _no_cursor()
    return value


def _no_cursor() -> Invalid:
    return Invalid([FieldError("cursor", "not a next_cursor of this API")])
