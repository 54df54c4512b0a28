"""What stands where a dump defines `Self`: the type at the head of an impl block.

To rust-analyzer each `Self` refers to a definition of its own, at the head of the impl block around
it. What that shows is the type's, but for the path, which is that of the block's module. The names
at the head, which refer to something themselves, tell which type it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lsif.reader.follow import NOTHING

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LINE_BITS, _COLUMN_BITS = 24, 16
"""What is beyond these counts as the last line or column: names must agree, too."""


class Heads:
    """What the names inside the ranges of definitions refer to."""

    def __init__(
        self, files: NDArray[np.int64], ranges: NDArray[np.int64], extents: NDArray[np.int64]
    ) -> None:
        """Make it of definitions: numbers of the files (or NOTHING), ranges, and (4, n) extents."""
        line, column, end_line, end_column = extents
        is_name = np.flatnonzero((files != NOTHING) & (line != NOTHING) & (line == end_line))
        begins = _keys(files, line, column)[is_name]
        ends = _keys(files, line, end_column)[is_name]
        order = np.lexsort([-ends, begins])
        self._begins, self._ends = begins[order], ends[order]
        self._ranges = ranges[is_name][order]
        self._pairs: list[NDArray[np.int64]] = []

    def add(self, rows: NDArray[np.int64]) -> None:
        """Note those of the places (file, line, column, length, result) that are inside of one."""
        if not len(self._begins):
            return
        places = _keys(*rows[:, :3].T)
        # Of ranges that begin together, the widest: a type with its generics.
        last = np.searchsorted(self._begins, places, side="right") - 1
        first = np.searchsorted(self._begins, self._begins[last])
        is_inside = (last != NOTHING) & (places < self._ends[first])
        found = np.column_stack([self._ranges[first], rows[:, 4]])[is_inside]
        self._pairs.append(np.unique(found, axis=0))

    def by_range(self) -> dict[int, list[int]]:
        """Return the reference results of the names inside each range that has such."""
        found: dict[int, list[int]] = {}
        for pairs in self._pairs:
            for range_id, result in pairs.tolist():
                found.setdefault(range_id, []).append(result)
        return found


def _keys(
    files: NDArray[np.int64], lines: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return numbers that order places by file, line and column."""
    line = np.clip(lines, 0, (1 << _LINE_BITS) - 1)
    column = np.clip(columns, 0, (1 << _COLUMN_BITS) - 1)
    keys: NDArray[np.int64] = (files << _LINE_BITS | line) << _COLUMN_BITS | column
    return keys
