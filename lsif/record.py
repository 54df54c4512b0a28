"""The base of structures and blocks: dataclasses whose fields are the keys of one line of JSON.

Names, types and defaults of the keys are read off the dataclass, once for each class. Nothing else
lists them, so a new field is one line in its class.
"""

from __future__ import annotations

import dataclasses
import hashlib
from functools import cache
from types import NoneType
from typing import (
    TYPE_CHECKING,
    Any,
    NamedTuple,
    Protocol,
    Self,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OUTSIDE_DIGEST = {"digest": False}
"""Metadata of a field that can change while vectors and search results stay the same."""


class Record(Protocol):
    """What has an identity and a content: a structure or a block."""

    @property
    def id(self) -> str:
        """UUID."""

    @property
    def digest(self) -> str:
        """Of what is embedded and shown."""


T = TypeVar("T")
R = TypeVar("R", bound=Record)


def _once(function: Callable[[type], T]) -> Callable[[type], T]:
    """Return the function, called once for each class; mypy takes classes for unhashable."""
    return cache(function)


class Key(NamedTuple):
    """One key of a record, as its dataclass declares it."""

    name: str
    kind: type
    """`str`, `int`, `bool`, the dataclass of a nested object, or `tuple` for a list of strings."""
    default: object
    """`dataclasses.MISSING` if the key is required."""
    in_digest: bool

    @property
    def required(self) -> bool:
        """Whether a record without the key is an error."""
        return self.default is dataclasses.MISSING


@_once
def keys_of(record: type) -> tuple[Key, ...]:
    """Return the keys of a dataclass in the order of its fields.

    >>> from lsif.structure import Context
    >>> [key.name for key in keys_of(Context) if not key.required]
    ['file_name', 'struct_name']
    """
    hints = get_type_hints(record)
    return tuple(
        Key(
            field.name,
            _kind(hints[field.name]),
            field.default,
            field.metadata.get("digest", True),
        )
        for field in dataclasses.fields(record)
    )


def _kind(hint: Any) -> type:
    """Return the type of a key's values that are not null."""
    if get_origin(hint) is tuple:
        return tuple
    kinds = [kind for kind in get_args(hint) if kind is not NoneType] or [hint]
    if len(kinds) != 1 or not isinstance(kinds[0], type):
        raise TypeError(
            f"a record's field is a tuple, one plain type, or that or None; found {hint}"
        )
    return kinds[0]


class JsonLine:
    """A dataclass that is one line of JSON: keys in the order of its fields."""

    __slots__ = ()

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return the record of plain JSON fields; keys that have a default may be absent.

        Values are not checked. Raises TypeError if a key is unknown or a required one is missing.
        """
        made = {name: make(fields[name]) for name, make in _made(cls) if name in fields}
        return cls(**{**fields, **made})

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain JSON fields."""
        fields: dict[str, Any] = orjson.loads(orjson.dumps(self))
        return fields

    def to_json(self) -> bytes:
        """Return the record as one line of JSON, newline included."""
        return orjson.dumps(self, option=orjson.OPT_APPEND_NEWLINE)


@_once
def _made(record: type) -> tuple[tuple[str, Callable[[Any], object]], ...]:
    """Return the keys that hold an object or a list, and what makes a field of it."""
    return tuple(
        (key.name, key.kind.from_dict if issubclass(key.kind, JsonLine) else key.kind)
        for key in keys_of(record)
        if issubclass(key.kind, (JsonLine, tuple))
    )


@_once
def _digest_names(record: type) -> tuple[str, ...]:
    return tuple(key.name for key in keys_of(record) if key.in_digest)


def digest_of(record: JsonLine) -> str:
    """Return the digest (32 hex digits) of the record's fields that are not OUTSIDE_DIGEST."""
    fields = {name: getattr(record, name) for name in _digest_names(type(record))}
    return hashlib.blake2b(orjson.dumps(fields), digest_size=16).hexdigest()


def uuid5(namespace: bytes, name: str) -> str:
    """Return what `str(uuid.uuid5(UUID(bytes=namespace), name))` does, in a third of the time."""
    digest = bytearray(hashlib.sha1(namespace + name.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    return uuid_text(digest)


def uuid_text(number: bytes | bytearray) -> str:
    """Return the UUID of 16 bytes as text, sooner than `str(uuid.UUID(bytes=number))` does."""
    text = number.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
