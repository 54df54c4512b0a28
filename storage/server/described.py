"""What a collection on a Qdrant server says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from storage.metadata import read_metadata

if TYPE_CHECKING:
    from qdrant_client import models

    from storage.metadata import Metadata
    from storage.server.connection import Connection

METADATA_KEY = "lsif_ingest"
"""Key of the generation's metadata in that of the structures' collection."""
WORDS_KEY = "lsif_ingest_words"
"""Key of the counts of words in the metadata of the blocks' collection."""


def exists(connection: Connection, name: str) -> bool:
    """Return whether the server has a collection of this name."""
    return connection.call("look up collections", connection.client.collection_exists, name)


def describe(connection: Connection, name: str) -> models.CollectionInfo:
    """Return what the server says of the collection."""
    return connection.call(f"look up {name}", connection.client.get_collection, name)


def metadata_of(connection: Connection, name: str) -> Metadata | None:
    """Return the generation's metadata; None if lsif-ingest did not make the collection."""
    return as_metadata(describe(connection, name).config.metadata)


def metadata_if_any(connection: Connection, name: str) -> Metadata | None:
    """Return the same; None, too, if there is no such collection."""
    return metadata_of(connection, name) if exists(connection, name) else None


def as_metadata(kept: dict[str, Any] | None) -> Metadata | None:
    """Return the generation's metadata out of what the server keeps with its collection."""
    found = (kept or {}).get(METADATA_KEY)
    try:
        return read_metadata(found) if isinstance(found, dict) else None
    except (KeyError, TypeError):
        return None
