"""The aliases of a Qdrant server: what they name, and whose they are.

<collection> names the live generation's structures, <collection>--blocks its blocks. Any other
program, and any other project, may have an alias or a collection of these names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qdrant_client import models
from qdrant_client.http.exceptions import UnexpectedResponse

from configs.workspace import collection_name
from storage.errors import IndexMismatch
from storage.metadata import BLOCKS_SUFFIX, is_generation
from storage.server.described import exists, metadata_if_any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from storage.server.connection import Connection


def all_aliases(connection: Connection) -> dict[str, str]:
    """Return the collections by their aliases, of all programs."""
    found = connection.call("look up aliases", connection.client.get_aliases).aliases
    return {alias.alias_name: alias.collection_name for alias in found}


def structure_aliases(connection: Connection) -> dict[str, str]:
    """Return the collections by their aliases, without those of blocks."""
    return {
        alias: name
        for alias, name in all_aliases(connection).items()
        if not alias.endswith(BLOCKS_SUFFIX)
    }


def require_own_aliases(connection: Connection, collection: str) -> None:
    """Raise IndexMismatch if another project or program has one of the collection's names."""
    _require_own(connection, collection, all_aliases(connection))


def move_aliases(connection: Connection, collection: str, generation: str) -> str | None:
    """Let the collection's aliases name the generation, both in one call; return the former one.

    Raises IndexMismatch if one of them has become another's since the run began.
    """
    former = all_aliases(connection)
    _require_own(connection, collection, former)
    changes = list[Any]()
    for suffix in ("", BLOCKS_SUFFIX):
        alias, name = collection + suffix, generation + suffix
        if former.get(alias) == name or (suffix and not exists(connection, name)):
            continue
        if alias in former:
            delete = models.DeleteAlias(alias_name=alias)
            changes.append(models.DeleteAliasOperation(delete_alias=delete))
        create = models.CreateAlias(collection_name=name, alias_name=alias)
        changes.append(models.CreateAliasOperation(create_alias=create))
    if changes:
        connection.call(
            f"publish {generation}", _change, connection, changes, collection, generation
        )
    return former.get(collection)


def _change(connection: Connection, changes: list[Any], collection: str, generation: str) -> None:
    try:
        connection.client.update_collection_aliases(changes)
    except UnexpectedResponse:
        # If the alias is there, only the answer to an earlier try was lost.
        if all_aliases(connection).get(collection) != generation:
            raise


def _require_own(connection: Connection, collection: str, aliases: Mapping[str, str]) -> None:
    for suffix in ("", BLOCKS_SUFFIX):
        name = collection + suffix
        named = aliases.get(name)
        if named is not None:
            if _is_own(connection, collection, named, suffix):
                continue
            found, owner = f"an alias {name!r} of collection {named!r}", _owner(connection, named)
        elif exists(connection, name):
            found, owner = f"a collection {name!r}", ""
        else:
            continue
        whose = f" but of the index {owner!r}" if owner else ""
        raise IndexMismatch(
            f"{connection.location} has {found}, which is not of the index {collection!r}{whose}. "
            "Choose another name: --project NAME or --branch NAME"
        )


def _is_own(connection: Connection, collection: str, named: str, suffix: str) -> bool:
    """Return whether a generation of the collection has the name, or says that it is of it."""
    if named.endswith(suffix) and is_generation(named.removesuffix(suffix), collection):
        return True
    # A snapshot may have been restored under another name.
    return not suffix and _owner(connection, named) == collection


def _owner(connection: Connection, named: str) -> str:
    """Return the index that the collection is of; empty if lsif-ingest did not make it."""
    # The structures' collection has the metadata of both.
    metadata = metadata_if_any(connection, named.removesuffix(BLOCKS_SUFFIX))
    return collection_name(metadata.project, metadata.branch) if metadata is not None else ""
