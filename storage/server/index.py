"""Collections on a Qdrant server or cluster, by qdrant-client: a generation is two collections.

<collection>--<time>-<digest>            structures; its metadata is the generation's
<collection>--<time>-<digest>--blocks    blocks
<collection>, <collection>--blocks       aliases of the live generation, moved in one call
"""

from __future__ import annotations

import logging
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from storage.errors import IndexMismatch, StorageError
from storage.metadata import (
    BLOCKS_SUFFIX,
    generation_name,
    is_generation,
    made_at,
    require_own_names,
)
from storage.schema import BLOCKS, STRUCTURES
from storage.server.aliases import move_aliases, require_own_aliases, structure_aliases
from storage.server.create import create_collection
from storage.server.described import exists, metadata_if_any, metadata_of
from storage.server.generation import ServerGeneration
from storage.server.health import ask_health, check_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from storage.index import Generation, Health
    from storage.metadata import Metadata
    from storage.server.connection import Connection

logger = logging.getLogger(__name__)

_ABANDONED = timedelta(days=1)
"""Age from which an incomplete generation counts as a killed run's; a younger one may still be
building."""


class ServerIndex:
    """Collections on the server that `client` speaks to."""

    changes_in_place = True

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def location(self) -> str:
        """The server's URL without credentials."""
        return self._connection.location

    def collections(self) -> list[str]:
        """Return the names of the published collections that this project made, sorted."""
        return sorted(
            alias
            for alias, collection in structure_aliases(self._connection).items()
            if metadata_of(self._connection, collection) is not None
        )

    def live(self, collection: str) -> Generation | None:
        """Return the published generation, None if nothing is published under the name."""
        name = structure_aliases(self._connection).get(collection)
        if name is None:
            if exists(self._connection, collection):
                raise IndexMismatch(
                    f"{self._connection.location} has a collection {collection!r} "
                    "that lsif-ingest did not make. Choose another name: --set project.name=NAME"
                )
            return None
        metadata = metadata_of(self._connection, name)
        if metadata is None:
            raise IndexMismatch(
                f"alias {collection!r} on {self._connection.location} names collection {name!r}, "
                "which lsif-ingest did not make. Choose another name: --set project.name=NAME"
            )
        return ServerGeneration(self._connection, name, metadata)

    def state(self, collection: str) -> str | None:
        """Return the live generation's name and when it was last changed."""
        live = self.live(collection)
        return None if live is None else f"{live.name} {live.metadata.created}"

    def former(self, collection: str) -> Generation | None:
        """Return the newest complete generation before the live one, None if none was kept."""
        live = structure_aliases(self._connection).get(collection)
        for name, metadata in reversed(self._complete(collection)):
            if live is not None and made_at(name, collection) < made_at(live, collection):
                return ServerGeneration(self._connection, name, metadata)
        return None

    def kept(self, collection: str) -> list[Metadata]:
        """Return the metadata of all complete generations, the oldest first."""
        return [metadata for _, metadata in self._complete(collection)]

    @contextmanager
    def writing(self, collection: str) -> Iterator[None]:
        """Hold nothing: several runs may write at once.

        Each builds a generation of its own; the last to publish wins. Raises IndexMismatch if one
        of the collection's names is another's.
        """
        require_own_names(collection)
        require_own_aliases(self._connection, collection)
        yield

    def create(self, collection: str, metadata: Metadata) -> Generation:
        """Return a new, empty generation, not yet published.

        Remains of runs that were killed long ago are removed.
        """
        check_version(self._connection)
        self._drop_abandoned(collection)
        name = generation_name(collection, metadata, self._generations(collection))
        dimensions = {vector: info.dimension for vector, info in metadata.vectors.items()}
        try:
            create_collection(self._connection, name + BLOCKS_SUFFIX, dimensions, BLOCKS)
            create_collection(self._connection, name, dimensions, STRUCTURES, metadata)
        except BaseException:
            with suppress(StorageError):  # a failure here must not hide the one that led here
                self._delete(name)
            raise
        return ServerGeneration(self._connection, name, metadata, deferred=True)

    def copy(self, collection: str, generation: Generation) -> Generation:
        """Raise StorageError: generations on a server are changed in place."""
        raise StorageError(
            f"{collection}: {generation.name} can't be copied on {self._connection.location}."
        )

    def publish(self, collection: str, generation: Generation, *, keep: int = 1) -> None:
        """Make the generation the live one, atomically, and drop all older ones but `keep`."""
        move_aliases(self._connection, collection, generation.name)
        try:
            made = made_at(generation.name, collection)
            older = [
                name for name, _ in self._complete(collection) if made_at(name, collection) < made
            ]
            for name in older[: max(0, len(older) - keep)]:
                self._delete(name)
        except StorageError as exc:  # the new generation is live; the next run removes the rest
            logger.warning("could not remove what was live before: %s", exc)

    def drop(self, collection: str, generation: Generation) -> None:
        """Remove a generation that is not live."""
        if structure_aliases(self._connection).get(collection) != generation.name:
            self._delete(generation.name)

    def snapshot(self, generation: Generation) -> list[str]:
        """Have the server write snapshots; return their names, `<collection>/<snapshot>`."""
        found = []
        for name in (generation.name, generation.name + BLOCKS_SUFFIX):
            made = self._connection.call(
                f"snapshot {name}", self._connection.client.create_snapshot, name, wait=True
            )
            if made is not None:
                found.append(f"{name}/{made.name}")
        return found

    def health(self) -> Health:
        """Return the server's health."""
        return ask_health(self._connection)

    def half_built(self) -> list[str]:
        """Return the generations of any collection that were never completed."""
        existing = self._connection.call(
            "look up collections", self._connection.client.get_collections
        ).collections
        names = sorted({found.name.removesuffix(BLOCKS_SUFFIX) for found in existing})
        owners = [(name.rpartition("--")[0], name) for name in names]
        made = [
            (collection, name) for collection, name in owners if is_generation(name, collection)
        ]
        return [
            abandoned
            for collection, name in made
            for abandoned in self._abandoned(collection, [name])
        ]

    def close(self) -> None:
        """Close the connection."""
        self._connection.client.close()

    def _drop_abandoned(self, collection: str) -> None:
        """Remove generations that were never completed."""
        for name in self._abandoned(collection, self._generations(collection)):
            logger.warning("removing %s, which a run that was killed left behind", name)
            self._delete(name)

    def _abandoned(self, collection: str, names: Iterable[str]) -> Iterator[str]:
        """Yield those of the collection's generations that were never completed."""
        live = structure_aliases(self._connection).get(collection)
        for name in names:
            if name == live or datetime.now(UTC) - made_at(name, collection) < _ABANDONED:
                continue
            metadata = metadata_if_any(self._connection, name)
            if metadata is None or not metadata.complete:
                yield name

    def _generations(self, collection: str) -> list[str]:
        """Return the names of the collection's generations, oldest first.

        One may lack one of its two collections.
        """
        found = self._connection.call(
            "look up collections", self._connection.client.get_collections
        ).collections
        names = {entry.name.removesuffix(BLOCKS_SUFFIX) for entry in found}
        return sorted(
            (name for name in names if is_generation(name, collection)),
            key=lambda name: made_at(name, collection),
        )

    def _complete(self, collection: str) -> list[tuple[str, Metadata]]:
        """Return the complete generations, oldest first."""
        found = []
        for name in self._generations(collection):
            metadata = metadata_if_any(self._connection, name)
            if metadata is not None and metadata.complete:
                found.append((name, metadata))
        return found

    def _delete(self, name: str) -> None:
        delete = self._connection.client.delete_collection
        for collection in (name, name + BLOCKS_SUFFIX):
            self._connection.call(f"delete {collection}", delete, collection)
