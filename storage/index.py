"""The one interface to Qdrant: an Index has collections, each published as one of its generations.

A generation is built aside and never seen by a search until it is published; publishing is atomic. Both ends, the engine in the
process (embedded.py) and a server (server.py), keep this contract and run the same tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from configs.settings import StorageSettings
    from storage.schema import Metadata

Where: TypeAlias = "Mapping[str, str | int | bool]"
"""A filter: payload fields (dots for nested ones) and the values that they must equal, all of them."""

VECTORS = ("text", "code")
"""The named vectors of each point."""


@dataclass(frozen=True, slots=True)
class Point:
    """One structure on its way in."""

    id: str
    vectors: Mapping[str, NDArray[np.float32]]
    """One vector of L2 norm 1 a name."""
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ScoredPoint:
    """One structure on its way out."""

    id: str
    score: float
    """Cosine similarity, -1 to 1."""
    payload: dict[str, Any]


class Generation(Protocol):
    """One fully or partly built version of a collection."""

    @property
    def name(self) -> str:
        """Unique among the collection's generations."""

    @property
    def metadata(self) -> Metadata:
        """What it says of itself."""

    def upsert(self, points: Sequence[Point]) -> None:
        """Insert the points, or replace those of the same ids."""

    def set_payload(self, point_id: str, payload: dict[str, Any]) -> None:
        """Set these fields of the point's payload; the others and the vectors stay."""

    def delete(self, point_ids: Sequence[str]) -> None:
        """Delete the points; absent ones are no error."""

    def scroll(self) -> Iterator[tuple[str, str]]:
        """Yield (id, digest) of every point."""

    def count(self) -> int:
        """Return the exact number of points."""

    def search(self, using: str, vector: NDArray[np.float32], *, limit: int, where: Where | None = None) -> list[ScoredPoint]:
        """Return the `limit` points nearest to the vector by the named vector, best first."""

    def close(self) -> None:
        """Make everything durable and release the generation."""


class Index(Protocol):
    """Collections on one Qdrant. Methods raise the errors of storage.errors."""

    @property
    def location(self) -> str:
        """Folder or URL, without secrets."""

    def collections(self) -> list[str]:
        """Return the names of the published collections that this project made, sorted."""

    def live(self, collection: str) -> Generation | None:
        """Return the published generation, None where nothing is published under the name."""

    def writing(self, collection: str) -> AbstractContextManager[None]:
        """Hold the collection for writing. Raises IndexLocked where another process holds it."""

    def create(self, collection: str, metadata: Metadata) -> Generation:
        """Return a new, empty generation, not yet published."""

    def publish(self, collection: str, generation: Generation) -> None:
        """Make the generation the live one, atomically, and drop those that nobody searches any more. It is closed afterwards."""

    def drop(self, collection: str, generation: Generation) -> None:
        """Remove a generation that is not live."""

    def close(self) -> None:
        """Release everything."""


def open_index(settings: StorageSettings, data: str, environment: Mapping[str, str]) -> Index:
    """Return the server's index where the environment has QDRANT_URL, else the embedded one under the folder `data`."""
    url, api_key = environment.get("QDRANT_URL", "").strip(), environment.get("QDRANT_API_KEY", "").strip() or None
    if url:
        from storage.server import ServerIndex, connect  # noqa: PLC0415 - only one end is needed

        client = connect(url, api_key, timeout_s=settings.timeout_s, prefer_grpc=settings.prefer_grpc)
        return ServerIndex(client, url, api_key)
    from pathlib import Path  # noqa: PLC0415

    from storage.embedded import EmbeddedIndex  # noqa: PLC0415

    return EmbeddedIndex(Path(data) / "qdrant")
