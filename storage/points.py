"""Records and their vectors as points, and points in batches of a size that a server takes."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from lsif.blocks import Block, read_blocks
from lsif.structure import SequenceDigest, Structure, read_structures
from storage.errors import StorageError
from storage.index import Point
from storage.schema import (
    BLOCK_MOVING_FIELDS,
    MOVING_FIELDS,
    SPARSE,
    add_fields,
    label_of,
    place_of,
)
from storage.sparse import document_vector

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from embedding.vectors import VectorTable


T = TypeVar("T")

READ_AT_ONCE = 100
"""Points that are asked for by their ids in one request."""

Vectors: TypeAlias = "Mapping[str, Callable[[], NDArray[np.float32]]]"
"""Functions that look up the named vectors: most records of a sync need none."""


class Record(Protocol):
    """A point that is to be there. What takes time is made when it is asked for."""

    id: str
    digest: str
    place: str
    """See storage.schema.PLACE."""

    def label(self) -> str:
        """Return what people call it."""

    def payload(self) -> dict[str, Any]:
        """Return the point's payload."""

    def vectors(self) -> dict[str, NDArray[np.float32]]:
        """Return its dense vectors by name; none where they are not known."""

    def point(self) -> Point:
        """Return the point, with its vectors."""


class StructureRecord:
    """The record of a structure."""

    def __init__(self, structure: Structure, vectors: Vectors) -> None:
        self._structure, self._vectors = structure, vectors
        self.id, self.digest = structure.id, structure.digest
        self.place = place_of([getattr(structure, name) for name in MOVING_FIELDS])

    def label(self) -> str:
        """See Record."""
        return label_of(self._structure.to_payload())

    def payload(self) -> dict[str, Any]:
        """See Record."""
        return add_fields(
            self._structure.to_payload(), self._structure.context.file_path, self.place
        )

    def vectors(self) -> dict[str, NDArray[np.float32]]:
        """See Record."""
        return {name: vector() for name, vector in self._vectors.items()}

    def point(self) -> Point:
        """See Record."""
        return Point(
            self.id, self.vectors(), self.payload(), {SPARSE: document_vector(self._structure)}
        )


class BlockRecord:
    """The record of a block."""

    def __init__(self, block: Block, vectors: Vectors) -> None:
        self._block, self._vectors = block, vectors
        self.id, self.digest = block.id, block.digest
        self.place = place_of([getattr(block, name) for name in BLOCK_MOVING_FIELDS])

    def label(self) -> str:
        """See Record."""
        return label_of(self._block.to_payload())

    def payload(self) -> dict[str, Any]:
        """See Record."""
        return add_fields(
            {**self._block.to_payload(), "digest": self.digest}, self._block.file_path, self.place
        )

    def vectors(self) -> dict[str, NDArray[np.float32]]:
        """See Record."""
        return {name: vector() for name, vector in self._vectors.items()}

    def point(self) -> Point:
        """See Record."""
        return Point(self.id, self.vectors(), self.payload())


class Source(Protocol):
    """Where points come from. Each call reads from the beginning, in the same order."""

    def structures(self) -> Iterator[Record]:
        """Yield what becomes the points of structures. Raises StorageError where it changed since its vectors were made."""

    def blocks(self) -> Iterator[Record]:
        """Yield what becomes the points of blocks. Raises StorageError where it changed since its vectors were made."""

    def settle(self) -> None:
        """Return once no vector is made any more. Raises where one could not be made."""


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

    def structures(self) -> Iterator[Record]:
        """See Source."""
        sequence, total = SequenceDigest(), min(len(table) for table in self._vectors.values())
        for row, structure in enumerate(read_structures(self._structures)):
            if row < total:
                yield StructureRecord(
                    sequence.add(structure),
                    {name: table.row(row) for name, table in self._vectors.items()},
                )
            else:
                sequence.add(structure)
        if any(table.source != sequence.hexdigest() for table in self._vectors.values()):
            raise StorageError(
                f"{self._structures} changed since its vectors were gathered; run again."
            )

    def blocks(self) -> Iterator[Record]:
        """See Source."""
        if self._blocks is None or self._block_vectors is None:
            return
        sequence, total = SequenceDigest(), len(self._block_vectors)
        for row, block in enumerate(read_blocks(self._blocks)):
            if row < total:
                yield BlockRecord(sequence.add(block), {"code": self._block_vectors.row(row)})
            else:
                sequence.add(block)
        if self._block_vectors.source != sequence.hexdigest():
            raise StorageError(
                f"{self._blocks} changed since its vectors were gathered; run again."
            )

    def settle(self) -> None:
        """See Source."""
        for table in [
            *self._vectors.values(),
            *([self._block_vectors] if self._block_vectors is not None else []),
        ]:
            table.settle()


class RecordSource:
    """structures.jsonl and blocks.jsonl without vectors: to be compared with, not to be uploaded."""

    def __init__(self, structures: Path, blocks: Path | None = None) -> None:
        self._structures, self._blocks = structures, blocks

    def structures(self) -> Iterator[Record]:
        """See Source."""
        return (StructureRecord(structure, {}) for structure in read_structures(self._structures))

    def blocks(self) -> Iterator[Record]:
        """See Source."""
        return (
            BlockRecord(block, {})
            for block in (read_blocks(self._blocks) if self._blocks is not None else ())
        )

    def settle(self) -> None:
        """See Source."""


def without(records: Iterable[Record], ids: Container[str]) -> Iterator[Record]:
    """Yield the records whose ids are not among `ids`."""
    return (record for record in records if record.id not in ids)


def batched(items: Iterator[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of `size`, the last maybe shorter."""
    while batch := list(islice(items, size)):
        yield batch
