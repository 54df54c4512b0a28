"""Collections on a Qdrant server or cluster, by qdrant-client: a generation is two collections.

<collection>--<time>-<digest>            structures; its metadata is the generation's
<collection>--<time>-<digest>--blocks    blocks
<collection>, <collection>--blocks       aliases of the live generation, moved in one call
"""

from __future__ import annotations

import logging
import uuid
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from storage.errors import IndexMismatch, IndexMissing, StorageError
from storage.generations import outdated
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
from storage.server.described import METADATA_KEY, describe, exists, metadata_if_any, metadata_of
from storage.server.generation import ServerGeneration
from storage.server.health import ask_health, check_version
from storage.server.inventory import (
    complete_generations,
    generation_names,
    generations_of,
    unfinished_generations,
)
from storage.server.life import Heartbeat, builder_fields
from storage.server.limits import restriction, why_unusable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storage.generations import Builder, GenerationInfo
    from storage.index import Generation, Health
    from storage.metadata import Metadata
    from storage.server.connection import Connection

logger = logging.getLogger(__name__)


class ServerIndex:
    """Collections on the server that `client` speaks to."""

    changes_in_place = True

    def __init__(self, connection: Connection, builder: Builder | None = None) -> None:
        self._connection = connection
        self._builder = builder
        """This process, if its data folder is known."""
        self._heartbeats: dict[str, Heartbeat] = {}
        """By the name of the generation that is being built."""

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
                    "that lsif-ingest did not make. Choose another name: --project NAME"
                )
            return None
        metadata = metadata_of(self._connection, name)
        if metadata is None:
            raise IndexMismatch(
                f"alias {collection!r} on {self._connection.location} names collection {name!r}, "
                "which lsif-ingest did not make. Choose another name: --project NAME"
            )
        return ServerGeneration(self._connection, name, metadata)

    def state(self, collection: str) -> str | None:
        """Return the live generation's name and when it was last changed."""
        live = self.live(collection)
        return None if live is None else f"{live.name} {live.metadata.created}"

    def former(self, collection: str) -> Generation | None:
        """Return the newest complete generation before the live one, None if none was kept."""
        live = structure_aliases(self._connection).get(collection)
        for name, metadata in reversed(complete_generations(self._connection, collection)):
            if live is not None and made_at(name, collection) < made_at(live, collection):
                return ServerGeneration(self._connection, name, metadata)
        return None

    @contextmanager
    def writing(self, collection: str) -> Iterator[None]:
        """Hold nothing: several runs may write at once.

        Each builds a generation of its own; the last to publish wins. Raises IndexMismatch if one
        of the collection's names is another's, KeyRejected if the API key may not write.
        """
        require_own_names(collection)
        require_own_aliases(self._connection, collection)
        self._require_right_to_write()
        yield

    def create(self, collection: str, metadata: Metadata) -> Generation:
        """Return a new, empty generation, not yet published. It gives signs of life."""
        check_version(self._connection)
        others = generation_names(self._connection, collection)
        name = generation_name(collection, metadata, others)
        dimensions = {vector: info.dimension for vector, info in metadata.vectors.items()}
        try:
            fields = builder_fields(self._builder)
            create_collection(self._connection, name + BLOCKS_SUFFIX, dimensions, BLOCKS, fields)
            fields = {METADATA_KEY: metadata.to_dict(), **fields}
            create_collection(
                self._connection,
                name,
                dimensions,
                STRUCTURES,
                fields,
                weighs_words=not metadata.word_counts,
            )
        except BaseException:
            with suppress(StorageError):  # a failure here must not hide the one that led here
                self._delete(name)
            raise
        if self._builder is not None:
            self._heartbeats[name] = Heartbeat(self._connection, name, self._builder)
        return ServerGeneration(self._connection, name, metadata, deferred=True)

    def copy(self, collection: str, generation: Generation) -> Generation:
        """Raise StorageError: generations on a server are changed in place."""
        raise StorageError(
            f"{collection}: {generation.name} can't be copied on {self._connection.location}."
        )

    def publish(self, collection: str, generation: Generation, *, keep: int = 1) -> None:
        """Make the generation the live one, atomically, and drop all older ones but `keep`."""
        self._end_heartbeat(generation.name)
        former = move_aliases(self._connection, collection, generation.name)
        try:
            made = made_at(generation.name, collection)
            complete = complete_generations(self._connection, collection)
            older = [name for name, _ in complete if made_at(name, collection) < made]
            for name in outdated(older, keep, former):
                self._delete(name)
        except StorageError as exc:  # the new generation is live; the next run removes the rest
            logger.warning("could not remove what was live before: %s", exc)

    def drop(self, collection: str, generation: Generation) -> None:
        """Remove a generation that is not live."""
        self._end_heartbeat(generation.name)
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

    def restriction(self, collection: str, candidates: int) -> str:
        """Return what strict mode keeps searches from. Raises IndexMismatch if no run can end."""
        name = structure_aliases(self._connection).get(collection)
        if name is None:
            return ""
        found = describe(self._connection, name)
        strict = found.config.strict_mode_config
        if why := why_unusable(strict, len(STRUCTURES.indexes), found.points_count or 0):
            raise IndexMismatch(
                f"collection {name!r} on {self.location}: {why}. Change it on the server, "
                "or use another: QDRANT_URL"
            )
        return restriction(strict, candidates)

    def generations(self, collection: str) -> list[GenerationInfo]:
        """Return the collection's generations, oldest first."""
        return generations_of(self._connection, collection)

    def open(self, collection: str, name: str) -> Generation:
        """Return a complete generation of the collection. Raises IndexMissing if it has none so."""
        metadata = metadata_if_any(self._connection, name)
        is_own = is_generation(name, collection)
        if not is_own or metadata is None or not metadata.complete:
            raise IndexMissing(
                f"{collection} at {self.location} has no complete generation {name!r}; "
                "`lsif-ingest status --generations` lists those that are kept."
            )
        return ServerGeneration(self._connection, name, metadata)

    def unfinished(self) -> list[GenerationInfo]:
        """Return the generations of any collection that runs build, or left when killed."""
        return unfinished_generations(self._connection)

    def remove_unfinished(self, collection: str) -> list[str]:
        """Remove what killed runs left of the collection; return the generations' names.

        What was begun in this data folder is dead, because the caller holds the project's lock
        there. Others' is, if it gave no sign of life for an hour.
        """
        removed = []
        for info in self.generations(collection):
            killed = info.dead or (not info.complete and self._was_begun_here(info))
            if killed and info.name not in self._heartbeats:
                logger.warning("removing %s, which a run that was killed left behind", info.name)
                self._delete(info.name)
                removed.append(info.name)
        return removed

    def close(self) -> None:
        """Close the connection."""
        for name in list(self._heartbeats):
            self._end_heartbeat(name)
        self._connection.client.close()

    def _require_right_to_write(self) -> None:
        """Raise KeyRejected if the API key may only read.

        No request asks for a key's rights. Deleting what does not exist needs them, and changes
        nothing.
        """
        nothing = f"lsif-ingest-{uuid.uuid4().hex}"
        self._connection.call(
            "create or delete collections", self._connection.client.delete_collection, nothing
        )

    def _was_begun_here(self, info: GenerationInfo) -> bool:
        if self._builder is None or info.builder is None:
            return False
        return info.builder.is_gone_from(self._builder)

    def _end_heartbeat(self, name: str) -> None:
        if name in self._heartbeats:
            self._heartbeats.pop(name).stop()

    def _delete(self, name: str) -> None:
        delete = self._connection.client.delete_collection
        for collection in (name, name + BLOCKS_SUFFIX):
            self._connection.call(f"delete {collection}", delete, collection)
