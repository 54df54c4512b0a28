"""Rows on the disk that are read back in the order of their first number, some at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lsif.reader.spill import SpilledRows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_PIECE = 1 << 18
"""Rows of a piece, if not one key alone has more."""
_MOST_PIECES = 500
"""So many files at most; beyond that, pieces get larger."""


class Piece(NamedTuple):
    """The rows of consecutive keys."""

    begin: int
    end: int
    """Behind the last key."""
    rows: NDArray[np.int64]
    """In the order of their coming."""


class ScatteredRows:
    """Rows of numbers, of which the first is a key from 0; each piece of the keys has a file."""

    def __init__(self, folder: Path, width: int, counts: NDArray[np.int64]) -> None:
        """Make it empty; `counts` says for each key about how many rows it will have."""
        self._bounds = _bounds(counts)
        self._pieces = [SpilledRows(folder, width) for _ in self._bounds[1:]]
        self._width = width

    def add(self, rows: NDArray[np.int64]) -> None:
        """Add a block of rows, (n, width); rows of one key stay in the order of their coming."""
        of_piece = np.searchsorted(self._bounds, rows[:, 0], side="right") - 1
        order = np.argsort(of_piece, kind="stable")
        cuts = np.searchsorted(of_piece[order], np.arange(len(self._pieces) + 1))
        for piece, begin, end in zip(self._pieces, cuts[:-1], cuts[1:], strict=True):
            if begin < end:
                piece.extend(rows[order[begin:end]])

    def pieces(self) -> Iterator[Piece]:
        """Yield all pieces in the order of their keys, those without rows, too."""
        for begin, end, piece in self._each():
            blocks = [np.empty((0, self._width), dtype=np.int64), *piece.blocks()]
            yield Piece(begin, end, np.concatenate(blocks))
            piece.remove()

    def in_order(self) -> Iterator[NDArray[np.int64]]:
        """Yield all rows in blocks, by key; rows of one key are in the order of their coming.

        A key may have more rows than fit into memory.
        """
        for begin, end, piece in self._each():
            if end - begin == 1:
                yield from piece.blocks()
            else:
                rows = np.concatenate([np.empty((0, self._width), np.int64), *piece.blocks()])
                yield rows[np.argsort(rows[:, 0], kind="stable")]
            piece.remove()

    def _each(self) -> Iterator[tuple[int, int, SpilledRows]]:
        bounds = self._bounds.tolist()
        yield from zip(bounds[:-1], bounds[1:], self._pieces, strict=True)


def _bounds(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where pieces begin, and the number of keys as the end of the last one."""
    most = max(_PIECE, int(counts.sum()) // _MOST_PIECES)
    bounds, size = [0], 0
    for key, count in enumerate(counts.tolist()):
        if size and size + count > most:
            bounds.append(key)
            size = 0
        size += count
    return np.array([*bounds, len(counts)], dtype=np.int64)
