"""A Qdrant server or cluster, by qdrant-client: a generation is two collections, the live one is named by aliases.

<collection>--<time>-<digest>            structures; its metadata is the generation's
<collection>--<time>-<digest>--blocks    blocks
<collection>, <collection>--blocks       the aliases, moved together in one call
"""

from __future__ import annotations

import logging
import time
import uuid
import warnings
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from qdrant_client import models
from qdrant_client.http.exceptions import UnexpectedResponse

from storage.errors import IndexMismatch, IndexUnready, StorageError
from storage.schema import (
    BLOCKS,
    SPARSE,
    STRUCTURES,
    generation_name,
    made_at,
    read_metadata,
)
from storage.server.health import ask_health, check_version
from storage.server.points import ServerPoints

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from storage.index import Generation, Health
    from storage.schema import Kind, Metadata
    from storage.server.connection import Connection

logger = logging.getLogger(__name__)

_ABANDONED = timedelta(days=1)
"""Age at which a generation that was never completed is taken for that of a killed run; a younger one may still be building."""
_METADATA_KEY = "lsif_ingest"
_BLOCKS = "--blocks"
_CONFLICT = 409


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
            for alias, collection in self._aliases().items()
            if self._metadata(collection) is not None
        )

    def live(self, collection: str) -> Generation | None:
        """Return the published generation, None where nothing is published under the name."""
        name = self._aliases().get(collection)
        if name is None:
            if self._connection.call(
                "look up collections", self._connection.client.collection_exists, collection
            ):
                raise IndexMismatch(
                    f"{self._connection.location} has a collection {collection!r} that lsif-ingest did not make. "
                    "Choose another name: --set project.name=NAME"
                )
            return None
        metadata = self._metadata(name)
        if metadata is None:
            raise IndexMismatch(
                f"alias {collection!r} on {self._connection.location} names collection {name!r}, which lsif-ingest did not make. "
                "Choose another name: --set project.name=NAME"
            )
        return ServerGeneration(self._connection, name, metadata)

    def state(self, collection: str) -> str | None:
        """Return the live generation's name and when it was last changed."""
        live = self.live(collection)
        return None if live is None else f"{live.name} {live.metadata.created}"

    def former(self, collection: str) -> Generation | None:
        """Return the complete generation that was made last before the live one, None where none was kept."""
        live = self._aliases().get(collection)
        for name, metadata in reversed(self._complete(collection)):
            if live is not None and made_at(name, collection) < made_at(live, collection):
                return ServerGeneration(self._connection, name, metadata)
        return None

    @contextmanager
    def writing(self, collection: str) -> Iterator[None]:  # noqa: ARG002 - the interface's name
        """Hold nothing: a server takes several writers, each builds a generation of its own, the last to publish wins."""
        yield

    def create(self, collection: str, metadata: Metadata) -> Generation:
        """Return a new, empty generation, not yet published. What runs killed long ago left behind is removed."""
        check_version(self._connection)
        self._drop_abandoned(collection)
        name = generation_name(collection, metadata, self._generations(collection))
        dimensions = {vector: info.dimension for vector, info in metadata.vectors.items()}
        try:
            self._create(name + _BLOCKS, dimensions, BLOCKS, None)
            self._create(name, dimensions, STRUCTURES, metadata)
        except BaseException:
            with suppress(StorageError):  # a failure here must not hide the one that led here
                self._delete(name)
            raise
        return ServerGeneration(self._connection, name, metadata, deferred=True)

    def copy(self, collection: str, generation: Generation) -> Generation:
        """Raise StorageError: a server's generation is changed in place."""
        raise StorageError(
            f"{collection}: {generation.name} can't be copied on {self._connection.location}."
        )

    def publish(self, collection: str, generation: Generation, *, keep: int = 1) -> None:
        """Make the generation the live one in one atomic call, and drop all older ones but `keep`."""
        former, changes = self._all_aliases(), list[Any]()
        for suffix in ("", _BLOCKS):
            alias, name = collection + suffix, generation.name + suffix
            if former.get(alias) != name and (not suffix or self._exists(name)):
                if alias in former:
                    changes.append(
                        models.DeleteAliasOperation(
                            delete_alias=models.DeleteAlias(alias_name=alias)
                        )
                    )
                create = models.CreateAlias(collection_name=name, alias_name=alias)
                changes.append(models.CreateAliasOperation(create_alias=create))
        if changes:
            self._connection.call(
                f"publish {generation.name}",
                self._move_aliases,
                changes,
                collection,
                generation.name,
            )
        try:
            made = made_at(generation.name, collection)
            older = [
                name for name, _ in self._complete(collection) if made_at(name, collection) < made
            ]
            for name in older[: len(older) - keep]:
                self._delete(name)
        except (
            StorageError
        ) as exc:  # the new generation is live: what is left over is the next run's to remove
            logger.warning("could not remove what was live before: %s", exc)

    def drop(self, collection: str, generation: Generation) -> None:
        """Remove a generation that is not live."""
        if self._aliases().get(collection) != generation.name:
            self._delete(generation.name)

    def snapshot(self, generation: Generation) -> list[str]:
        """Make the server write snapshots of the generation; return their names, as `<collection>/<snapshot>`."""
        found = []
        for name in (generation.name, generation.name + _BLOCKS):
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
        """Return the names of the generations, of any collection, that nobody completed for long."""
        found = self._connection.call(
            "look up collections", self._connection.client.get_collections
        ).collections
        names = sorted({one.name.removesuffix(_BLOCKS) for one in found})
        owners = [(name.rpartition("--")[0], name) for name in names]
        made = [
            (collection, name)
            for collection, name in owners
            if made_at(name, collection) > made_at("", collection)
        ]
        return [one for collection, name in made for one in self._abandoned(collection, [name])]

    def close(self) -> None:
        """Close the connection."""
        self._connection.client.close()

    def _create(
        self, name: str, dimensions: dict[str, int], kind: Kind[Any], metadata: Metadata | None
    ) -> None:
        settings = self._connection.settings
        vectors = {
            vector: models.VectorParams(
                size=dimensions[vector],
                distance=models.Distance.COSINE,
                on_disk=settings.on_disk,
                datatype=models.Datatype(settings.datatype),
            )
            for vector in kind.vectors
        }
        sparse = (
            {SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)}
            if kind.has_sparse
            else None
        )

        def create() -> None:
            try:
                self._connection.client.create_collection(
                    name,
                    vectors_config=vectors,
                    sparse_vectors_config=sparse,
                    shard_number=settings.shard_number or None,
                    replication_factor=settings.replication_factor or None,
                    write_consistency_factor=settings.write_consistency_factor or None,
                    hnsw_config=models.HnswConfigDiff(
                        m=settings.hnsw_m, ef_construct=settings.hnsw_ef_construct
                    ),
                    quantization_config=_quantization(settings.quantization),
                    optimizers_config=models.OptimizersConfigDiff(
                        indexing_threshold=0
                    ),  # see finish
                    metadata={_METADATA_KEY: metadata.to_dict()} if metadata is not None else None,
                )
            except UnexpectedResponse as exc:
                if (
                    exc.status_code != _CONFLICT
                ):  # the name is this run's own: the answer to an earlier try was lost
                    raise

        self._connection.call(f"create {name}", create)
        self._index_fields(name, models.PayloadSchemaType.KEYWORD, kind.keyword_fields)
        self._index_fields(name, models.PayloadSchemaType.BOOL, kind.bool_fields)
        self._index_fields(name, models.PayloadSchemaType.INTEGER, kind.integer_fields)

    def _index_fields(
        self, name: str, schema: models.PayloadSchemaType, fields: Iterable[str]
    ) -> None:
        for field in fields:
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", UserWarning
                )  # the client's local mode has no payload indexes and says so
                self._connection.call(
                    f"index {field}",
                    self._connection.client.create_payload_index,
                    name,
                    field,
                    schema,
                )

    def _move_aliases(self, changes: list[Any], collection: str, name: str) -> None:
        try:
            self._connection.client.update_collection_aliases(changes)
        except UnexpectedResponse:
            if (
                self._aliases().get(collection) != name
            ):  # else the answer to an earlier try was lost
                raise

    def _aliases(self) -> dict[str, str]:
        """Return the structures' collections by their aliases."""
        return {
            alias: name
            for alias, name in self._all_aliases().items()
            if not alias.endswith(_BLOCKS)
        }

    def _all_aliases(self) -> dict[str, str]:
        found = self._connection.call(
            "look up aliases", self._connection.client.get_aliases
        ).aliases
        return {alias.alias_name: alias.collection_name for alias in found}

    def _exists(self, name: str) -> bool:
        return self._connection.call(
            "look up collections", self._connection.client.collection_exists, name
        )

    def _metadata(self, name: str) -> Metadata | None:
        config = self._connection.call(
            f"look up {name}", self._connection.client.get_collection, name
        ).config
        found = (config.metadata or {}).get(_METADATA_KEY)
        try:
            return read_metadata(found) if isinstance(found, dict) else None
        except (KeyError, TypeError):
            return None

    def _drop_abandoned(self, collection: str) -> None:
        """Remove generations that nobody completed for long."""
        for name in self._abandoned(collection, self._generations(collection)):
            logger.warning("removing %s, which a run that was killed left behind", name)
            self._delete(name)

    def _abandoned(self, collection: str, names: Iterable[str]) -> Iterator[str]:
        """Yield those of the collection's generations that nobody completed for long."""
        live = self._aliases().get(collection)
        for name in names:
            if name == live or datetime.now(UTC) - made_at(name, collection) < _ABANDONED:
                continue
            metadata = self._metadata(name) if self._exists(name) else None
            if metadata is None or not metadata.complete:
                yield name

    def _generations(self, collection: str) -> list[str]:
        """Return the names of the collection's generations, the oldest first; one may lack a part of its collections."""
        found = self._connection.call(
            "look up collections", self._connection.client.get_collections
        ).collections
        names = {one.name.removesuffix(_BLOCKS) for one in found}
        return sorted(
            (name for name in names if made_at(name, collection) > made_at("", collection)),
            key=lambda name: made_at(name, collection),
        )

    def _complete(self, collection: str) -> list[tuple[str, Metadata]]:
        """Return the complete generations, the oldest first."""
        found = []
        for name in self._generations(collection):
            metadata = self._metadata(name) if self._exists(name) else None
            if metadata is not None and metadata.complete:
                found.append((name, metadata))
        return found

    def _delete(self, name: str) -> None:
        for one in (name, name + _BLOCKS):
            self._connection.call(f"delete {one}", self._connection.client.delete_collection, one)


class ServerGeneration:
    """Two collections on the server."""

    def __init__(
        self, connection: Connection, name: str, metadata: Metadata, *, deferred: bool = False
    ) -> None:
        self._connection = connection
        self.name = name
        self.metadata = metadata
        self._deferred = deferred
        """Whether no HNSW graph is built yet, so that loading does not wait for it."""
        self.structures, self.blocks = (
            ServerPoints(connection, name, STRUCTURES),
            ServerPoints(connection, name + _BLOCKS, BLOCKS),
        )

    def describe(self, metadata: Metadata) -> None:
        """Replace what it says of itself."""
        fields = {_METADATA_KEY: metadata.to_dict()}
        self._connection.call(
            f"describe {self.name}",
            self._connection.client.update_collection,
            self.name,
            metadata=fields,
        )
        self.metadata = metadata

    def finish(self) -> None:
        """Wait until everything that was sent is stored and indexed. Raises IndexUnready where that takes too long."""
        connection, client = self._connection, self._connection.client
        for name in (self.name, self.name + _BLOCKS):
            if self._deferred:
                threshold = models.OptimizersConfigDiff(
                    indexing_threshold=connection.settings.indexing_threshold_kb
                )
                connection.call(
                    f"index {name}", client.update_collection, name, optimizers_config=threshold
                )
            # Writes are done in their order: after this one all that were only acknowledged are done.
            nobody = models.PointIdsList(points=[str(uuid.uuid4())])
            connection.call(
                f"finish {name}",
                client.delete,
                name,
                nobody,
                wait=True,
                timeout=max(1, int(connection.settings.ready_s)),
            )
            self._wait_for_green(name)
        self._deferred = False

    def close(self) -> None:
        """Do nothing: the connection is the index's."""

    def _wait_for_green(self, name: str) -> None:
        deadline, pause = time.monotonic() + self._connection.settings.ready_s, 0.05
        while True:
            status = self._connection.call(
                f"look up {name}", self._connection.client.get_collection, name
            ).status
            if status == models.CollectionStatus.GREEN:
                return
            if time.monotonic() > deadline:
                raise IndexUnready(
                    f"{name} on {self._connection.location} is {status.value} after {self._connection.settings.ready_s} s; "
                    "look at the server's log, or raise storage.ready_s."
                )
            time.sleep(pause)
            pause = min(pause * 2, 2.0)


def _quantization(kind: str) -> Any:
    if kind == "scalar":
        return models.ScalarQuantization(
            scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
        )
    if kind == "binary":
        return models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True))
    return None
