"""What a collection holds and what it says of itself."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA_VERSION = 3
"""Of the payload and the sparse vector. A search or a build refuses a collection of another version."""

SPARSE = "bm25"
"""The named sparse vector of each structure's point; see storage.sparse."""

KEYWORD_FIELDS = (
    "code_type",
    "crate",
    "context.module",
    "context.file_path",
    "context.struct_name",
    "trait_name",
    "visibility",
    "paths",
)
"""Payload fields of structures that are filtered on by equality; indexed when the collection is made."""

BOOL_FIELDS = ("is_test",)
INTEGER_FIELDS = ("references",)
BLOCK_KEYWORD_FIELDS = (
    "structure_id",
    "code_type",
    "crate",
    "module",
    "struct_name",
    "trait_name",
    "visibility",
    "paths",
)

PLACE = "place"
"""Payload field: what may change without another vector, the lines and the counts of references, as one string."""

PATHS = "paths"
"""Payload field: the folders that the file is in, and the file itself: `src`, `src/a`, `src/a/b.rs`."""

ADDED_FIELDS = (PLACE, PATHS)
"""Fields of a payload that are none of the record's."""

MOVING_FIELDS = ("line", "line_from", "line_to", "references", "referencing_files")
"""What a structure's digest leaves out, and PLACE is made of."""

BLOCK_MOVING_FIELDS = ("line_from", "line_to")


def add_fields(payload: dict[str, Any], file_path: str, place: str) -> dict[str, Any]:
    """Return the payload with ADDED_FIELDS."""
    parts = file_path.split("/")
    return {
        **payload,
        PLACE: place,
        PATHS: ["/".join(parts[: depth + 1]) for depth in range(len(parts))],
    }


def place_of(moving: list[int]) -> str:
    """Return the values of the moving fields as one string."""
    return ",".join(map(str, moving))


def label_of(payload: dict[str, Any]) -> str:
    """Return what people call the structure or block of this payload."""
    if "symbol" in payload:
        return f"{payload['code_type']} {payload['symbol']} ({payload['context']['file_path']}:{payload['line']})"
    return f"{payload['kind']} ({payload['file_path']}:{payload['line_from']})"


def without_added(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the record: the payload without ADDED_FIELDS."""
    return {key: value for key, value in payload.items() if key not in ADDED_FIELDS}


@dataclass(frozen=True, slots=True)
class VectorInfo:
    """One named vector of a collection."""

    dimension: int
    fingerprint: str
    """Digest of what decides its vectors."""
    description: str
    """The same in words."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a generation says of itself; kept by Qdrant beside the points."""

    project: str
    source: str
    """What the project was indexed from: tells two repositories of one name apart, not two checkouts of one repository."""
    commit: str | None
    """Of the repository; None where it is no git repository."""
    dirty: bool
    """Whether the repository had changes that are not committed."""
    created: str
    """When it was brought to this state; ISO 8601, UTC."""
    vectors: dict[str, VectorInfo]
    """Those of structures; blocks have `code` alone."""
    branch: str = ""
    structures: int = 0
    """Points, once it is complete."""
    blocks: int = 0
    complete: bool = False
    """Whether it was verified; what is not, and not live either, a killed run left behind."""
    schema_version: int = SCHEMA_VERSION

    @property
    def points(self) -> int:
        """Points of both kinds."""
        return self.structures + self.blocks

    def to_dict(self) -> dict[str, Any]:
        """Return the metadata as plain data."""
        return asdict(self)


_TIME = "%Y%m%dT%H%M%S%f"
_NEVER = datetime.min.replace(tzinfo=UTC)


def generation_name(collection: str, metadata: Metadata, others: Iterable[str]) -> str:
    """Return a name for a new generation of the collection: `<collection>--<time>-<digest of what it says of itself>`.

    Its time is later than those of `others`, the generations that are there, though the clock was put back: by the times they are
    pruned and rolled back.
    """
    digest = hashlib.blake2b(orjson.dumps(metadata.to_dict()), digest_size=4).hexdigest()
    newest = max((made_at(name, collection) for name in others), default=_NEVER)
    return f"{collection}--{max(datetime.now(UTC), newest + timedelta(microseconds=1)):{_TIME}}-{digest}"


def made_at(name: str, collection: str) -> datetime:
    """Return when the generation of that name was made; the year 1 where the name is not that of one of the collection's."""
    prefix = f"{collection}--"
    try:
        return (
            datetime.strptime(name.removeprefix(prefix).partition("-")[0], _TIME).replace(
                tzinfo=UTC
            )
            if name.startswith(prefix)
            else _NEVER
        )
    except ValueError:
        return _NEVER


def read_metadata(fields: dict[str, Any]) -> Metadata:
    """Return the metadata that `to_dict` gave. Raises TypeError or KeyError where the fields are another thing's."""
    vectors = {name: VectorInfo(**info) for name, info in fields["vectors"].items()}
    return Metadata(**{**fields, "vectors": vectors})
