"""One generation on a Qdrant server: a collection of structures and one of blocks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from qdrant_client import models

from storage.errors import IndexUnready
from storage.metadata import BLOCKS_SUFFIX
from storage.schema import BLOCKS, STRUCTURES
from storage.server.described import METADATA_KEY, WORDS_KEY, describe
from storage.server.points import ServerPoints
from storage.words import read_word_counts

if TYPE_CHECKING:
    from storage.metadata import Metadata
    from storage.server.connection import Connection
    from storage.words import WordCounts


class ServerGeneration:
    """Two collections on the server."""

    def __init__(
        self, connection: Connection, name: str, metadata: Metadata, *, deferred: bool = False
    ) -> None:
        self._connection = connection
        self.name = name
        self.metadata = metadata
        self._deferred = deferred
        """Whether building the HNSW graph is put off, so that loading does not wait for it."""
        self.structures = ServerPoints(connection, name, STRUCTURES)
        self.blocks = ServerPoints(connection, name + BLOCKS_SUFFIX, BLOCKS)

    def describe(self, metadata: Metadata) -> None:
        """Replace its metadata."""
        self._keep(self.name, {METADATA_KEY: metadata.to_dict()})
        self.metadata = metadata

    def word_counts(self) -> WordCounts | None:
        """Return how many structures hold each word, None if the server weighs words."""
        if not self.metadata.word_counts:
            return None
        kept = describe(self._connection, self.name + BLOCKS_SUFFIX).config.metadata or {}
        return read_word_counts(kept.get(WORDS_KEY))

    def keep_word_counts(self, counts: WordCounts) -> None:
        """Replace these counts."""
        # The blocks' collection keeps them, because the structures' is looked up by each search.
        self._keep(self.name + BLOCKS_SUFFIX, {WORDS_KEY: counts.to_dict()})

    def finish(self) -> None:
        """Wait until everything that was sent is stored and indexed.

        Raises IndexUnready if that takes too long.
        """
        settings = self._connection.settings
        both = ((self.name, self.structures), (self.name + BLOCKS_SUFFIX, self.blocks))
        for name, points in both:
            if self._deferred:
                threshold = models.OptimizersConfigDiff(
                    indexing_threshold=settings.indexing_threshold_kb
                )
                self._configure_optimizers(name, threshold)
            points.settle()
            self._wait_for_green(name)
        self._deferred = False

    def close(self) -> None:
        """Do nothing: the connection is the index's."""

    def _keep(self, collection: str, fields: dict[str, Any]) -> None:
        """Have the server keep these fields with the collection, beside others."""
        update = self._connection.client.update_collection
        self._connection.call(f"describe {collection}", update, collection, metadata=fields)

    def _configure_optimizers(self, name: str, change: models.OptimizersConfigDiff) -> None:
        update = self._connection.client.update_collection
        self._connection.call(f"index {name}", update, name, optimizers_config=change)

    def _wait_for_green(self, name: str) -> None:
        deadline, pause = time.monotonic() + self._connection.settings.ready_s, 0.05
        while True:
            status = self._connection.call(
                f"look up {name}", self._connection.client.get_collection, name
            ).status
            if status == models.CollectionStatus.GREEN:
                return
            if status == models.CollectionStatus.GREY:
                # The server was started again: it goes on indexing when something is updated.
                self._configure_optimizers(name, models.OptimizersConfigDiff())
            if time.monotonic() > deadline:
                raise IndexUnready(
                    f"{name} on {self._connection.location} is {status.value} after "
                    f"{self._connection.settings.ready_s} s; look at the server's log, "
                    "or raise storage.ready_s."
                )
            time.sleep(pause)
            pause = min(pause * 2, 2.0)
