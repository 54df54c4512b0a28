"""A source file as lines: positions in it and the text between them. Knows no language.

Rows and columns are 0-based. A line ends at a line feed; a carriage return belongs to its line.
A byte order mark takes no byte column; some indexers count it in theirs.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property
from typing import ClassVar, NamedTuple

from lsif.identifiers import identifier_at

_BOM = b"\xef\xbb\xbf"
_LONGEST_NAME = 4096
"""Bytes of an identifier that are looked at: a line may have millions."""
_SHORT = 1000
_LONGEST_LINE = 10_000
"""Bytes of a line in which characters are counted again and again."""
_UNIT_BYTES = {"utf-16": 2, "utf-32": 4}
_MARK_COLUMNS = {"utf-8": 3, "utf-16": 1, "utf-32": 1}


class _Place(NamedTuple):
    """A column in units of an encoding, and in bytes."""

    row: int
    column: int
    byte: int


class Lines:
    """The lines of a file. Raises UnicodeDecodeError if the bytes are not UTF-8."""

    counts_mark: ClassVar[bool] = False
    """Whether indexers count a byte order mark among the columns of the first line."""

    def __init__(self, data: bytes) -> None:
        data.decode("utf-8")
        self._bom = len(_BOM) if data.startswith(_BOM) else 0
        self.data = data[self._bom :]
        """Without a byte order mark."""
        self._lines = data.split(b"\n")
        self._is_ascii = self.data.isascii()
        self._last = _Place(0, 0, 0)

    def byte_column(self, row: int, column: int, encoding: str) -> int | None:
        """Return the byte column of a column in units of `encoding`, None if there is none."""
        line = self.line(row)
        column -= self._mark_columns(row, encoding)
        if line is None or column < 0:
            return None
        if encoding == "utf-8" or self._is_ascii or (len(line) < _SHORT and line.isascii()):
            return column if column <= len(line) else None
        # Most columns are asked for in their order, and a line may be as long as the file.
        begin = self._last
        if begin.row != row or begin.column > column:
            begin = _Place(row, 0, 0)
        at = _advance(line, begin.byte, column - begin.column, encoding)
        if at is not None:
            self._last = _Place(row, column, at)
        return at

    def identifier_at(self, row: int, column: int) -> str | None:
        """Return the identifier that begins at the byte column."""
        line = self.line(row)
        if line is None:
            return None
        end = column + _LONGEST_NAME
        return identifier_at(line[column:end].decode("utf-8", "replace")) or None

    def snippet(self, row_from: int, row_to: int) -> str:
        """Return the rows, both inclusive, as they are in the file, each ended by a newline."""
        return (b"\n".join(self._lines[row_from : row_to + 1]) + b"\n").decode("utf-8")

    def size(self, row_from: int, row_to: int) -> int:
        """Return the size in bytes of the rows, both inclusive."""
        return self.offset(row_to + 1) - self.offset(row_from)

    def offset(self, row: int, column: int = 0) -> int:
        """Return the offset in `data` of a byte column; its end for rows that the file lacks."""
        return self._starts[row] + column if row < len(self._starts) else len(self.data)

    def row_of(self, offset: int) -> int:
        """Return the row that the byte of `data` is in."""
        return bisect_right(self._starts, offset) - 1

    def place_of(self, offset: int, encoding: str) -> tuple[int, int]:
        """Return row and column, in units of `encoding`, of an offset in `data`.

        In a line that is longer than people write, the column is that of the byte.
        """
        row = self.row_of(offset)
        start = self._starts[row]
        mark = self._mark_columns(row, encoding)
        if encoding == "utf-8" or self._is_ascii or offset - start > _LONGEST_LINE:
            return row, mark + offset - start
        text = self.data[start:offset].decode("utf-8", "replace")
        return row, mark + len(text.encode(f"{encoding}-le")) // _UNIT_BYTES[encoding]

    def end_of(self, row: int) -> int:
        """Return the offset in `data` where the row ends, line feed excluded.

        It is the end of the data for rows that the file lacks.
        """
        is_last = row + 1 >= len(self._starts)
        return len(self.data) if is_last else self._starts[row + 1] - 1

    @property
    def counted(self) -> bytes:
        """The data as columns count it: with a byte order mark if it takes some."""
        return _BOM + self.data if self._bom and self.counts_mark else self.data

    def _mark_columns(self, row: int, encoding: str) -> int:
        """Return how many columns of the row a byte order mark takes."""
        return _MARK_COLUMNS[encoding] if self._bom and self.counts_mark and row == 0 else 0

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer(rb"\n", self.data))]

    def line(self, row: int) -> bytes | None:
        """Return the row without line feed and byte order mark, None if the file ends before it."""
        if row >= len(self._lines):
            return None
        return self._lines[row][self._bom :] if row == 0 and self._bom else self._lines[row]


def _advance(line: bytes, begin: int, columns: int, encoding: str) -> int | None:
    """Return the byte column that is so many columns behind the byte column `begin`.

    None if there is no such column, or if it is in the middle of a character.
    """
    size = columns * _UNIT_BYTES[encoding]
    # A column has at most 4 bytes of UTF-8.
    near = line[begin : begin + 4 * columns].decode("utf-8", "ignore").encode(f"{encoding}-le")
    if size > len(near):
        return None
    try:
        return begin + len(near[:size].decode(f"{encoding}-le").encode("utf-8"))
    except UnicodeDecodeError:  # in the middle of a surrogate pair
        return None


def squeeze(text: str) -> str:
    r"""Return the text with each run of white space replaced by one blank.

    >>> squeeze("a,\n    b ")
    'a, b'
    """
    return " ".join(text.split())
