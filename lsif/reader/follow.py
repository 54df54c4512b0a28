"""Follows edges: tables of numbers, looked up for all definitions at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_NEXT = 16
"""Longest chain of `next` edges that is followed; real ones have one or two. Cycles never end."""
NOTHING = -1
"""Where an edge leads nowhere."""


class Lookup:
    """Rows found by their first column; of rows that have the same, the largest counts."""

    def __init__(self, rows: NDArray[np.int64]) -> None:
        # Most tables of rust-analyzer's dumps are sorted.
        is_sorted = bool((rows[1:, 0] > rows[:-1, 0]).all())
        self._rows = rows if is_sorted else rows[np.lexsort(rows.T[::-1])]
        self._keys = np.ascontiguousarray(self._rows[:, 0])

    def __getitem__(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the second column for each key, -1 where there is none."""
        found: NDArray[np.int64] = self.rows(keys, missing=NOTHING)[0]
        return found

    def rows(self, keys: NDArray[np.int64], *, missing: int = 0) -> NDArray[np.int64]:
        """Return the columns after the first for each key, shape (width - 1, len(keys)).

        They are `missing` for keys that are absent.
        """
        if not len(self._keys):
            return np.full((self._rows.shape[1] - 1, len(keys)), missing, dtype=np.int64)
        at = np.maximum(np.searchsorted(self._keys, keys, side="right") - 1, 0)
        found = self._rows[at, 1:].T.copy()
        found[:, self._keys[at] != keys] = missing
        return found


def follow(owners: NDArray[np.int64], edge: Lookup, chain: Lookup) -> NDArray[np.int64]:
    """Return the ends of the owners' edges, or of those of the next result sets; -1 if none."""
    found, current = edge[owners], owners
    for _ in range(_MAX_NEXT):
        open_ends = np.flatnonzero((found == NOTHING) & (current != NOTHING))
        if not len(open_ends):
            break
        current = current.copy()
        current[open_ends] = chain[current[open_ends]]
        found[open_ends] = edge[current[open_ends]]
    return found


def count_references(references: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (result, places, documents) rows of (reference result, document, places) rows."""
    if not len(references):
        return np.empty((0, 3), dtype=np.int64)
    rows = references[np.lexsort((references[:, 1], references[:, 0]))]
    begins = np.flatnonzero(np.append(True, rows[1:, 0] != rows[:-1, 0]))
    new_document = np.append(True, (rows[1:, :2] != rows[:-1, :2]).any(axis=1))
    places = np.add.reduceat(rows[:, 2], begins)
    documents = np.add.reduceat(new_document.astype(np.int64), begins)
    return np.stack([rows[begins, 0], places, documents], axis=1)
