"""Positions as numbers, and columns in UTF-16 code units, whatever unit a dump counts in."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LAST = (1 << 31) - 1
"""Largest line and column that a position distinguishes."""


def position(line: int, column: int) -> int:
    """Return a number that orders positions; both are 0-based."""
    return min(line, _LAST) << 32 | min(column, _LAST)


def positions(lines: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the same for many positions."""
    return np.minimum(lines, _LAST) << 32 | np.minimum(columns, _LAST)


class Excess(NamedTuple):
    """The characters of a file that have more or fewer units in its encoding than in UTF-16."""

    ends: NDArray[np.int64]
    """Positions behind them, sorted, in units of the encoding."""
    totals: NDArray[np.int64]
    """Units of the encoding less those of UTF-16: 0, then the sum up to each of the characters."""

    def take_from(self, rows: NDArray[np.int64]) -> None:
        """Change rows (line, column, length), 0-based, to UTF-16 code units."""
        lines, columns, lengths = rows.T
        ends = self._in_utf_16(lines, columns + lengths)
        rows[:, 1] = self._in_utf_16(lines, columns)
        rows[:, 2] = ends - rows[:, 1]

    def _in_utf_16(self, lines: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.int64]:
        at = self.totals[np.searchsorted(self.ends, positions(lines, columns), side="right")]
        before = self.totals[np.searchsorted(self.ends, positions(lines, np.zeros_like(columns)))]
        return columns - (at - before)


def excess_of(text: bytes, encoding: str) -> Excess | None:
    """Return how the columns of a text differ from those in UTF-16; None if they don't.

    The text is UTF-8; a byte order mark in it is a character.
    """
    if encoding == "utf-16" or text.isascii():
        return None
    data = np.frombuffer(text, dtype=np.uint8)
    leads = np.flatnonzero(data >= 0xC0)  # noqa: PLR2004 - the first byte of 2, 3 or 4
    sizes = 2 + (data[leads] >= 0xE0) + (data[leads] >= 0xF0).astype(np.int64)  # noqa: PLR2004
    units = sizes if encoding == "utf-8" else np.ones_like(sizes)
    starts = np.append(0, np.flatnonzero(data == ord("\n")) + 1)
    rows = np.searchsorted(starts, leads, side="right") - 1
    narrower = np.append(0, np.cumsum(sizes - units))
    in_row = narrower[1:] - narrower[np.searchsorted(leads, starts[rows])]
    more = units - np.where(sizes == 4, 2, 1)  # noqa: PLR2004 - those are surrogate pairs
    return Excess(
        positions(rows, leads + sizes - starts[rows] - in_row), np.append(0, np.cumsum(more))
    )
