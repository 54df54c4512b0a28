"""One generation on a Qdrant server: a collection of structures and one of blocks."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

from qdrant_client import models

from storage.errors import IndexUnready
from storage.metadata import BLOCKS_SUFFIX
from storage.schema import BLOCKS, STRUCTURES
from storage.server.described import METADATA_KEY
from storage.server.points import ServerPoints

if TYPE_CHECKING:
    from storage.metadata import Metadata
    from storage.server.connection import Connection


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
        fields = {METADATA_KEY: metadata.to_dict()}
        self._connection.call(
            f"describe {self.name}",
            self._connection.client.update_collection,
            self.name,
            metadata=fields,
        )
        self.metadata = metadata

    def finish(self) -> None:
        """Wait until everything that was sent is stored and indexed.

        Raises IndexUnready if that takes too long.
        """
        connection, client = self._connection, self._connection.client
        for name in (self.name, self.name + BLOCKS_SUFFIX):
            if self._deferred:
                threshold = models.OptimizersConfigDiff(
                    indexing_threshold=connection.settings.indexing_threshold_kb
                )
                connection.call(
                    f"index {name}", client.update_collection, name, optimizers_config=threshold
                )
            # Writes happen in their order: after this one, all acknowledged ones have happened.
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
                    f"{name} on {self._connection.location} is {status.value} after "
                    f"{self._connection.settings.ready_s} s; look at the server's log, "
                    "or raise storage.ready_s."
                )
            time.sleep(pause)
            pause = min(pause * 2, 2.0)
