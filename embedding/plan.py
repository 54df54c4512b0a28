"""The three kinds of vectors of an index together: `text` and `code` of structures, `code` of blocks.

One thread brings records and asks for vectors, another has work units embedded and tells what became of them.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import orjson

from configs.workspace import BLOCKS_VECTOR
from embedding.checkpoint import Checkpoint
from embedding.embed import Embedding, EmbedReport, Known
from embedding.text import RECIPES
from lsif.blocks import Block
from lsif.structure import parse_structure
from machine.files import temporary_beside

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from embedding.encoder import Fingerprint
    from embedding.vectors import VectorTable
    from embedding.work_units import UnitReport, WorkUnit


class VectorPlan:
    """Takes lines of records, gives out work units of texts whose vectors are missing, and tables of all vectors."""

    def __init__(
        self,
        fingerprints: Mapping[str, Fingerprint],
        store: str,
        on_unit: Callable[[WorkUnit], None],
        *,
        rows_per_file: int,
        dtype: str,
    ) -> None:
        """Look through the checkpoint in `store`.

        `fingerprints` has one of each kind of vector: those of structures by name, and `blocks`. `on_unit` is
        called with each work unit as soon as it is written.
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
        self._recipes = {
            vector: RECIPES[fingerprint.recipe]
            for vector, fingerprint in fingerprints.items()
            if vector != BLOCKS_VECTOR
        }
        self._lock = threading.Lock()
        self._files: dict[str, list[tuple[str, int]]] = {digest: [] for digest in known}
        self._tables: dict[str, VectorTable] = {}
        self._failure: BaseException | None = None
        self._complete = False

    def take(self, structures: bytes, blocks: bytes = b"") -> None:
        """Take lines of structures.jsonl and blocks.jsonl into account. Raises what made embedding fail."""
        if self._failure is not None:
            raise self._failure
        for line in structures.splitlines():
            structure = parse_structure(line)
            for vector, recipe in self._recipes.items():
                self._give_out(self._embeddings[vector].add(structure, recipe(structure)))
        for line in blocks.splitlines():
            block = Block(**orjson.loads(line))
            self._give_out(self._embeddings[BLOCKS_VECTOR].add(block, block.snippet))

    def finish(self) -> None:
        """Give out the last work units."""
        for embedding in self._embeddings.values():
            self._give_out(embedding.finish())

    def begin(self, unit: WorkUnit) -> None:
        """Tell that the work unit is about to be embedded."""
        self._embeddings[unit.vector].begin()

    def done(self, unit: WorkUnit, report: UnitReport) -> None:
        """Tell that the work unit is embedded: who waits for its vectors gets them."""
        self._embeddings[unit.vector].done(unit, report)
        folder = self._embeddings[unit.vector].fingerprint.digest
        with self._lock:
            self._files[folder].append((report.file, report.dimension))
            for vector, table in self._tables.items():
                if self._embeddings[vector].fingerprint.digest == folder:
                    table.announce(report.file, report.dimension)

    def no_more(self, failure: BaseException | None = None) -> None:
        """Tell that no work unit is embedded any more; with a failure, who brings records or waits for vectors fails."""
        with self._lock:
            self._complete, self._failure = True, failure
            for table in self._tables.values():
                table.no_more(failure)

    def tables(self, structures: Path) -> dict[str, VectorTable]:
        """Return the vectors by name, and those of blocks, in the order of the records, in temporary files beside `structures`.

        Those that are not made yet are waited for when they are asked for. `close` removes the files.
        """
        with self._lock:
            self.close()  # of an earlier try
            for vector, embedding in self._embeddings.items():
                table = embedding.table(temporary_beside(structures.with_name(f"vectors-{vector}")))
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
        """Seconds for which vectors were waited for."""
        return sum(table.waited_s for table in self._tables.values())

    @property
    def progress(self) -> tuple[int, int]:
        """How many texts are embedded, and how many are known to be missing, those included."""
        embeddings = self._embeddings.values()
        return sum(one.embedded for one in embeddings), sum(one.planned for one in embeddings)

    def embeddings(self) -> list[Embedding]:
        """Return what is known of each kind of vector."""
        return list(self._embeddings.values())

    def reports(self) -> list[EmbedReport]:
        """Return what was done, for each kind of vector."""
        return [embedding.report() for embedding in self._embeddings.values()]

    def _give_out(self, unit: WorkUnit | None) -> None:
        if unit is not None:
            self._on_unit(unit)
