"""The one interface to Qdrant: an Index has collections, each published as one of its generations.

A generation holds two kinds of points, structures and blocks. It is built aside, or brought up to date, and never seen by a search
before it is published; publishing is atomic. Both ends, the engine in the process (embedded.py) and a server (server.py), keep this
contract and run the same tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from configs.settings import StorageSettings
    from storage.schema import Metadata
    from storage.sparse import SparseVector

Value: TypeAlias = str | int | bool


class Condition(NamedTuple):
    """What a payload field (dots for nested ones) must hold: one of the values, or negated none of them."""

    field: str
    values: tuple[Value, ...]
    negated: bool = False


Where: TypeAlias = "Sequence[Condition]"
"""A filter: conditions that a point must meet, all of them."""

VECTORS = ("text", "code")
"""The named vectors of each structure's point."""

BLOCK_VECTORS = ("code",)
"""The named vectors of each block's point."""


@dataclass(frozen=True, slots=True)
class Point:
    """One structure or block on its way in."""

    id: str
    vectors: Mapping[str, NDArray[np.float32]]
    """One vector a name."""
    payload: dict[str, Any]
    sparse: Mapping[str, SparseVector] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredPoint:
    """One structure or block as it is stored."""

    id: str
    payload: dict[str, Any]
    vectors: dict[str, list[float]]
    """Dense ones; empty where they were not asked for."""


@dataclass(frozen=True, slots=True)
class ScoredPoint:
    """One structure or block that a search found."""

    id: str
    score: float
    """Cosine similarity, -1 to 1; of a sparse vector its dot product."""
    payload: dict[str, Any]


class Refusal(NamedTuple):
    """A point that Qdrant would not take."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Health:
    """The state of the engine, of a server, or of the cluster that it belongs to."""

    version: str
    """As it says it; empty where it says none."""
    peers: int = 1
    """Machines of the cluster; 1 of a server alone."""
    trouble: str = ""
    """What is wrong with the cluster; empty where nothing is, or the key may not ask."""


class Points(Protocol):
    """The points of one kind in a generation."""

    def upsert(self, points: Iterable[Point]) -> list[Refusal]:
        """Insert the points, or replace those of the same ids; return those that were refused. The others are there."""

    def set_payloads(self, changes: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Set these fields of the points of these ids; their other fields and their vectors stay."""

    def delete(self, point_ids: Sequence[str]) -> None:
        """Delete the points; absent ones are no error."""

    def scroll(
        self, fields: Sequence[str] | None = None, *, vectors: bool = False, where: Where = ()
    ) -> Iterator[StoredPoint]:
        """Yield every point that meets the conditions, with these fields of its payload (None: all)."""

    def retrieve(self, point_ids: Sequence[str], *, vectors: bool = True) -> list[StoredPoint]:
        """Return the points of these ids that are there, with payload, in no particular order."""

    def count(self) -> int:
        """Return the exact number of points."""

    def values(self, field: str) -> dict[str, int]:
        """Return the values of an indexed keyword field, with the number of points that hold each, the commonest first."""

    def search(self, *queries: Nearest) -> list[list[ScoredPoint]]:
        """Return the points nearest to each query, best first, in one request."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """A query: the points nearest to a vector by a named vector."""

    using: str
    vector: NDArray[np.float32] | SparseVector
    limit: int
    where: Where = ()
    fields: tuple[str, ...] | None = None
    """Fields of the payload that are returned; None: all."""


class Generation(Protocol):
    """One fully or partly built version of a collection."""

    @property
    def name(self) -> str:
        """Unique among the collection's generations."""

    @property
    def metadata(self) -> Metadata:
        """What it says of itself."""

    @property
    def structures(self) -> Points:
        """One point a structure."""

    @property
    def blocks(self) -> Points:
        """One point a block."""

    def describe(self, metadata: Metadata) -> None:
        """Replace what it says of itself; durable when this returns."""

    def finish(self) -> None:
        """Wait until everything that was sent is stored and indexed. Raises IndexUnready where that takes too long."""

    def close(self) -> None:
        """Make everything durable and release the generation."""


class Index(Protocol):
    """Collections on one Qdrant. Methods raise the errors of storage.errors."""

    @property
    def location(self) -> str:
        """Folder or URL, without secrets."""

    @property
    def changes_in_place(self) -> bool:
        """Whether a live generation may be written to; else a sync works on a copy."""

    def collections(self) -> list[str]:
        """Return the names of the published collections that this project made, sorted."""

    def live(self, collection: str) -> Generation | None:
        """Return the published generation, None where nothing is published under the name."""

    def state(self, collection: str) -> str | None:
        """Return a text that changes whenever what is published does, None where nothing is; cheaper than `live`."""

    def former(self, collection: str) -> Generation | None:
        """Return the complete generation that was made last before the live one, None where none was kept."""

    def writing(self, collection: str) -> AbstractContextManager[None]:
        """Hold the collection for writing. Raises IndexLocked where another process holds it."""

    def create(self, collection: str, metadata: Metadata) -> Generation:
        """Return a new, empty generation, not yet published. What killed runs left behind is removed."""

    def copy(self, collection: str, generation: Generation) -> Generation:
        """Return a new generation with the same points, not yet published. Only where `changes_in_place` is false."""

    def publish(self, collection: str, generation: Generation, *, keep: int = 1) -> None:
        """Make the generation the live one, atomically, and drop all older ones but `keep`. It is closed afterwards."""

    def drop(self, collection: str, generation: Generation) -> None:
        """Remove a generation that is not live."""

    def health(self) -> Health:
        """Return its health. Raises IndexMismatch where it is older than what this needs, IndexUnreachable, IndexRefused."""

    def half_built(self) -> list[str]:
        """Return the generations, of any collection, that killed runs left behind: folders, or names on the server."""

    def close(self) -> None:
        """Release everything."""


def open_index(settings: StorageSettings, folder: Path, environment: Mapping[str, str]) -> Index:
    """Return the server's index if the environment has QDRANT_URL, else the embedded one in the folder."""
    url, api_key = (
        environment.get("QDRANT_URL", "").strip(),
        environment.get("QDRANT_API_KEY", "").strip() or None,
    )
    if url:
        from storage.server.connection import Connection, connect  # noqa: PLC0415 - only one end is needed
        from storage.server.index import ServerIndex  # noqa: PLC0415

        return ServerIndex(Connection(connect(url, api_key, settings), url, settings, api_key))
    from storage.embedded.index import EmbeddedIndex  # noqa: PLC0415

    return EmbeddedIndex(folder)
