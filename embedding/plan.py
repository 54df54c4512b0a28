"""The vectors of an index together: `text` and `code` of structures, `code` of blocks.

One thread brings records and asks for vectors. Another has work units embedded and reports
their ends.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

from configs.workspace import BLOCKS_VECTOR, blocks_beside
from embedding.checkpoint import Checkpoint, as_keys
from embedding.embed import Embedding, EmbedReport, Known
from embedding.text import RECIPES
from embedding.vectors import VectorTable, gather
from lsif.jsonl import SequenceDigest, read_blocks, read_structures
from machine.files import temporary_beside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from embedding.encoder import Fingerprint
    from embedding.work_units import UnitReport, WorkUnit
    from lsif.blocks import Block
    from lsif.structure import Structure


class VectorPlan:
    """Takes records, gives out work units of missing vectors, and returns tables of all vectors."""

    def __init__(
        self,
        fingerprints: Mapping[str, Fingerprint],
        store: str,
        on_unit: Callable[[WorkUnit], None],
        *,
        rows_per_file: int,
        dtype: str,
    ) -> None:
        """Read which vectors the checkpoint in `store` holds.

        `fingerprints` has one for each kind of vector: those of structures, and `blocks`.
        `on_unit` is called with each work unit as soon as it is written.
        """
        self._on_unit = on_unit
        known: dict[str, Known] = {}
        self._embeddings: dict[str, Embedding] = {}
        for vector, fingerprint in fingerprints.items():
            if fingerprint.digest not in known:
                known[fingerprint.digest] = Known(Checkpoint(store, fingerprint, dtype))
            self._embeddings[vector] = Embedding(
                vector, fingerprint, known[fingerprint.digest], rows_per_file
            )
        self._recipes = [
            (self._embeddings[vector], RECIPES[fingerprint.recipe])
            for vector, fingerprint in fingerprints.items()
            if vector != BLOCKS_VECTOR
        ]
        self._structures, self._blocks = SequenceDigest(), SequenceDigest()
        self._lock = threading.Lock()
        self._files: dict[str, list[tuple[str, int]]] = {digest: [] for digest in known}
        self._tables: dict[str, VectorTable] = {}
        self._failure: BaseException | None = None
        self._complete = False

    def take(self, structures: Sequence[Structure], blocks: Sequence[Block] = ()) -> None:
        """Take the next records into account. Raises what made embedding fail."""
        if self._failure is not None:
            raise self._failure
        for structure in map(self._structures.add, structures):
            for embedding, recipe in self._recipes:
                self._give_out(embedding.add(recipe(structure)))
        for block in map(self._blocks.add, blocks):
            self._give_out(self._embeddings[BLOCKS_VECTOR].add(block.snippet))

    def finish(self) -> None:
        """Give out the last work units."""
        for embedding in self._embeddings.values():
            self._give_out(embedding.finish())

    def begin(self, unit: WorkUnit) -> None:
        """Note that the work unit is about to be embedded."""
        self._embeddings[unit.vector].begin()

    def done(self, unit: WorkUnit, report: UnitReport) -> None:
        """Note that the work unit is embedded, and hand its vectors to whoever waits for them."""
        self._embeddings[unit.vector].done(unit, report)
        folder = self._embeddings[unit.vector].fingerprint.digest
        with self._lock:
            self._files[folder].append((report.file, report.dimension))
            for vector, table in self._tables.items():
                if self._embeddings[vector].fingerprint.digest == folder:
                    table.announce(report.file, report.dimension)

    def no_more(self, failure: BaseException | None = None) -> None:
        """Note that no work unit will be embedded any more.

        After a failure, those who bring records or wait for vectors fail, too.
        """
        with self._lock:
            self._complete, self._failure = True, failure
            for table in self._tables.values():
                table.no_more(failure)

    def tables(self, structures: Path) -> dict[str, VectorTable]:
        """Return the vectors of each name, blocks included, in the order of their records.

        A vector that is not made yet is waited for when it is asked for. Temporary files lie
        beside `structures`; `close` removes them.
        """
        with self._lock:
            self.close()  # tables of an earlier try
            for vector, embedding in self._embeddings.items():
                source = self._blocks if vector == BLOCKS_VECTOR else self._structures
                table = embedding.table(_scratch(structures, vector), source.hexdigest())
                for name, dimension in self._files[embedding.fingerprint.digest]:
                    table.announce(name, dimension)
                if self._complete:
                    table.no_more(self._failure)
                self._tables[vector] = table
            return dict(self._tables)

    def close(self) -> None:
        """Remove the tables' temporary files."""
        for table in self._tables.values():
            table.close()

    @property
    def waited_s(self) -> float:
        """Seconds that were spent waiting for vectors."""
        return sum(table.waited_s for table in self._tables.values())

    @property
    def progress(self) -> tuple[int, int]:
        """How many texts are embedded, and how many are or will be, as far as is known."""
        embeddings = self._embeddings.values()
        return (
            sum(embedding.embedded for embedding in embeddings),
            sum(embedding.planned for embedding in embeddings),
        )

    def embeddings(self) -> list[Embedding]:
        """Return the state of each kind of vector."""
        return list(self._embeddings.values())

    def reports(self) -> list[EmbedReport]:
        """Return what was done for each kind of vector."""
        return [embedding.report() for embedding in self._embeddings.values()]

    def _give_out(self, unit: WorkUnit | None) -> None:
        if unit is not None:
            self._on_unit(unit)


@contextmanager
def gathered_vectors(
    fingerprints: Mapping[str, Fingerprint], store: str, structures: Path
) -> Iterator[dict[str, VectorTable]]:
    """Yield the tables of a VectorPlan for records whose vectors are all in the checkpoint.

    The records are those of `structures` and of the blocks.jsonl beside it. Raises
    CheckpointError if a vector is missing.
    """
    keys = {vector: bytearray() for vector in fingerprints}
    hashers = {vector: fingerprint.hasher() for vector, fingerprint in fingerprints.items()}
    recipes = {
        vector: RECIPES[fingerprint.recipe]
        for vector, fingerprint in fingerprints.items()
        if vector != BLOCKS_VECTOR
    }
    sequence, block_sequence = SequenceDigest(), SequenceDigest()
    for structure in map(sequence.add, read_structures(structures)):
        for vector, recipe in recipes.items():
            keys[vector] += hashers[vector](recipe(structure))
    for block in map(block_sequence.add, read_blocks(blocks_beside(structures))):
        keys[BLOCKS_VECTOR] += hashers[BLOCKS_VECTOR](block.snippet)
    with ExitStack() as stack:
        tables = {}
        for vector, fingerprint in fingerprints.items():
            checkpoint, scratch = Checkpoint(store, fingerprint), _scratch(structures, vector)
            table = gather(checkpoint, as_keys(keys[vector]), scratch)
            table.source = (block_sequence if vector == BLOCKS_VECTOR else sequence).hexdigest()
            tables[vector] = stack.enter_context(closing(table))
        yield tables


def _scratch(structures: Path, vector: str) -> Path:
    return temporary_beside(structures.with_name(f"vectors-{vector}"))
