"""What a collection holds and what it says of itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

SCHEMA_VERSION = 1
"""Of the payload. A search or a build refuses a collection of another version."""

KEYWORD_FIELDS = (
    "code_type",
    "crate",
    "context.module",
    "context.file_path",
    "context.struct_name",
    "trait_name",
    "visibility",
)
"""Payload fields that are filtered on by equality; indexed when the collection is made."""

BOOL_FIELDS = ("is_test",)


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
    """What a collection says of itself; kept by Qdrant beside the points."""

    project: str
    source: str
    """What the project was indexed from: tells two repositories of one name apart, not two checkouts of one repository."""
    commit: str | None
    """Of the repository; None where it is no git repository."""
    dirty: bool
    """Whether the repository had changes that are not committed."""
    created: str
    """ISO 8601, UTC."""
    vectors: dict[str, VectorInfo]
    schema_version: int = SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Return the metadata as plain data."""
        return asdict(self)


def read_metadata(fields: dict[str, Any]) -> Metadata:
    """Return the metadata that `to_dict` gave. Raises TypeError or KeyError where the fields are another thing's."""
    vectors = {name: VectorInfo(**info) for name, info in fields["vectors"].items()}
    return Metadata(**{**fields, "vectors": vectors})
