"""One query through the retrievers of its mode: candidates in a generation. Reads no records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from search.filters import BLOCK_FIELDS, STRUCTURE_FIELDS
from search.fusion import Candidate, Retriever
from search.hit import LineRange
from storage.query import Condition, Nearest
from storage.schema import SPARSE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from search.answer import Mode, Stopwatch
    from search.filters import Filters
    from storage.index import Generation
    from storage.sparse import SparseVector

    Vector: TypeAlias = NDArray[np.float32] | SparseVector

RETRIEVERS_OF: Mapping[Mode, tuple[Retriever, ...]] = {
    "hybrid": ("text", "code", "bm25", "blocks"),
    "merged": ("text", "code", "blocks"),
    "text": ("text",),
    "code": ("code",),
    "bm25": ("bm25",),
    "blocks": ("blocks",),
}
"""The retrievers of each mode of a search."""

SIMILAR: Mapping[Mode, tuple[Retriever, ...]] = {
    "hybrid": ("text", "code"),
    "text": ("text",),
    "code": ("code",),
}
"""The retrievers of each mode in which structures are compared: a structure has these vectors."""

_USING: dict[Retriever, str] = {"text": "text", "code": "code", "bm25": SPARSE, "blocks": "code"}
"""The named vector that each retriever searches by."""
_BLOCK_FIELDS = ("structure_id", "line_from", "line_to")


@dataclass(frozen=True, slots=True)
class Query:
    """The vectors of a query, its filters, and the clock of its answer."""

    vectors: Mapping[Retriever, Vector]
    structures: tuple[Condition, ...] | None
    """None if nothing can match."""
    blocks: tuple[Condition, ...] | None
    clock: Stopwatch
    absent: tuple[Condition, ...] = ()
    """Conditions on structures that are searched as if they were not in the index."""
    has_edges: bool = False
    """Whether blocks lack what structures are filtered by."""

    @classmethod
    def of(
        cls,
        vectors: Mapping[Retriever, Vector],
        filters: Filters,
        files: Callable[[], Iterable[str]],
        clock: Stopwatch,
        without: Collection[str] = (),
        edges: Sequence[Condition] = (),
    ) -> Query:
        """Return the query; `files` returns the paths of the index.

        Structures of the ids `without`, and their blocks, are not found. `edges` are further
        conditions on structures.
        """
        with clock.phase("qdrant"):  # globs ask it for the files
            structures = filters.conditions(STRUCTURE_FIELDS, files)
            blocks = filters.conditions(BLOCK_FIELDS, files)
        if structures is None or blocks is None:
            return cls(vectors, None, None, clock)
        absent = (Condition("id", tuple(without), negated=True),) if without else ()
        of_absent = (Condition("structure_id", tuple(without), negated=True),) if without else ()
        structures, blocks = (*structures, *edges, *absent), (*blocks, *of_absent)
        return cls(vectors, structures, blocks, clock, absent, has_edges=bool(edges))

    def run(self, generation: Generation, depth: int) -> dict[Retriever, list[Candidate]]:
        """Return what each retriever finds, best first, at most `depth` points.

        Several blocks of one structure are several candidates.
        """
        if self.structures is None or self.blocks is None:
            return {retriever: [] for retriever in self.vectors}
        found: dict[Retriever, list[Candidate]] = {}
        with self.clock.phase("qdrant"):
            names = [name for name in self.vectors if name != "blocks"]
            if names:
                queries = [
                    Nearest(_USING[name], self.vectors[name], depth, self.structures, ())
                    for name in names
                ]
                for name, points in zip(names, generation.structures.search(*queries), strict=True):
                    found[name] = [Candidate(point.id, point.score) for point in points]
            if "blocks" in self.vectors:
                vector = self.vectors["blocks"]
                where = self._of_blocks(generation)
                nearest = Nearest(_USING["blocks"], vector, depth, where, _BLOCK_FIELDS)
                (points,) = generation.blocks.search(nearest)
                found["blocks"] = [
                    Candidate(structure_id, point.score, (LineRange(line_from, line_to),))
                    for point in points
                    for structure_id, line_from, line_to in (point.values,)
                ]
        return found

    def _of_blocks(self, generation: Generation) -> tuple[Condition, ...]:
        """Return what blocks must meet: of edges, only their structures know."""
        if not self.has_edges:
            return self.blocks or ()
        rows = generation.structures.select((), where=self.structures or ())
        return (Condition("structure_id", tuple(row.id for row in rows)),)
