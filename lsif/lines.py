"""A source file as lines: positions in it and the text between them. Knows no language.

Rows and columns are 0-based. A line ends at a line feed; a carriage return belongs to its line.
A byte order mark takes no column.
"""

from __future__ import annotations

import re

from lsif.identifiers import identifier_at

_BOM = b"\xef\xbb\xbf"
_LONGEST_NAME = 4096
"""Bytes of an identifier that are looked at: a line may have millions."""
_UNIT_BYTES = {"utf-16": 2, "utf-32": 4}


class Lines:
    """The lines of a file. Raises UnicodeDecodeError if the bytes are not UTF-8."""

    def __init__(self, data: bytes) -> None:
        data.decode("utf-8")
        self._bom = len(_BOM) if data.startswith(_BOM) else 0
        self.data = data[self._bom :]
        """Without a byte order mark."""
        self._lines = data.split(b"\n")
        self._starts: list[int] | None = None

    def byte_column(self, row: int, column: int, encoding: str) -> int | None:
        """Return the byte column of a column in units of `encoding`, None if there is none."""
        line = self.line(row)
        if line is None:
            return None
        if line.isascii() or encoding == "utf-8":
            return column if column <= len(line) else None
        unit = _UNIT_BYTES[encoding]
        units = line.decode("utf-8").encode(f"{encoding}-le")
        if column * unit > len(units):
            return None
        try:
            return len(units[: column * unit].decode(f"{encoding}-le").encode("utf-8"))
        except UnicodeDecodeError:  # in the middle of a surrogate pair
            return None

    def offset(self, row: int, column: int) -> int:
        """Return the offset in `data` of a byte column."""
        if self._starts is None:
            self._starts = [0, *(match.end() for match in re.finditer(rb"\n", self.data))]
        return self._starts[row] + column

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

    def line(self, row: int) -> bytes | None:
        """Return the row without line feed and byte order mark, None if the file ends before it."""
        if row >= len(self._lines):
            return None
        return self._lines[row][self._bom :] if row == 0 else self._lines[row]


def squeeze(text: str) -> str:
    r"""Return the text with each run of white space replaced by one blank.

    >>> squeeze("a,\n    b ")
    'a, b'
    """
    return " ".join(text.split())
