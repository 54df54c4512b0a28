"""The points of one collection on a Qdrant server."""

from __future__ import annotations

import time
import uuid
import warnings
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Generic

from qdrant_client import models

from storage.errors import IndexDamaged, IndexUnreachable, IndexUnready, RequestRejected
from storage.filters import excludes_itself, search_possible
from storage.index import StoredPoint
from storage.points import batched
from storage.query import Row, ScoredPoint, values_of
from storage.schema import PLACE, R
from storage.server.convert import server_filter, server_request
from storage.server.limits import CollectionLimits
from storage.server.sender import Sender

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from storage.index import Point, Rejection
    from storage.query import Nearest, Where
    from storage.schema import Kind
    from storage.server.connection import Connection
    from storage.server.limits import Limits

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
        self._limits = CollectionLimits(connection, name)

    def upsert(self, points: Iterable[Point], *, wait: bool = False) -> list[Rejection]:
        """Insert the points, or replace those of the same ids; return those that were rejected.

        With `wait` they are stored when this returns. Otherwise the server has only acknowledged
        them, and may still decline some without a word; `Generation.finish` waits for the others.
        """
        return Sender(self._connection, self._name, self._limits, wait=wait).send(points)

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

        def ask(allowed: Limits) -> int:
            if not allowed.exact:
                return sum(1 for _ in self.select(()))
            return self._connection.call("count", self._client.count, self._name, exact=True).count

        return self._limits.within(ask)

    def missing_indexes(self) -> list[str]:
        """Return the fields that searches filter by and that have no payload index here."""
        made = self._connection.call(
            f"look up {self._name}", self._client.get_collection, self._name
        ).payload_schema
        return [field for field in self._kind.indexes if field not in made]

    def add_indexes(self, fields: Collection[str]) -> None:
        """Add the payload indexes of these fields, and wait until they are built."""
        for field in fields:
            self._limits.within(partial(self._add_index, field))

    def settle(self) -> None:
        """Wait until the server has done all writes that it acknowledged.

        Raises IndexUnready after storage.ready_s seconds.
        """
        deadline = time.monotonic() + self._connection.settings.ready_s
        while not self._limits.within(partial(self._is_settled, deadline)):
            if time.monotonic() > deadline:
                raise IndexUnready(
                    f"{self._name} on {self._connection.location} has writes to do after "
                    f"{self._connection.settings.ready_s} s; look at the server's log, "
                    "or raise storage.ready_s."
                )

    def values(self, field: str) -> dict[str, int]:
        """Return the values of an indexed keyword field, most common first, with their counts."""
        return self._limits.within(partial(self._values, field))

    def search(self, *queries: Nearest) -> list[list[ScoredPoint]]:
        """Return the points nearest to each query, best first, in one request."""
        return search_possible(
            queries, lambda some: self._limits.within(partial(self._search, some))
        )

    def _search(self, queries: Sequence[Nearest], allowed: Limits) -> list[list[ScoredPoint]]:
        requests = [server_request(query, allowed.page(query.limit)) for query in queries]
        found = [
            response
            for some in batched(iter(requests), allowed.searches or len(requests))
            for response in self._connection.call(
                "search", self._client.query_batch_points, self._name, some
            )
        ]
        return [
            [
                ScoredPoint(str(hit.id), hit.score, values_of(hit.payload or {}, paths))
                for hit in response.points
            ]
            for response, paths in zip(found, map(_paths, queries), strict=True)
        ]

    def _values(self, field: str, allowed: Limits) -> dict[str, int]:
        if not allowed.exact or allowed.points is not None:
            counts = Counter(self._all_values(field))
            return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
        found = self._connection.call(
            f"count {field}", self._client.facet, self._name, field, limit=_MOST_VALUES, exact=True
        )
        # A facet still lists values whose points are deleted.
        return {str(hit.value): hit.count for hit in found.hits if hit.count}

    def _all_values(self, field: str) -> Iterator[str]:
        """Yield the field's values of each point; strict mode may allow no complete facet."""
        for record in self._scroll((), _SCROLL_PAGE, payload=[field], vectors=False):
            (value,) = values_of(record.payload or {}, [field.split(".")])
            yield from map(str, value if isinstance(value, list) else [value] * (value is not None))

    def _add_index(self, field: str, allowed: Limits) -> None:
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
                timeout=allowed.wait(self._connection.settings.ready_s),
            )

    def _is_settled(self, deadline: float, allowed: Limits) -> bool:
        """Wait for the writes as long as one request may; return whether they are done."""
        # Writes happen in their order: after this one, all acknowledged ones have happened.
        nobody = models.PointIdsList(points=[str(uuid.uuid4())])
        try:
            result = self._connection.call(
                f"finish {self._name}",
                self._client.delete,
                self._name,
                nobody,
                wait=True,
                timeout=allowed.wait(deadline - time.monotonic()),
            )
        except IndexUnreachable:
            # The client gives up after the same time, maybe before the answer "not yet" is here.
            if allowed.wait_s is None or time.monotonic() > deadline:
                raise
            return False
        return result.status != models.UpdateStatus.WAIT_TIMEOUT

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

        def ask(allowed: Limits) -> tuple[list[models.Record], Any]:
            return self._connection.call(
                "scroll",
                self._client.scroll,
                self._name,
                limit=allowed.page(page),
                offset=offset,
                with_payload=payload,
                with_vectors=vectors,
                scroll_filter=server_filter(where),
            )

        while not excludes_itself(where):
            records, offset = self._limits.within(ask)
            yield from records
            if offset is None:
                return

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


def _paths(query: Nearest) -> list[list[str]]:
    return [name.split(".") for name in query.fields]
