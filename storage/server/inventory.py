"""The generations that a server has: which are complete, and who builds the others.

A generation is two collections, and one of them may be missing: a run was killed after the first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from storage.errors import StorageError
from storage.generations import GenerationInfo
from storage.metadata import BLOCKS_SUFFIX, is_generation, made_at
from storage.server.aliases import structure_aliases
from storage.server.described import as_metadata, describe, exists, metadata_if_any
from storage.server.life import builder_of, is_dead

if TYPE_CHECKING:
    from storage.metadata import Metadata
    from storage.server.connection import Connection


def generation_names(connection: Connection, collection: str) -> list[str]:
    """Return the names of the collection's generations, oldest first."""
    return _names_among(_all_names(connection), collection)


def complete_generations(connection: Connection, collection: str) -> list[tuple[str, Metadata]]:
    """Return the names and metadata of the complete generations, oldest first."""
    found = []
    for name in generation_names(connection, collection):
        metadata = metadata_if_any(connection, name)
        if metadata is not None and metadata.complete:
            found.append((name, metadata))
    return found


def generations_of(connection: Connection, collection: str) -> list[GenerationInfo]:
    """Return the collection's generations, oldest first."""
    live, existing = structure_aliases(connection).get(collection), _all_names(connection)
    names = _names_among(existing, collection)
    return [_info(connection, collection, name, existing, live=name == live) for name in names]


def unfinished_generations(connection: Connection) -> list[GenerationInfo]:
    """Return the generations of any collection that runs build, or left when killed."""
    # Live ones are complete: they are not looked up, because a server may have hundreds.
    live, existing = set(structure_aliases(connection).values()), _all_names(connection)
    names = sorted({name.removesuffix(BLOCKS_SUFFIX) for name in existing} - live)
    owners = [(name.rpartition("--")[0], name) for name in names]
    infos = [
        _info(connection, collection, name, existing)
        for collection, name in owners
        if is_generation(name, collection)
    ]
    # One that says nothing of itself may be another program's, whatever its name looks like.
    return [info for info in infos if not info.complete and (info.metadata or info.builder)]


def _info(
    connection: Connection, collection: str, name: str, existing: set[str], *, live: bool = False
) -> GenerationInfo:
    """Return what a generation's collections, as far as they exist, say of it."""
    metadata, builder = None, None
    for part in (name, name + BLOCKS_SUFFIX):
        kept = _metadata_fields(connection, part) if part in existing else {}
        metadata, builder = metadata or as_metadata(kept), builder or builder_of(kept)
        if metadata is not None and metadata.complete:
            break
    info = GenerationInfo(collection, name, metadata, live, builder)
    return replace(info, dead=not info.complete and is_dead(collection, name, builder))


def _metadata_fields(connection: Connection, name: str) -> dict[str, Any]:
    """Return what the server keeps with the collection; nothing if it was removed meanwhile."""
    try:
        return describe(connection, name).config.metadata or {}
    except StorageError:
        if exists(connection, name):
            raise
        return {}


def _all_names(connection: Connection) -> set[str]:
    """Return the names of all collections of the server, of all programs."""
    found = connection.call("look up collections", connection.client.get_collections).collections
    return {entry.name for entry in found}


def _names_among(existing: set[str], collection: str) -> list[str]:
    """Return the names of the collection's generations, oldest first."""
    names = {name.removesuffix(BLOCKS_SUFFIX) for name in existing}
    return sorted(
        (name for name in names if is_generation(name, collection)),
        key=lambda name: made_at(name, collection),
    )
