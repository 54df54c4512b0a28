"""Sends points to one collection: packed into requests, by several streams.

Points are sent as JSON that orjson makes of the arrays: the client's own methods make a Python
object of each number and validate it. If the server rejects a batch, it is halved until the point
that it objects to is found, and the others are stored.

A server acknowledges a write that nobody waits for before it looks at the vectors. What it then
declines, only its log says. So what is missing afterwards is sent again, and waited for.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any

from qdrant_client import QdrantClient, models
from qdrant_client.http.models import InlineResponse2008

from storage.errors import RequestRejected
from storage.index import Rejection
from storage.server.batch import Batch, encode_point

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from storage.index import Point
    from storage.server.connection import Connection
    from storage.server.limits import CollectionLimits


class Sender:
    """Sends points to one collection, and waits until they are stored if `wait` is true."""

    def __init__(
        self, connection: Connection, name: str, limits: CollectionLimits, *, wait: bool
    ) -> None:
        self._connection, self._name, self._limits = connection, name, limits
        self._wait = wait
        self._client = connection.client
        self._rejected: list[Rejection] = []

    def send(self, points: Iterable[Point]) -> list[Rejection]:
        """Send the points; return those that were rejected.

        Stops early once more are rejected than storage.max_refused allows: the run fails then.
        """
        streams, most = self._connection.settings.streams, self._connection.settings.max_refused
        waiting: deque[Future[list[Rejection]]] = deque()
        with ThreadPoolExecutor(streams) as pool:
            try:
                for batch in self._batches(points):
                    while len(waiting) > streams:
                        self._rejected += waiting.popleft().result()
                    if len(self._rejected) > most:
                        break
                    waiting.append(pool.submit(self._send, batch))
                while waiting:
                    self._rejected += waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()
        return self._rejected

    def _batches(self, points: Iterable[Point]) -> Iterator[Batch]:
        """Yield the points packed by number and bytes; reject those too large for a request."""
        settings = self._connection.settings
        limit, points = settings.batch_mb * 1_000_000, iter(points)
        if not _speaks_rest(self._client):
            while some := list(islice(points, self._most())):
                yield Batch([point.id for point in some], some, [])
            return
        batch, size = Batch([], [], []), 0
        for point in points:
            encoded = encode_point(point)
            if len(encoded) > limit:
                reason = (
                    f"{len(encoded):,} bytes; a request has at most {limit:,} (storage.batch_mb)"
                )
                self._rejected.append(Rejection(point.id, reason))
                continue
            if batch.ids and (len(batch.ids) >= self._most() or size + len(encoded) > limit):
                yield batch
                batch, size = Batch([], [], []), 0
            batch.ids.append(point.id)
            batch.encoded.append(encoded)
            size += len(encoded) + 1
        if batch.ids:
            yield batch

    def _most(self) -> int:
        """Return how many points a request may have, as far as that is known now."""
        return self._limits.known.batch(self._connection.settings.batch_points)

    def _send(self, batch: Batch) -> list[Rejection]:
        """Send the batch, or its halves if the server rejects it; return rejected points."""
        try:
            self._connection.call(f"write {len(batch.ids)} points", self._put, batch)
        except RequestRejected as exc:
            self._limits.learn(str(exc))
            if len(batch.ids) == 1:
                return [Rejection(batch.ids[0], str(exc))]
            return [rejection for half in batch.halves() for rejection in self._send(half)]
        return []

    def _put(self, batch: Batch) -> None:
        if batch.encoded:
            self._client.http.client.request(
                type_=InlineResponse2008,
                method="PUT",
                url="/collections/{name}/points",
                path_params={"name": self._name},
                params={"wait": "true" if self._wait else "false"},
                headers={
                    "Content-Type": "application/json",
                    "Content-Length": str(batch.body_bytes()),
                },
                content=batch.body(),
            )
            return
        vectors: dict[str, Any] = {
            name: [point.vectors[name].tolist() for point in batch.points]
            for name in batch.points[0].vectors
        }
        for name in batch.points[0].sparse:
            vectors[name] = [
                models.SparseVector(**point.sparse[name]._asdict()) for point in batch.points
            ]
        payloads = [point.payload for point in batch.points]
        self._client.upsert(
            self._name,
            models.Batch(ids=[*batch.ids], vectors=vectors, payloads=payloads),
            wait=self._wait,
        )


def _speaks_rest(client: QdrantClient) -> bool:
    """Return whether requests can be made by hand: not in local mode, and not by gRPC."""
    try:
        return client.http is not None and not getattr(client._client, "_prefer_grpc", False)  # noqa: SLF001 - it does not say
    except NotImplementedError:
        return False
