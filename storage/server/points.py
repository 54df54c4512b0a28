"""The points of one collection on a Qdrant server.

Points are sent as JSON that orjson makes of the arrays themselves: the client's own way makes a Python object of each number and
checks it. A point that the server refuses is found by halving its batch, and the others are stored.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Generic

import orjson
from qdrant_client import QdrantClient, models
from qdrant_client.http.models import InlineResponse2008

from storage.errors import IndexDamaged, RequestRefused
from storage.index import Refusal, Row, ScoredPoint, StoredPoint, values_of
from storage.points import batched
from storage.schema import PLACE, R
from storage.sparse import SparseVector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from storage.index import Condition, Nearest, Point, Where
    from storage.schema import Kind
    from storage.server.connection import Connection

_PIECE = 32
"""Points that are handed to the socket at once: one by one takes longer, all together twice the memory."""
_BEFORE, _BETWEEN, _BEHIND = b'{"points":[', b",", b"]}"
_SCROLL_PAGE, _VECTOR_PAGE, _DELETE_PAGE = 1000, 200, 1000
_MOST_VALUES = 1_000_000
"""Of a field that are told; one for each file of the largest repositories."""


class ServerPoints(Generic[R]):
    """The points of one collection."""

    def __init__(self, connection: Connection, name: str, kind: Kind[R]) -> None:
        self._connection = connection
        self._client = connection.client
        self._name = name
        self._kind = kind

    def upsert(self, points: Iterable[Point]) -> list[Refusal]:
        """Insert the points, or replace those of the same ids, in several streams; return those that were refused.

        What was sent is acknowledged; `Generation.finish` waits until it is stored.
        """
        settings, refused = self._connection.settings, list[Refusal]()
        waiting: deque[Future[list[Refusal]]] = deque()
        with ThreadPoolExecutor(settings.streams) as pool:
            try:
                for batch in self._batches(points, refused):
                    while len(waiting) > settings.streams:
                        refused += waiting.popleft().result()
                    waiting.append(pool.submit(self._send, batch))
                while waiting:
                    refused += waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()
        return refused

    def set_payloads(self, changes: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Set these fields of the points of these ids; their other fields and their vectors stay."""
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
        for record in self._scroll(where, _SCROLL_PAGE, payload=list(fields), vectors=False):
            yield Row(str(record.id), values_of(record.payload or {}, paths))

    def count(self) -> int:
        """Return the exact number of points."""
        return self._connection.call("count", self._client.count, self._name, exact=True).count

    def values(self, field: str) -> dict[str, int]:
        """Return the values of an indexed keyword field, with the number of points that hold each, the commonest first."""
        found = self._connection.call(
            f"count {field}", self._client.facet, self._name, field, limit=_MOST_VALUES, exact=True
        )
        return {str(hit.value): hit.count for hit in found.hits}

    def search(self, *queries: Nearest) -> list[list[ScoredPoint]]:
        """Return the points nearest to each query, best first, in one request."""
        requests = [_request(query) for query in queries]
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
                scroll_filter=_filter(where),
            )
            yield from records
            if offset is None:
                return

    def _batches(self, points: Iterable[Point], refused: list[Refusal]) -> Iterator[_Batch]:
        """Yield the points packed by number and bytes; what no request can hold is refused here."""
        most, limit = (
            self._connection.settings.batch_points,
            self._connection.settings.batch_mb * 1_000_000,
        )
        if not _speaks_rest(self._client):
            for some in batched(iter(points), most):
                yield _Batch([point.id for point in some], some, [])
            return
        batch, size = _Batch([], [], []), 0
        for point in points:
            encoded = _encode(point)
            if len(encoded) > limit:
                refused.append(
                    Refusal(
                        point.id,
                        f"{len(encoded):,} bytes; a request has at most {limit:,} (storage.batch_mb)",
                    )
                )
                continue
            if batch.ids and (len(batch.ids) == most or size + len(encoded) > limit):
                yield batch
                batch, size = _Batch([], [], []), 0
            batch.ids.append(point.id)
            batch.encoded.append(encoded)
            size += len(encoded) + 1
        if batch.ids:
            yield batch

    def _send(self, batch: _Batch) -> list[Refusal]:
        """Send the batch; where the server refuses it, send its halves, and return the points that it refuses alone."""
        try:
            self._connection.call(f"write {len(batch.ids)} points", self._put, batch)
        except RequestRefused as exc:
            if len(batch.ids) == 1:
                return [Refusal(batch.ids[0], str(exc))]
            return [refusal for half in batch.halves() for refusal in self._send(half)]
        return []

    def _set_payloads(self, batch: list[tuple[str, dict[str, Any]]]) -> None:
        """Send the changes; where the server refuses them, as too large a request, send their halves."""
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
        except RequestRefused:
            if len(batch) == 1:
                raise
            middle = len(batch) // 2
            self._set_payloads(batch[:middle])
            self._set_payloads(batch[middle:])

    def _put(self, batch: _Batch) -> None:
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


class _Batch:
    """Points of one request: as they are, or encoded."""

    def __init__(self, ids: list[str], points: list[Point], encoded: list[bytes]) -> None:
        self.ids, self.points, self.encoded = ids, points, encoded

    def body(self) -> Iterator[bytes]:
        """Yield the request's body piece by piece: joined, it would be in memory twice."""
        yield _BEFORE
        for start in range(0, len(self.encoded), _PIECE):
            yield (_BETWEEN if start else b"") + _BETWEEN.join(self.encoded[start : start + _PIECE])
        yield _BEHIND

    def body_bytes(self) -> int:
        """Return the length of the body."""
        between = len(_BETWEEN) * (len(self.encoded) - 1)
        return len(_BEFORE) + sum(map(len, self.encoded)) + between + len(_BEHIND)

    def halves(self) -> list[_Batch]:
        """Return the two halves."""
        middle = len(self.ids) // 2
        return [
            _Batch(self.ids[part], self.points[part], self.encoded[part])
            for part in (slice(middle), slice(middle, None))
        ]


def _encode(point: Point) -> bytes:
    """Return the point as the REST interface takes it; arrays are written without a Python object for each number."""
    vectors: dict[str, Any] = {
        **point.vectors,
        **{name: vector._asdict() for name, vector in point.sparse.items()},
    }
    return orjson.dumps(
        {"id": point.id, "vector": vectors, "payload": point.payload},
        option=orjson.OPT_SERIALIZE_NUMPY,
    )


def _filter(where: Where) -> models.Filter | None:
    must: list[models.Condition] = [_condition(one) for one in where if not one.negated]
    must_not: list[models.Condition] = [_condition(one) for one in where if one.negated]
    return models.Filter(must=must or None, must_not=must_not or None) if where else None


def _paths(query: Nearest) -> list[list[str]]:
    return [name.split(".") for name in query.fields]


def _request(query: Nearest) -> models.QueryRequest:
    vector = query.vector
    return models.QueryRequest(
        query=models.SparseVector(**vector._asdict())
        if isinstance(vector, SparseVector)
        else vector.tolist(),
        using=query.using,
        limit=query.limit,
        with_payload=list(query.fields) or False,
        filter=_filter(query.where),
    )


def _condition(condition: Condition) -> models.Condition:
    key, values = condition.field, condition.values
    if any(isinstance(value, bool) for value in values):  # MatchAny takes none
        return models.Filter(
            should=[
                models.FieldCondition(key=key, match=models.MatchValue(value=value))
                for value in values
            ]
        )
    return models.FieldCondition(key=key, match=models.MatchAny(any=list[Any](values)))


def _speaks_rest(client: QdrantClient) -> bool:
    """Return whether requests can be made by hand: not to the client's local mode, and not by gRPC."""
    try:
        return client.http is not None and not getattr(client._client, "_prefer_grpc", False)  # noqa: SLF001 - it does not say
    except NotImplementedError:
        return False
