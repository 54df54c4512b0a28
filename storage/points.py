"""Records and their vectors as points, and points in batches of a size that a server takes."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar

from lsif.blocks import Block
from lsif.jsonl import SequenceDigest, count_records, read_blocks, read_structures
from lsif.structure import Structure
from storage.errors import StorageError
from storage.index import Point
from storage.schema import BLOCKS, SPARSE, STRUCTURES, R
from storage.sparse import document_vector

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from embedding.vectors import VectorTable
    from storage.schema import Kind
    from storage.sparse import SparseVector


T = TypeVar("T")

READ_AT_ONCE = 100
"""Points that are asked for by their ids in one request."""

Vectors: TypeAlias = "Mapping[str, Callable[[], NDArray[np.float32]]]"
"""Functions that return the named vectors, (dimension,) float32: few records of a sync need any."""


class PointDraft(Protocol):
    """A point that should be stored. What takes time is computed when it is asked for."""

    id: str
    digest: str
    place: str
    """See storage.schema.PLACE."""

    def label(self) -> str:
        """Return what people call it."""

    def references(self) -> int:
        """Return how many places refer to it; 0 for a block."""

    def payload(self) -> dict[str, Any]:
        """Return the point's payload."""

    def vectors(self) -> dict[str, NDArray[np.float32]]:
        """Return its dense vectors by name; none if they are not known."""

    def sparse(self) -> dict[str, SparseVector]:
        """Return its sparse vectors by name."""

    def point(self) -> Point:
        """Return the point, with its vectors."""


class RecordDraft(Generic[R]):
    """The point of a record; see PointDraft."""

    def __init__(self, kind: Kind[R], record: R, vectors: Vectors) -> None:
        self._kind, self.record, self._vectors = kind, record, vectors
        self.id, self.digest, self.place = record.id, record.digest, kind.place(record)

    def label(self) -> str:
        """See PointDraft."""
        return self._kind.label(self.record)

    def references(self) -> int:
        """See PointDraft."""
        return self.record.references if isinstance(self.record, Structure) else 0

    def payload(self) -> dict[str, Any]:
        """See PointDraft."""
        return self._kind.payload(self.record)

    def vectors(self) -> dict[str, NDArray[np.float32]]:
        """See PointDraft."""
        return {name: vector() for name, vector in self._vectors.items()}

    def sparse(self) -> dict[str, SparseVector]:
        """See PointDraft."""
        return {SPARSE: document_vector(self.record)} if isinstance(self.record, Structure) else {}

    def point(self) -> Point:
        """See PointDraft."""
        return Point(self.id, self.vectors(), self.payload(), self.sparse())


StructureDraft: TypeAlias = RecordDraft[Structure]
BlockDraft: TypeAlias = RecordDraft[Block]


def structure_draft(structure: Structure, vectors: Vectors) -> StructureDraft:
    """Return the point that a structure should be."""
    return RecordDraft(STRUCTURES, structure, vectors)


def block_draft(block: Block, vectors: Vectors) -> BlockDraft:
    """Return the point that a block should be."""
    return RecordDraft(BLOCKS, block, vectors)


class PointSource(Protocol):
    """Where points come from. Each call reads from the beginning, in the same order."""

    def structures(self) -> Iterator[PointDraft]:
        """Yield the points of structures.

        Raises StorageError if the records changed since their vectors were made.
        """

    def blocks(self) -> Iterator[PointDraft]:
        """Yield the points of blocks.

        Raises StorageError if the records changed since their vectors were made.
        """

    def structure_count(self) -> int:
        """Return how many structures there are, without making their points."""

    def settle(self) -> None:
        """Return once all vectors are made. Raises if one could not be made."""


class FileSource:
    """structures.jsonl and blocks.jsonl with vectors in the order of their lines."""

    def __init__(
        self,
        structures: Path,
        vectors: Mapping[str, VectorTable],
        blocks: Path | None = None,
        block_vectors: VectorTable | None = None,
    ) -> None:
        self._structures, self._vectors = structures, vectors
        self._blocks, self._block_vectors = blocks, block_vectors

    def structures(self) -> Iterator[PointDraft]:
        """See PointSource."""
        sequence, total = SequenceDigest(), min(len(table) for table in self._vectors.values())
        for row, structure in enumerate(read_structures(self._structures)):
            if row < total:
                yield structure_draft(
                    sequence.add(structure),
                    {name: table.row(row) for name, table in self._vectors.items()},
                )
            else:
                sequence.add(structure)
        if any(table.source != sequence.hexdigest() for table in self._vectors.values()):
            raise StorageError(
                f"{self._structures} changed since its vectors were gathered; run again."
            )

    def blocks(self) -> Iterator[PointDraft]:
        """See PointSource."""
        if self._blocks is None or self._block_vectors is None:
            return
        sequence, total = SequenceDigest(), len(self._block_vectors)
        for row, block in enumerate(read_blocks(self._blocks)):
            if row < total:
                yield block_draft(sequence.add(block), {"code": self._block_vectors.row(row)})
            else:
                sequence.add(block)
        if self._block_vectors.source != sequence.hexdigest():
            raise StorageError(
                f"{self._blocks} changed since its vectors were gathered; run again."
            )

    def structure_count(self) -> int:
        """See PointSource."""
        return count_records(self._structures)

    def settle(self) -> None:
        """See PointSource."""
        for table in [
            *self._vectors.values(),
            *([self._block_vectors] if self._block_vectors is not None else []),
        ]:
            table.settle()


class RecordSource:
    """structures.jsonl and blocks.jsonl without vectors: to compare an index with."""

    def __init__(self, structures: Path, blocks: Path | None = None) -> None:
        self._structures, self._blocks = structures, blocks

    def structures(self) -> Iterator[PointDraft]:
        """See PointSource."""
        return (structure_draft(structure, {}) for structure in read_structures(self._structures))

    def blocks(self) -> Iterator[PointDraft]:
        """See PointSource."""
        return (
            block_draft(block, {})
            for block in (read_blocks(self._blocks) if self._blocks is not None else ())
        )

    def structure_count(self) -> int:
        """See PointSource."""
        return count_records(self._structures)

    def settle(self) -> None:
        """See PointSource."""


def without(records: Iterable[PointDraft], ids: Container[str]) -> Iterator[PointDraft]:
    """Yield the records whose ids are not among `ids`."""
    return (record for record in records if record.id not in ids)


def batched(items: Iterator[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of `size`, the last maybe shorter."""
    while batch := list(islice(items, size)):
        yield batch
