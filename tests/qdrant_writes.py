"""Writes as a Qdrant server does them: what nobody waits for is applied later, or declined.

The server acknowledges such a write before it looks at the vectors. If it declines the write then,
only its log says so. A wrong dimension declines the whole request; a vector of an unknown name
only its own point.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from qdrant_client import models
from qdrant_client.local.qdrant_local import QdrantLocal


class Refusal(Exception):
    """A status and a message, answered instead of a result."""


class _Write(NamedTuple):
    due: float
    collection: str
    operations: Sequence[models.UpdateOperation]


class Writes:
    """The writes to one server. The caller holds the lock of its data."""

    def __init__(self, local: QdrantLocal) -> None:
        self.lag_s = 0.02
        """Seconds until a write that nobody waits for is applied, unless another write waits."""
        self.log: list[str] = []
        """Why acknowledged writes were declined."""
        self.refused: set[str] = set()
        """Ids of points that are declined."""
        self._local = local
        self._waiting: list[_Write] = []
        self._sizes: dict[str, Mapping[str, int]] = {}
        self.before_delete: Callable[[str], None] = lambda _: None
        """Called with the collection before points of it are deleted."""

    def write(
        self,
        collection: str,
        operations: Sequence[models.UpdateOperation],
        sizes: Mapping[str, int],
        *,
        wait: bool,
    ) -> None:
        """Apply the operations, now or later. `sizes` has the dense vectors' dimensions."""
        self._sizes[collection] = sizes
        if wait:
            self.apply_waiting(collection)
            self._apply(collection, operations)
        else:
            self._waiting.append(_Write(time.monotonic() + self.lag_s, collection, operations))

    def apply_waiting(self, collection: str = "") -> None:
        """Apply what waits for the collection; without one, what has waited long enough."""
        now, due, later = time.monotonic(), list[_Write](), list[_Write]()
        for write in self._waiting:
            is_due = write.collection == collection or write.due <= now
            (due if is_due else later).append(write)
        self._waiting = later
        for write in due:
            if write.collection not in self._local.collections:
                continue
            try:
                self._apply(write.collection, write.operations)
            except (Refusal, ValueError) as declined:
                self.log.append(str(declined.args[-1]))

    def forget(self, collection: str) -> None:
        """Forget what waits for a collection that is deleted."""
        self._waiting = [write for write in self._waiting if write.collection != collection]

    def _apply(self, collection: str, operations: Sequence[models.UpdateOperation]) -> None:
        for operation in operations:
            if isinstance(operation, models.UpsertOperation):
                self._upsert(collection, operation)
                continue
            if isinstance(operation, models.DeleteOperation):
                self.before_delete(collection)
            try:
                self._local.batch_update_points(collection, [operation])
            except KeyError as missing:  # the points that are there have got theirs
                raise Refusal(404, f"Not found: No point with id {missing.args[0]} found") from None

    def _upsert(self, collection: str, operation: models.UpsertOperation) -> None:
        points, unknown = list(_points(operation.upsert)), ""
        sizes, sound = self._sizes[collection], list[models.PointStruct]()
        for point in points:
            if str(point.id) in self.refused:
                raise Refusal(400, f"Wrong input: point {point.id} is refused")
            named = point.vector if isinstance(point.vector, dict) else {"": point.vector}
            for name, vector in named.items():
                if isinstance(vector, list) and name in sizes and len(vector) != sizes[name]:
                    raise Refusal(
                        400,
                        "Wrong input: Vector dimension error: "
                        f"expected dim: {sizes[name]}, got {len(vector)}",
                    )
            strange = [
                name
                for name, vector in named.items()
                if isinstance(vector, list) and name not in sizes
            ]
            unknown = unknown or next(iter(strange), "")
            sound += [] if strange else [point]
        if not unknown:
            self._local.batch_update_points(collection, [operation])
            return
        if sound:
            self._local.upsert(collection, sound)
        raise Refusal(400, f"Wrong input: Not existing vector name error: {unknown}")


def _points(upsert: models.PointsBatch | models.PointsList) -> Iterator[models.PointStruct]:
    """Yield the points of either form."""
    if isinstance(upsert, models.PointsList):
        yield from upsert.points
        return
    batch = upsert.batch
    for row, (point_id, payload) in enumerate(
        zip(batch.ids, batch.payloads or [None] * len(batch.ids), strict=True)
    ):
        vectors: Any = batch.vectors
        vector = (
            {name: column[row] for name, column in vectors.items()}
            if isinstance(vectors, dict)
            else vectors[row]
        )
        yield models.PointStruct(id=point_id, vector=vector, payload=payload)


def dense_sizes(config: Mapping[str, Any]) -> dict[str, int]:
    """Return the dimensions of the dense vectors that a collection was made with, by name."""
    vectors = config.get("vectors") or {}
    named: Iterable[tuple[str, Any]] = (
        [("", vectors)] if "size" in vectors else dict(vectors).items()
    )
    return {name: params["size"] for name, params in named}
