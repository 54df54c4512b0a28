"""Points of one upsert request, encoded by orjson."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storage.index import Point

_PIECE = 32
"""Points that are handed to the socket at once: single points take longer, all of them twice the
memory."""
_BEFORE, _BETWEEN, _BEHIND = b'{"points":[', b",", b"]}"


class Batch:
    """Points of one request: as they are, or encoded."""

    def __init__(self, ids: list[str], points: list[Point], encoded: list[bytes]) -> None:
        self.ids, self.points, self.encoded = ids, points, encoded

    def body(self) -> Iterator[bytes]:
        """Yield the request's body in pieces: joined, it would be in memory twice."""
        yield _BEFORE
        for start in range(0, len(self.encoded), _PIECE):
            yield (_BETWEEN if start else b"") + _BETWEEN.join(self.encoded[start : start + _PIECE])
        yield _BEHIND

    def body_bytes(self) -> int:
        """Return the length of the body."""
        between = len(_BETWEEN) * (len(self.encoded) - 1)
        return len(_BEFORE) + sum(map(len, self.encoded)) + between + len(_BEHIND)

    def halves(self) -> list[Batch]:
        """Return the two halves."""
        middle = len(self.ids) // 2
        return [
            Batch(self.ids[part], self.points[part], self.encoded[part])
            for part in (slice(middle), slice(middle, None))
        ]


def encode_point(point: Point) -> bytes:
    """Return the point as JSON for the REST interface."""
    vectors: dict[str, Any] = {
        **point.vectors,
        **{name: vector._asdict() for name, vector in point.sparse.items()},
    }
    return orjson.dumps(
        {"id": point.id, "vector": vectors, "payload": point.payload},
        option=orjson.OPT_SERIALIZE_NUMPY,
    )
