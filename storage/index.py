"""The one interface to Qdrant: an index has collections, each published as one of its generations.

A generation holds two kinds of points, structures and blocks. It is built aside or brought up to
date, and searches don't see it before it is published; publishing is atomic. Both implementations,
storage.embedded and storage.server, keep this contract and pass the same tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from lsif.blocks import Block
    from lsif.structure import Structure
    from storage.generations import GenerationInfo
    from storage.metadata import Metadata
    from storage.query import Nearest, Row, ScoredPoint, Where
    from storage.sparse import SparseVector
    from storage.words import WordCounts

R = TypeVar("R")
"""Structure or Block."""
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Point:
    """One record on its way in."""

    id: str
    vectors: Mapping[str, NDArray[np.float32]]
    """The dense vectors by name."""
    payload: dict[str, Any]
    """Made by storage.schema."""
    sparse: Mapping[str, SparseVector] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredPoint(Generic[R_co]):
    """One record as it is stored."""

    id: str
    record: R_co
    vectors: dict[str, list[float]]
    """The dense vectors by name; empty if they were not asked for."""
    place: str = ""
    """What the point says of its position; see storage.schema.PLACE."""


class Rejection(NamedTuple):
    """A point that Qdrant did not take."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Health:
    """The state of the engine, or of a server and its cluster."""

    version: str
    """Empty if it is not known."""
    peers: int = 1
    """Machines of the cluster; 1 for a single server."""
    trouble: str = ""
    """What is wrong with the cluster; empty if nothing is, or the API key is not allowed to ask."""


class Points(Protocol[R]):
    """The points of one kind in a generation; their records are structures or blocks."""

    def upsert(self, points: Iterable[Point], *, wait: bool = False) -> list[Rejection]:
        """Insert the points, or replace those of the same ids; return those that were rejected.

        Only with `wait` are the rejected ones all known: a server declines others later, without
        a word, and then they are missing after `Generation.finish`.
        """

    def set_payloads(self, changes: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Set these payload fields of the points of these ids; all else stays as it is."""

    def delete(self, point_ids: Sequence[str]) -> None:
        """Delete the points; absent ones are no error."""

    def retrieve(self, point_ids: Sequence[str], *, vectors: bool = True) -> list[StoredPoint[R]]:
        """Return the points of these ids that exist, in no particular order."""

    def scroll(self, *, where: Where = (), vectors: bool = False) -> Iterator[StoredPoint[R]]:
        """Yield every point that meets the conditions, with its whole record."""

    def select(self, fields: Sequence[str], *, where: Where = ()) -> Iterator[Row]:
        """Yield these scalar fields of every point that meets the conditions.

        Nested fields are named with dots: `context.file_path`. PLACE is a field, too.
        """

    def count(self) -> int:
        """Return the exact number of points."""

    def missing_indexes(self) -> list[str]:
        """Return the fields that searches filter by and that have no payload index here.

        An earlier version, which did not filter by them, made the points.
        """

    def add_indexes(self, fields: Collection[str]) -> None:
        """Add the payload indexes of these fields; those that exist stay as they are."""

    def values(self, field: str) -> dict[str, int]:
        """Return the values of an indexed keyword field, the most common first.

        Each comes with the number of points that hold it.
        """

    def search(self, *queries: Nearest) -> list[list[ScoredPoint]]:
        """Return the points nearest to each query, best first, in one request."""


class Generation(Protocol):
    """One fully or partly built version of a collection."""

    @property
    def name(self) -> str:
        """Unique among the collection's generations."""

    @property
    def metadata(self) -> Metadata:
        """What it was made of and with, kept by Qdrant beside the points."""

    @property
    def structures(self) -> Points[Structure]:
        """One point a structure."""

    @property
    def blocks(self) -> Points[Block]:
        """One point a block."""

    def describe(self, metadata: Metadata) -> None:
        """Replace its metadata; durable when this returns."""

    def word_counts(self) -> WordCounts | None:
        """Return how many structures hold each word, None if Qdrant itself weighs words.

        Raises IndexDamaged if they can't be read.
        """

    def keep_word_counts(self, counts: WordCounts) -> None:
        """Replace these counts; durable when this returns."""

    def finish(self) -> None:
        """Wait until everything that was sent is stored and indexed.

        Raises IndexUnready if that takes too long.
        """

    def close(self) -> None:
        """Make everything durable and release the generation."""


class Index(Protocol):
    """Collections on one Qdrant. Methods raise the errors of storage.errors."""

    @property
    def location(self) -> str:
        """Folder or URL, without secrets."""

    @property
    def changes_in_place(self) -> bool:
        """Whether a sync writes to the live generation; otherwise it works on a copy."""

    def collections(self) -> list[str]:
        """Return the names of the published collections that this project made, sorted."""

    def live(self, collection: str) -> Generation | None:
        """Return the published generation, None if nothing is published under the name."""

    def state(self, collection: str) -> str | None:
        """Return a version token that changes with every publication; None if there is none.

        Cheaper than `live`.
        """

    def former(self, collection: str) -> Generation | None:
        """Return the newest complete generation before the live one, None if none was kept."""

    def writing(self, collection: str) -> AbstractContextManager[None]:
        """Hold the collection for writing.

        Raises IndexLocked if another process holds it, IndexMismatch if one of its names is
        another's, KeyRejected if the API key may not write.
        """

    def generations(self, collection: str) -> list[GenerationInfo]:
        """Return the collection's generations, oldest first: live, kept, and unfinished ones."""

    def open(self, collection: str, name: str) -> Generation:
        """Return a complete generation of the collection. Raises IndexMissing if it has none so."""

    def create(self, collection: str, metadata: Metadata) -> Generation:
        """Return a new, empty generation, not yet published."""

    def copy(self, collection: str, generation: Generation) -> Generation:
        """Return a copy of the generation, not yet published.

        Raises StorageError if `changes_in_place` is true.
        """

    def publish(self, collection: str, generation: Generation, *, keep: int = 1) -> None:
        """Make the generation the live one, atomically, and drop all older ones but `keep`.

        The one that was live is kept first. The generation is closed afterwards.
        """

    def drop(self, collection: str, generation: Generation) -> None:
        """Remove a generation that is not live."""

    def snapshot(self, generation: Generation) -> list[str]:
        """Have the server write snapshots of the generation; return their names.

        Raises StorageError if the index is embedded.
        """

    def health(self) -> Health:
        """Return its health.

        Raises IndexMismatch if it is too old, IndexUnreachable, KeyRejected.
        """

    def restriction(self, collection: str, candidates: int) -> str:
        """Return what limits of the server keep searches from, in words; empty if nothing.

        `candidates` is the number of points that each retriever asks for. Raises IndexMismatch if
        no run can end well within the limits, as far as the live generation shows.
        """

    def unfinished(self) -> list[GenerationInfo]:
        """Return the generations of any collection that runs build, or left when killed.

        An embedded index leaves out those of a process that is at work.
        """

    def remove_unfinished(self, collection: str) -> list[str]:
        """Remove what killed runs left of the collection; return the generations' names.

        The caller holds the project's lock in the data folder: what was begun there is dead.
        """

    def close(self) -> None:
        """Release everything."""
