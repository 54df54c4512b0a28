"""One query through its retrievers: which structures each finds in a generation, and how well they fit. Reads no records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from search.filters import BLOCK_FIELDS, STRUCTURE_FIELDS
from search.fusion import Candidate, Retriever
from search.hit import LineRange
from storage.index import Nearest
from storage.schema import SPARSE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from search.answer import Mode, Stopwatch
    from search.filters import Filters
    from storage.index import Condition, Generation
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

_USING: dict[Retriever, str] = {"text": "text", "code": "code", "bm25": SPARSE, "blocks": "code"}
_BLOCK_FIELDS = ("structure_id", "line_from", "line_to")


@dataclass(frozen=True, slots=True)
class Query:
    """A query's vectors, what it is confined to, and the clock that runs."""

    vectors: Mapping[Retriever, Vector]
    structures: tuple[Condition, ...] | None
    """None: nothing can fit."""
    blocks: tuple[Condition, ...] | None
    clock: Stopwatch

    @classmethod
    def of(
        cls,
        vectors: Mapping[Retriever, Vector],
        filters: Filters,
        files: Callable[[], Iterable[str]],
        clock: Stopwatch,
    ) -> Query:
        """Return the query; `files` gives the paths of the index."""
        with clock.phase("qdrant"):  # which is asked for the files where there are globs
            return cls(
                vectors,
                filters.conditions(STRUCTURE_FIELDS, files),
                filters.conditions(BLOCK_FIELDS, files),
                clock,
            )

    def run(self, generation: Generation, depth: int) -> dict[Retriever, list[Candidate]]:
        """Return what each retriever finds, best first, at most `depth` points; several blocks may be of one structure."""
        structures, blocks = self.structures, self.blocks
        if structures is None or blocks is None:
            return {retriever: [] for retriever in self.vectors}
        names = [retriever for retriever in self.vectors if retriever != "blocks"]
        found: dict[Retriever, list[Candidate]] = {}
        with self.clock.phase("qdrant"):
            if names:
                wanted = [
                    Nearest(_USING[retriever], self.vectors[retriever], depth, structures, ())
                    for retriever in names
                ]
                for retriever, points in zip(
                    names, generation.structures.search(*wanted), strict=True
                ):
                    found[retriever] = [Candidate(point.id, point.score) for point in points]
            if "blocks" in self.vectors:
                nearest = Nearest(
                    _USING["blocks"], self.vectors["blocks"], depth, blocks, _BLOCK_FIELDS
                )
                (points,) = generation.blocks.search(nearest)
                found["blocks"] = [
                    Candidate(structure_id, point.score, (LineRange(line_from, line_to),))
                    for point in points
                    for structure_id, line_from, line_to in (point.values,)
                ]
        return found
