"""How records are stored: the payload of a point, and which of its fields are indexed.

This is the only module that knows payloads. A new field of a record is stored, exported and read
back without a change here; to filter by it, add it to KEYWORD_FIELDS, BOOL_FIELDS or
INTEGER_FIELDS. Indexes that were made before get the payload index in their next run.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeAlias, TypeVar

from lsif.blocks import Block
from lsif.record import JsonLine, Record, keys_of
from lsif.structure import Structure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SCHEMA_VERSION = 3
"""Version of the payload and the sparse vector. Searches and builds reject collections of another
version."""

VECTORS = ("text", "code")
"""The named dense vectors of each structure's point."""

BLOCK_VECTORS = ("code",)
"""The named dense vectors of each block's point."""

SPARSE = "bm25"
"""The named sparse vector of each structure's point; see storage.sparse."""

KEYWORD_FIELDS = (
    "name",
    "code_type",
    "crate",
    "context.module",
    "context.file_path",
    "context.struct_name",
    "trait_name",
    "visibility",
    "origin",
    "paths",
    "refers_to",
    "uses",
    "may_refer_to",
    "implements",
)
"""Payload fields of structures that searches filter by equality; they are indexed. Of a list one
value must be equal."""

BOOL_FIELDS = ("is_test", "generated")
"""Of structures and blocks."""
INTEGER_FIELDS = ("references",)
BLOCK_KEYWORD_FIELDS = (
    "structure_id",
    "code_type",
    "crate",
    "module",
    "struct_name",
    "trait_name",
    "visibility",
    "origin",
    "paths",
)

PLACE = "place"
"""Payload field: the values of the moving fields as one string, to compare points with records.
Those that an index without references lacks are in it as a digest, and not at all if all are empty
or 0."""

PATHS = "paths"
"""Payload field: the file and the folders it is in: `src`, `src/a`, `src/a/b.rs`."""

_DIGEST = "digest"
_ADDED_FIELDS = (PLACE, PATHS)
"""Payload fields that are not the record's."""


R = TypeVar("R", bound=Record)
IndexType: TypeAlias = Literal["keyword", "bool", "integer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[R]):
    """How the records of one kind are stored."""

    vectors: tuple[str, ...]
    """Names of the dense vectors."""
    has_sparse: bool
    """Whether a point has the vector SPARSE."""
    indexes: Mapping[str, IndexType]
    """The payload fields that searches filter by, with the types of their payload indexes."""
    moving_fields: tuple[str, ...]
    """Fields that may change without another vector: lines, references, origin."""
    payload: Callable[[R], dict[str, Any]]
    record: Callable[[Mapping[str, Any]], R]
    """The record of a payload. Raises TypeError or KeyError if there is none in it."""
    place: Callable[[R], str]
    """The values of the moving fields as one string."""
    label: Callable[[R], str]
    """What people call the record."""


def structure_payload(structure: Structure) -> dict[str, Any]:
    """Return the payload of a structure's point."""
    payload = _plain(structure)
    return _with_added(payload, structure.context.file_path, structure_place(structure))


def structure_of(payload: Mapping[str, Any]) -> Structure:
    """Return the structure of a point; fields that an older payload lacks have their defaults."""
    return Structure.from_dict(_without_added(payload))


def structure_label(structure: Structure) -> str:
    """Return what people call a structure."""
    path = structure.context.file_path
    return f"{structure.code_type} {structure.symbol} ({path}:{structure.line})"


def block_payload(block: Block) -> dict[str, Any]:
    """Return the payload of a block's point; its digest is stored, to compare it with records."""
    payload = {**_plain(block), _DIGEST: block.digest}
    return _with_added(payload, block.file_path, block_place(block))


def block_of(payload: Mapping[str, Any]) -> Block:
    """Return the block of a point; fields that an older payload lacks have their defaults."""
    fields = _without_added(payload)
    fields.pop(_DIGEST, None)
    return Block.from_dict(fields)


def block_label(block: Block) -> str:
    """Return what people call a block."""
    return f"{block.kind} ({block.file_path}:{block.line_from})"


def label_of(record: Structure | Block) -> str:
    """Return what people call the record."""
    return structure_label(record) if isinstance(record, Structure) else block_label(record)


# qdrant-edge-py 0.9.0 takes a boolean for an integer in MatchValue, so that it matches no boolean.
# The embedded index keeps a keyword field of the same meaning beside each boolean field, indexes
# that one, and filters by it.


def shadow_of(field: str) -> str:
    """Return the name of the keyword field beside a boolean field."""
    return f"_{field}"


def with_shadows(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the payload with a keyword field beside each boolean field that can be filtered by."""
    shadows = {shadow_of(name): str(payload[name]) for name in BOOL_FIELDS if name in payload}
    return {**payload, **shadows} if shadows else payload


_NOT_OF_RECORDS = frozenset((*_ADDED_FIELDS, *map(shadow_of, BOOL_FIELDS)))


def payload_bytes(payload: Mapping[str, Any]) -> int:
    """Return about how many bytes the payload takes as JSON; not less than its text does."""
    size = 32 * len(payload)
    for value in payload.values():
        kind = value.__class__
        if kind is str:
            size += len(value) if value.isascii() else 4 * len(value)
        elif kind is dict:
            size += payload_bytes(value)
        elif kind is list:
            size += 4 * len(str(value))
    return size


class _Fields(NamedTuple):
    """How a record's fields become plain data."""

    names: tuple[str, ...]
    values: Callable[[Any], tuple[Any, ...]]
    nested: tuple[str, ...]
    """Fields that are records themselves."""
    lists: tuple[str, ...]


def _fields_of(record: type) -> _Fields:
    keys = keys_of(record)
    names = tuple(key.name for key in keys)
    nested = tuple(key.name for key in keys if issubclass(key.kind, JsonLine))
    lists = tuple(key.name for key in keys if key.kind is tuple)
    return _Fields(names, attrgetter(*names), nested, lists)


_FIELDS: dict[type, _Fields] = {}
"""By the record's class."""


def _plain(record: JsonLine) -> dict[str, Any]:
    """Return the record's fields as plain data, in their order."""
    fields = _FIELDS.get(type(record))
    if fields is None:
        fields = _FIELDS[type(record)] = _fields_of(type(record))
    payload = dict(zip(fields.names, fields.values(record), strict=True))
    for name in fields.nested:
        payload[name] = _plain(payload[name])
    for name in fields.lists:
        payload[name] = list(payload[name])
    return payload


def _with_added(payload: dict[str, Any], file_path: str, place: str) -> dict[str, Any]:
    payload[PLACE] = place
    payload[PATHS] = list(_paths_of(file_path))
    return payload


@lru_cache(maxsize=1024)
def _paths_of(file_path: str) -> tuple[str, ...]:
    """Return the folders that the file is in, and the file itself; few files recur at a time."""
    parts = file_path.split("/")
    return tuple("/".join(parts[: depth + 1]) for depth in range(len(parts)))


def _without_added(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if name not in _NOT_OF_RECORDS}


def _moving(record: type) -> tuple[str, ...]:
    """Return the fields that are not part of a record's digest, but for its id and the digest."""
    keys = keys_of(record)
    return tuple(key.name for key in keys if not key.in_digest and key.name not in ("id", _DIGEST))


_MOVING, _BLOCK_MOVING = _moving(Structure), _moving(Block)
_LINKED = ("refers_to", "uses", "uses_called", "may_refer_to", "implements", "tested_by")
"""Moving fields of structures that an index without references lacks."""
_PLACED = attrgetter(*(name for name in _MOVING if name not in _LINKED))
_LINKED_VALUES, _BLOCK_PLACED = attrgetter(*_LINKED), attrgetter(*_BLOCK_MOVING)


def structure_place(structure: Structure) -> str:
    """Return the values of a structure's moving fields as one string; see PLACE."""
    plain, linked = _joined(_PLACED(structure)), _LINKED_VALUES(structure)
    if not any(linked):
        return plain
    return f"{plain},{hashlib.blake2b(repr(linked).encode(), digest_size=8).hexdigest()}"


def block_place(block: Block) -> str:
    """Return the values of a block's moving fields as one string."""
    return _joined(_BLOCK_PLACED(block))


def _joined(values: tuple[Any, ...]) -> str:
    return ",".join(map(str, values))


def _indexes(
    keywords: tuple[str, ...], bools: tuple[str, ...], integers: tuple[str, ...] = ()
) -> dict[str, IndexType]:
    indexes: dict[str, IndexType] = dict.fromkeys(keywords, "keyword")
    return indexes | dict.fromkeys(bools, "bool") | dict.fromkeys(integers, "integer")


STRUCTURES = Kind(
    vectors=VECTORS,
    has_sparse=True,
    indexes=_indexes(KEYWORD_FIELDS, BOOL_FIELDS, INTEGER_FIELDS),
    moving_fields=_MOVING,
    payload=structure_payload,
    record=structure_of,
    place=structure_place,
    label=structure_label,
)
BLOCKS = Kind(
    vectors=BLOCK_VECTORS,
    has_sparse=False,
    indexes=_indexes(BLOCK_KEYWORD_FIELDS, BOOL_FIELDS),
    moving_fields=_BLOCK_MOVING,
    payload=block_payload,
    record=block_of,
    place=block_place,
    label=block_label,
)
