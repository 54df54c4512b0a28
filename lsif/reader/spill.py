"""Rows of numbers on the disk: what grows with the places of a dump is not kept in memory."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_AT_ONCE = 1 << 18
"""Rows that are read at once."""
_WAITING = 1 << 12
"""Single rows that are written at once."""


class SpilledRows:
    """Rows of `width` int64 numbers in a file of their own; the folder is removed by its maker.

    Another process that gets them reads the same files. Only one may add rows.
    """

    def __init__(self, folder: Path, width: int) -> None:
        self._folder, self._width = folder, width
        self._own = folder / f"{uuid.uuid4().hex}.rows"
        self._paths = [self._own]
        self._waiting: list[tuple[int, ...]] = []

    def append(self, *row: int) -> None:
        """Add one row."""
        self._waiting.append(row)
        if len(self._waiting) >= _WAITING:
            self._flush()

    def extend(self, rows: NDArray[np.int64]) -> None:
        """Add a block, (n, width)."""
        if len(rows):
            with self._own.open("ab") as file:
                np.ascontiguousarray(rows, dtype=np.int64).tofile(file)

    def merge(self, other: SpilledRows) -> None:
        """Add the rows of another one, which has been left alone since."""
        other._flush()
        self._paths += other._paths

    def blocks(self) -> Iterator[NDArray[np.int64]]:
        """Yield all rows in blocks, (n, width), in no particular order."""
        self._flush()
        for path in self._paths:
            if not path.exists():  # no row was added
                continue
            with path.open("rb") as file:
                while (read := np.fromfile(file, np.int64, _AT_ONCE * self._width)).size:
                    yield read.reshape(-1, self._width)

    def remove(self) -> None:
        """Remove the rows; the disk may need the room before the folder goes."""
        for path in self._paths:
            path.unlink(missing_ok=True)

    def _flush(self) -> None:
        if self._waiting:
            rows, self._waiting = self._waiting, []
            self.extend(np.array(rows, dtype=np.int64))

    def __getstate__(self) -> dict[str, object]:
        self._flush()
        return dict(self.__dict__)
