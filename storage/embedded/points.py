"""The points of one shard of Qdrant's embedded engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic

import qdrant_edge as edge

from storage.embedded.convert import edge_filter, edge_point, edge_request
from storage.embedded.disk import require_room
from storage.errors import IndexDamaged, StorageError
from storage.filters import excludes_itself, search_possible
from storage.index import Rejection, StoredPoint
from storage.query import Row, ScoredPoint, values_of
from storage.schema import PLACE, R, payload_bytes, shadow_of, with_shadows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from storage.index import Point
    from storage.query import Nearest, Where
    from storage.schema import IndexType, Kind

WAY_OUT = "Replace it: lsif-ingest ingest --rebuild with the arguments that made it."

_SCROLL_PAGE, _VECTOR_PAGE = 1000, 200
_MOST_VALUES = 1_000_000
"""Values of a field that are returned; enough for each file of the largest repositories."""
_BATCH, _BATCH_BYTES = 1024, 4 << 20
"""Points, and their bytes, that are written at once."""
_POINT = 1024
"""Upper bound of the bytes that a point takes beside its vectors and payload: ids, indexes,
rounding. Measured: 300 to 700."""
_FLUSHED = 512
"""Upper bound of the bytes that a flush writes for each point. Measured: 150 to 200."""
_INDEX_TYPES: Mapping[IndexType, edge.PayloadSchemaType] = {
    "keyword": edge.PayloadSchemaType.Keyword,
    "bool": edge.PayloadSchemaType.Keyword,  # of the shadow: see storage.schema.with_shadows
    "integer": edge.PayloadSchemaType.Integer,
}


class ShardPoints(Generic[R]):
    """The points of one shard. All methods raise StorageError."""

    def __init__(self, folder: Path, shard: edge.EdgeShard | None, kind: Kind[R]) -> None:
        self._folder = folder
        self._kind = kind
        self._shard = shard
        self._written = 0
        """Points that were written and not flushed."""

    def upsert(self, points: Iterable[Point], *, wait: bool = False) -> list[Rejection]:  # noqa: ARG002 - the engine always waits
        """Insert the points, or replace those of the same ids; return those that were rejected."""
        rejected: list[Rejection] = []
        for batch, size in _packed(points):
            self._about_to_write(len(batch), size)
            edge_points = [edge_point(point) for point in batch]
            rejected += self._upsert(edge_points, [point.id for point in batch])
        return rejected

    def set_payloads(self, changes: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Set these payload fields of the points of these ids; all else stays as it is."""
        for point_id, fields in changes:
            self._about_to_write(1, payload_bytes(fields))
            self._update(edge.UpdateOperation.set_payload([point_id], with_shadows(fields)))

    def delete(self, point_ids: Sequence[str]) -> None:
        """Delete the points; absent ones are no error."""
        if point_ids:
            self._about_to_write(len(point_ids), 0)
            self._update(edge.UpdateOperation.delete_points(list(point_ids)))

    def retrieve(self, point_ids: Sequence[str], *, vectors: bool = True) -> list[StoredPoint[R]]:
        """Return the points of these ids that exist."""
        records = self._read(
            self._open_shard.retrieve, list(point_ids), with_payload=True, with_vector=vectors
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
        return int(self._read(self._open_shard.count, edge.CountRequest(exact=True)))

    def missing_indexes(self) -> list[str]:
        """Return the fields that searches filter by and that have no payload index here."""
        made = self._read(self._open_shard.info).payload_schema
        return [field for field in self._kind.indexes if self._index(field)[0] not in made]

    def add_indexes(self, fields: Collection[str]) -> None:
        """Add the payload indexes of these fields; those that exist stay as they are."""
        if fields:
            self._about_to_write(max(1, self.count()), 0)
        for field in fields:
            self._update(edge.UpdateOperation.create_field_index(*self._index(field)))

    def _index(self, field: str) -> tuple[str, edge.PayloadSchemaType]:
        """Return the payload field that is indexed and how: the shadow of a boolean field."""
        kind = self._kind.indexes[field]
        return (shadow_of(field) if kind == "bool" else field), _INDEX_TYPES[kind]

    def values(self, field: str) -> dict[str, int]:
        """Return the values of an indexed keyword field, most common first, with their counts."""
        found = self._read(
            self._open_shard.facet, edge.FacetRequest(key=field, limit=_MOST_VALUES, exact=True)
        )
        # The engine still lists values of deleted points.
        return {str(hit.value): hit.count for hit in found.hits if hit.count}

    def search(self, *queries: Nearest) -> list[list[ScoredPoint]]:
        """Return the points nearest to each query, best first, in one request."""
        return search_possible(queries, self._search)

    def _search(self, queries: Sequence[Nearest]) -> list[list[ScoredPoint]]:
        requests = edge.QueryBatchRequest([edge_request(query) for query in queries])
        try:
            found = self._open_shard.query_batch(requests)
        except StorageError:
            raise
        except Exception as exc:  # the engine raises plain Exception
            raise StorageError(
                f"search in {self._folder} failed: {exc}. If it is damaged: {WAY_OUT}"
            ) from exc
        return [
            [_scored(hit, paths) for hit in hits]
            for hits, paths in zip(found, map(_paths, queries), strict=True)
        ]

    def flush(self) -> None:
        """Make what was written durable."""
        # A shard that was only read may be dropped by another process meanwhile.
        if self._shard is not None and self._written:
            try:
                self._shard.flush()
            except Exception as exc:  # the engine raises plain Exception
                raise StorageError(f"can't write {self._folder}: {exc}") from exc
            self._written = 0

    def close(self) -> None:
        """Make everything durable and release the shard."""
        shard, self._shard, written, self._written = self._shard, None, self._written, 0
        if shard is None:
            return
        try:
            if written:
                shard.flush()
            shard.close()
        except Exception as exc:  # the engine raises plain Exception
            raise StorageError(f"can't write {self._folder}: {exc}") from exc

    def _stored(self, record: edge.Record) -> StoredPoint[R]:
        payload = record.payload or {}
        try:
            found = self._kind.record(payload)
        except (TypeError, KeyError) as exc:
            raise IndexDamaged(
                f"{self._folder}: point {record.id} holds no record: {exc}. {WAY_OUT}"
            ) from exc
        vectors = record.vector if isinstance(record.vector, dict) else {}
        dense: dict[str, Any] = {
            name: vector for name, vector in vectors.items() if isinstance(vector, list)
        }
        return StoredPoint(str(record.id), found, dense, str(payload.get(PLACE)))

    def _scroll(
        self, where: Where, page: int, *, payload: bool | list[str], vectors: bool
    ) -> Iterator[edge.Record]:
        offset: Any = None
        wanted: Any = payload
        while not excludes_itself(where):
            request = edge.ScrollRequest(
                offset=offset,
                limit=page,
                with_payload=wanted,
                with_vector=vectors,
                filter=edge_filter(where),
            )
            records, offset = self._read(self._open_shard.scroll, request)
            yield from records
            if offset is None:
                return

    @property
    def _open_shard(self) -> edge.EdgeShard:
        if self._shard is None:
            raise IndexDamaged(
                f"{self._folder} does not exist, was closed, or is of an earlier version. {WAY_OUT}"
            )
        return self._shard

    def _read(self, operation: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        try:
            return operation(*arguments, **options)
        except Exception as exc:  # the engine raises plain Exception
            raise IndexDamaged(f"{self._folder} can't be read: {exc}. {WAY_OUT}") from exc

    def _upsert(self, points: list[edge.Point], ids: list[str]) -> list[Rejection]:
        """Write the points; if the engine rejects some, write the others."""
        try:
            self._update(edge.UpdateOperation.upsert_points(points))
        except StorageError as exc:
            if not _is_points_fault(exc):
                raise
            if len(points) == 1:
                return [Rejection(ids[0], str(exc.__cause__))]
            half = len(points) // 2
            return self._upsert(points[:half], ids[:half]) + self._upsert(points[half:], ids[half:])
        return []

    def _about_to_write(self, points: int, size: int) -> None:
        """Raise StorageError if the disk lacks room for so many points of `size` bytes in all.

        Flushing what was written before needs room, too.
        """
        self._written += points
        require_room(self._folder, self._folder, size + _POINT * points + _FLUSHED * self._written)

    def _update(self, operation: edge.UpdateOperation) -> None:
        try:
            self._open_shard.update(operation)
        except StorageError:
            raise
        except Exception as exc:  # the engine raises plain Exception
            raise StorageError(f"can't write {self._folder}: {exc}") from exc


def _is_points_fault(exc: StorageError) -> bool:
    """Return whether the engine objects to a point, not to the disk."""
    text = str(exc.__cause__).lower()
    if "no space left" in text or "os error" in text:  # their paths have the words below, too
        return False
    return any(word in text for word in ("dimension", "vector", "payload", "invalid", "expected"))


def _packed(points: Iterable[Point]) -> Iterator[tuple[list[Point], int]]:
    """Yield the points in batches, with their bytes."""
    batch: list[Point] = []
    size = 0
    for point in points:
        batch.append(point)
        size += _size_of(point)
        if len(batch) == _BATCH or size >= _BATCH_BYTES:
            yield batch, size
            batch, size = [], 0
    if batch:
        yield batch, size


def _size_of(point: Point) -> int:
    """Return the bytes of the point's vectors and payload."""
    vectors = sum(vector.nbytes for vector in point.vectors.values())
    return (
        vectors
        + sum(8 * len(vector.indices) for vector in point.sparse.values())
        + 2 * payload_bytes(point.payload)
    )


def _paths(query: Nearest) -> list[list[str]]:
    return [name.split(".") for name in query.fields]


def _scored(hit: edge.ScoredPoint, paths: list[list[str]]) -> ScoredPoint:
    values = values_of(hit.payload or {}, paths) if paths else ()
    return ScoredPoint(str(hit.id), hit.score, values)
