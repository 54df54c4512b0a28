"""Compares an index with records: all ids, contents and positions, and vectors."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from storage.errors import IndexDamaged
from storage.indexes import missing_indexes
from storage.points import READ_AT_ONCE, batched, without
from storage.schema import BLOCK_VECTORS, BLOCKS, STRUCTURES, VECTORS
from storage.sync import difference, sum_of, sum_of_drafts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from storage.index import Generation, StoredPoint
    from storage.points import PointDraft

_NAMED = 20
"""Problems of each kind that are described; all are counted."""
_LEAST_COSINE = 0.999
"""To the vector that was computed: half precision and a server's rounding stay above it."""
_NORM_TOLERANCE = 0.01
"""Half precision rounds a vector's length by less than a thousandth."""


@dataclass(frozen=True)
class VerifyReport:
    """What was compared, and what is wrong."""

    structures: int
    """Records, as are the next."""
    blocks: int
    points: int
    """Of both kinds, as stored."""
    vectors_checked: int
    missing: int = 0
    different: int = 0
    unexpected: int = 0
    bad_vectors: int = 0
    bad_places: int = 0
    """1 if the file of places is damaged: see lsif.references.places."""
    problems: list[str] = field(default_factory=list)
    """The first ones of each kind, in words."""
    missing_indexes: list[str] = field(default_factory=list)
    """Payload fields whose index an earlier version had not made. Nothing is wrong with the points:
    searches by these fields are slower."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        of_points = self.missing or self.different or self.unexpected or self.bad_vectors
        return not (of_points or self.bad_places)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {**asdict(self), "ok": self.ok}


def verify(
    generation: Generation,
    structures: Callable[[], Iterable[PointDraft]],
    blocks: Callable[[], Iterable[PointDraft]],
    *,
    rejected: Iterable[str] = (),
    sample: int | None = None,
) -> VerifyReport:
    """Compare the generation with what should be stored; ids in `rejected` should not be.

    The vectors of all points are checked, or of about `sample` points of each kind. Drafts that
    have vectors are compared with them.
    """
    skip = set(rejected)
    totals = {"structures": 0, "blocks": 0, "points": 0, "vectors_checked": 0}
    wrong = {"missing": 0, "different": 0, "unexpected": 0, "bad_vectors": 0}
    problems: list[str] = []

    def note(problem: str, found: Sequence[str]) -> None:
        wrong[problem] += len(found)
        problems.extend(f"{problem.replace('_', ' ')}: {item}" for item in found[:_NAMED])
        if len(found) > _NAMED:
            problems.append(f"{problem.replace('_', ' ')}: {len(found) - _NAMED:,} more")

    for name, points, drafts, kind in (
        ("structures", generation.structures, structures, STRUCTURES),
        ("blocks", generation.blocks, blocks, BLOCKS),
    ):
        stored, wanted = sum_of(points), sum_of_drafts(without(drafts(), skip))
        totals["points"] += stored.count
        totals[name] = wanted.count
        if stored != wanted:
            found = difference(points, without(drafts(), skip))
            note("missing", list(found.added.values()))
            note("different", [*found.changed.values(), *found.moved.values()])
            note("unexpected", found.deleted)
        step = 1 if sample is None else max(1, -(-stored.count // sample))
        bad = []
        for batch in batched(islice(without(drafts(), skip), None, None, step), READ_AT_ONCE):
            vectors = {draft.id: draft.vectors() for draft in batch}
            for point in points.retrieve(list(vectors)):
                totals["vectors_checked"] += len(kind.vectors)
                if fault := vector_fault(point, kind.vectors, vectors[point.id]):
                    bad.append(fault)
        note("bad_vectors", bad)
    return VerifyReport(
        **totals, **wrong, problems=problems, missing_indexes=missing_indexes(generation)
    )


def is_sound(generation: Generation, *, sample: int) -> bool:
    """Return whether about `sample` points of each kind can be read and have sound vectors."""
    try:
        both = ((generation.structures, VECTORS), (generation.blocks, BLOCK_VECTORS))
        for points, names in both:
            step = max(1, -(-points.count() // sample))
            ids = [row.id for row in islice(points.select(()), None, None, step)]
            for batch in batched(iter(ids), READ_AT_ONCE):
                if any(vector_fault(point, names, {}) for point in points.retrieve(batch)):
                    return False
    except IndexDamaged:
        return False
    return True


def vector_fault(
    point: StoredPoint[object], names: Sequence[str], wanted: Mapping[str, NDArray[np.float32]]
) -> str | None:
    """Return what is wrong with the point's vectors, None if nothing is.

    Vectors in `wanted` are compared; others need only have a norm of 1.
    """
    for name in names:
        vector = np.asarray(point.vectors.get(name) or (), dtype=np.float64)
        if not vector.size:
            return f"{point.id} has no vector {name!r}"
        norm = float(np.linalg.norm(vector))
        if not abs(norm - 1) <= _NORM_TOLERANCE:  # so that NaN is a fault
            return f"{point.id} has a vector {name!r} of length {norm:.4f}, expected 1"
        if name in wanted:
            expected = np.asarray(wanted[name], dtype=np.float64)
            cosine = (
                float(vector @ expected / np.linalg.norm(expected))
                if expected.shape == vector.shape
                else 0.0
            )
            if not cosine >= _LEAST_COSINE:
                return (
                    f"{point.id} has another vector {name!r} than its text's (cosine {cosine:.4f})"
                )
    return None
