"""Whether an index holds exactly what the records say: every id, every content and place, and vectors that are vectors."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from storage.index import BLOCK_VECTORS, VECTORS
from storage.sync import difference, equal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from storage.index import Generation, Points, StoredPoint
    from storage.points import Record

_NAMED = 20
"""Problems that are spelled out; the others are counted."""
_NORM_TOLERANCE = 0.01
"""Half precision rounds a vector's length by less than a thousandth."""


@dataclass(frozen=True)
class VerifyReport:
    """What was looked at and what is wrong."""

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
    problems: list[str] = field(default_factory=list)
    """The first ones of each kind, in words."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.missing or self.different or self.unexpected or self.bad_vectors)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {**asdict(self), "ok": self.ok}


def verify(
    generation: Generation,
    structures: Callable[[], Iterable[Record]],
    blocks: Callable[[], Iterable[Record]],
    *,
    refused: Iterable[str] = (),
    sample: int | None = None,
) -> VerifyReport:
    """Compare the generation with the records; ids in `refused` are not expected.

    Vectors of all points are checked, or of about `sample` points of each kind.
    """
    skip = set(refused)
    totals = {"structures": 0, "blocks": 0, "points": 0, "vectors_checked": 0}
    wrong = {"missing": 0, "different": 0, "unexpected": 0, "bad_vectors": 0}
    problems: list[str] = []

    def note(kind: str, found: Sequence[str]) -> None:
        wrong[kind] += len(found)
        problems.extend(f"{kind.replace('_', ' ')}: {one}" for one in found[:_NAMED])

    for kind, points, records, names in (
        ("structures", generation.structures, structures, VECTORS),
        ("blocks", generation.blocks, blocks, BLOCK_VECTORS),
    ):
        as_it_should_be, stored, totals[kind] = equal(points, (one for one in records() if one.id not in skip))
        totals["points"] += stored
        if not as_it_should_be:
            found = difference(points, (one for one in records() if one.id not in skip))
            note("missing", list(found.added.values()))
            note("different", [*found.changed.values(), *found.moved.values()])
            note("unexpected", found.deleted)
        bad = []
        for one in _some(points, stored, sample):
            totals["vectors_checked"] += len(names)
            if fault := vector_fault(one, names):
                bad.append(fault)
        note("bad_vectors", bad)
    return VerifyReport(**totals, **wrong, problems=problems)


def vector_fault(point: StoredPoint, names: Sequence[str]) -> str | None:
    """Return what is wrong with the point's vectors, None where nothing is."""
    for name in names:
        vector = point.vectors.get(name)
        if not vector:
            return f"{point.id} has no vector {name!r}"
        norm = float(np.linalg.norm(np.asarray(vector, dtype=np.float64)))
        if not abs(norm - 1) <= _NORM_TOLERANCE:  # so that NaN is a fault
            return f"{point.id} has a vector {name!r} of length {norm:.4f}, expected 1"
    return None


def _some(points: Points, stored: int, sample: int | None) -> Iterator[StoredPoint]:
    """Yield all points with their vectors, or every so many-th."""
    if sample is None or stored <= sample:
        yield from points.scroll([], vectors=True)
        return
    step = -(-stored // sample)
    ids = [one.id for number, one in enumerate(points.scroll([])) if number % step == 0]
    for start in range(0, len(ids), 100):
        yield from points.retrieve(ids[start : start + 100])
