"""The points of one collection on a Qdrant server.

Points are sent as JSON that orjson makes of the arrays: the client's own methods make a Python
object of each number and validate it. If the server rejects a point, its batch is halved until the
point is found, and the others are stored.
"""

from __future__ import annotations

import warnings
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Generic

from qdrant_client import QdrantClient, models
from qdrant_client.http.models import InlineResponse2008

from storage.errors import IndexDamaged, RequestRejected
from storage.index import Rejection, Row, ScoredPoint, StoredPoint, values_of
from storage.points import batched
from storage.schema import PLACE, R
from storage.server.batch import Batch, encode_point
from storage.server.convert import server_filter, server_request

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from storage.index import Nearest, Point, Where
    from storage.schema import Kind
    from storage.server.connection import Connection

_SCROLL_PAGE, _VECTOR_PAGE, _DELETE_PAGE = 1000, 200, 1000
_MOST_VALUES = 1_000_000
"""Values of a field that are returned; enough for each file of the largest repositories."""


class ServerPoints(Generic[R]):
    """The points of one collection."""

    def __init__(self, connection: Connection, name: str, kind: Kind[R]) -> None:
        self._connection = connection
        self._client = connection.client
        self._name = name
        self._kind = kind

    def upsert(self, points: Iterable[Point]) -> list[Rejection]:
        """Insert the points, or replace those of the same ids; return those that were rejected.

        Several streams send them. When this returns, the server has acknowledged them;
        `Generation.finish` waits until they are stored.
        """
        settings, rejected = self._connection.settings, list[Rejection]()
        waiting: deque[Future[list[Rejection]]] = deque()
        with ThreadPoolExecutor(settings.streams) as pool:
            try:
                for batch in self._batches(points, rejected):
                    while len(waiting) > settings.streams:
                        rejected += waiting.popleft().result()
                    waiting.append(pool.submit(self._send, batch))
                while waiting:
                    rejected += waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()
        return rejected

    def set_payloads(self, changes: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Set these payload fields of the points of these ids; all else stays as it is."""
        for batch in batched(iter(changes), self._connection.settings.batch_points):
            self._set_payloads(batch)

    def delete(self, point_ids: Sequence[str]) -> None:
        """Delete the points; absent ones are no error."""
        for batch in batched(iter(point_ids), _DELETE_PAGE):
            selector = models.PointIdsList(points=[*batch])
            self._connection.call(
                f"delete {len(batch)} points",
                self._client.delete,
                self._name,
                selector,
                wait=True,
            )

    def retrieve(self, point_ids: Sequence[str], *, vectors: bool = True) -> list[StoredPoint[R]]:
        """Return the points of these ids that exist."""
        records = self._connection.call(
            "retrieve points",
            self._client.retrieve,
            self._name,
            list(point_ids),
            with_payload=True,
            with_vectors=vectors,
        )
        return [self._stored(record) for record in records]

    def scroll(self, *, where: Where = (), vectors: bool = False) -> Iterator[StoredPoint[R]]:
        """Yield every point that meets the conditions, with its whole record."""
        page = _VECTOR_PAGE if vectors else _SCROLL_PAGE
        return map(self._stored, self._scroll(where, page, payload=True, vectors=vectors))

    def select(self, fields: Sequence[str], *, where: Where = ()) -> Iterator[Row]:
        """Yield these scalar fields of every point that meets the conditions."""
        paths = [name.split(".") for name in fields]
        # Without fields no payload is read, which is what takes the time.
        payload = list(fields) or False
        for record in self._scroll(where, _SCROLL_PAGE, payload=payload, vectors=False):
            yield Row(str(record.id), values_of(record.payload or {}, paths))

    def count(self) -> int:
        """Return the exact number of points."""
        return self._connection.call("count", self._client.count, self._name, exact=True).count

    def missing_indexes(self) -> list[str]:
        """Return the fields that searches filter by and that have no payload index here."""
        made = self._connection.call(
            f"look up {self._name}", self._client.get_collection, self._name
        ).payload_schema
        return [field for field in self._kind.indexes if field not in made]

    def add_indexes(self, fields: Collection[str]) -> None:
        """Add the payload indexes of these fields, and wait until they are built."""
        for field in fields:
            with warnings.catch_warnings():
                # The client's local mode has no payload indexes, and warns.
                warnings.simplefilter("ignore", UserWarning)
                self._connection.call(
                    f"index {field}",
                    self._client.create_payload_index,
                    self._name,
                    field,
                    models.PayloadSchemaType(self._kind.indexes[field]),
                    wait=True,
                    timeout=max(1, int(self._connection.settings.ready_s)),
                )

    def values(self, field: str) -> dict[str, int]:
        """Return the values of an indexed keyword field, most common first, with their counts."""
        found = self._connection.call(
            f"count {field}", self._client.facet, self._name, field, limit=_MOST_VALUES, exact=True
        )
        return {str(hit.value): hit.count for hit in found.hits}

    def search(self, *queries: Nearest) -> list[list[ScoredPoint]]:
        """Return the points nearest to each query, best first, in one request."""
        requests = [server_request(query) for query in queries]
        found = self._connection.call(
            "search", self._client.query_batch_points, self._name, requests
        )
        return [
            [
                ScoredPoint(str(hit.id), hit.score, values_of(hit.payload or {}, paths))
                for hit in response.points
            ]
            for response, paths in zip(found, map(_paths, queries), strict=True)
        ]

    def _stored(self, record: models.Record) -> StoredPoint[R]:
        payload = record.payload or {}
        try:
            found = self._kind.record(payload)
        except (TypeError, KeyError) as exc:
            raise IndexDamaged(f"{self._name}: point {record.id} holds no record: {exc}.") from exc
        vectors = record.vector if isinstance(record.vector, dict) else {}
        dense: dict[str, Any] = {
            name: vector for name, vector in vectors.items() if isinstance(vector, list)
        }
        return StoredPoint(str(record.id), found, dense, str(payload.get(PLACE)))

    def _scroll(
        self, where: Where, page: int, *, payload: bool | list[str], vectors: bool
    ) -> Iterator[models.Record]:
        offset: Any = None
        while True:
            records, offset = self._connection.call(
                "scroll",
                self._client.scroll,
                self._name,
                limit=page,
                offset=offset,
                with_payload=payload,
                with_vectors=vectors,
                scroll_filter=server_filter(where),
            )
            yield from records
            if offset is None:
                return

    def _batches(self, points: Iterable[Point], rejected: list[Rejection]) -> Iterator[Batch]:
        """Yield the points packed by number and bytes; reject those too large for a request."""
        settings = self._connection.settings
        most, limit = settings.batch_points, settings.batch_mb * 1_000_000
        if not _speaks_rest(self._client):
            for some in batched(iter(points), most):
                yield Batch([point.id for point in some], some, [])
            return
        batch, size = Batch([], [], []), 0
        for point in points:
            encoded = encode_point(point)
            if len(encoded) > limit:
                rejected.append(
                    Rejection(
                        point.id,
                        f"{len(encoded):,} bytes; "
                        f"a request has at most {limit:,} (storage.batch_mb)",
                    )
                )
                continue
            if batch.ids and (len(batch.ids) == most or size + len(encoded) > limit):
                yield batch
                batch, size = Batch([], [], []), 0
            batch.ids.append(point.id)
            batch.encoded.append(encoded)
            size += len(encoded) + 1
        if batch.ids:
            yield batch

    def _send(self, batch: Batch) -> list[Rejection]:
        """Send the batch, or its halves if the server rejects it; return rejected points."""
        try:
            self._connection.call(f"write {len(batch.ids)} points", self._put, batch)
        except RequestRejected as exc:
            if len(batch.ids) == 1:
                return [Rejection(batch.ids[0], str(exc))]
            return [rejection for half in batch.halves() for rejection in self._send(half)]
        return []

    def _set_payloads(self, batch: list[tuple[str, dict[str, Any]]]) -> None:
        """Send the changes, or their halves if the server rejects them as too large a request."""
        operations = [
            models.SetPayloadOperation(
                set_payload=models.SetPayload(payload=fields, points=[point_id])
            )
            for point_id, fields in batch
        ]
        try:
            self._connection.call(
                f"set {len(batch)} payloads",
                self._client.batch_update_points,
                self._name,
                operations,
                wait=True,
            )
        except RequestRejected:
            if len(batch) == 1:
                raise
            middle = len(batch) // 2
            self._set_payloads(batch[:middle])
            self._set_payloads(batch[middle:])

    def _put(self, batch: Batch) -> None:
        if batch.encoded:
            self._client.http.client.request(
                type_=InlineResponse2008,
                method="PUT",
                url="/collections/{name}/points",
                path_params={"name": self._name},
                params={"wait": "false"},
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
            wait=False,
        )


def _speaks_rest(client: QdrantClient) -> bool:
    """Return whether requests can be made by hand: not in local mode, and not by gRPC."""
    try:
        return client.http is not None and not getattr(client._client, "_prefer_grpc", False)  # noqa: SLF001 - it does not say
    except NotImplementedError:
        return False


def _paths(query: Nearest) -> list[list[str]]:
    return [name.split(".") for name in query.fields]
