"""Which structure is around a place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lsif.reader.follow import NOTHING

if TYPE_CHECKING:
    from numpy.typing import NDArray


def innermost(spans: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the index of the innermost span around each place, NOTHING where there is none.

    Spans are rows (begin, end), ends exclusive, one inside the other or apart. Of equal ones the
    last counts.
    """
    if not len(spans):
        return np.full(len(places), NOTHING, dtype=np.int64)
    order = np.lexsort([-spans[:, 1], spans[:, 0]])
    begins, ends = spans[order].T
    parents = np.array(_parents(ends.tolist(), begins.tolist()), dtype=np.int64)
    found = np.searchsorted(begins, places, side="right") - 1
    while len(outside := np.flatnonzero((found != NOTHING) & (ends[found] <= places))):
        found[outside] = parents[found[outside]]
    return np.where(found == NOTHING, NOTHING, order[found])


def _parents(ends: list[int], begins: list[int]) -> list[int]:
    """Return the next wider span around each; they are sorted by begin, the widest first."""
    parents, around = [], list[int]()
    for at, begin in enumerate(begins):
        while around and ends[around[-1]] <= begin:
            around.pop()
        parents.append(around[-1] if around else NOTHING)
        around.append(at)
    return parents
