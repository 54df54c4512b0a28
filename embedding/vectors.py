"""The vectors of a sequence of texts, read from checkpoint files as they are asked for, and waited for where they are still made.

One thread asks; others announce files. Only rows that are asked for cost anything: a run in which nothing changed reads none.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from embedding.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from embedding.checkpoint import Checkpoint


class VectorTable:
    """Vectors in the order of the keys that were asked for, in a temporary file at `scratch`."""

    def __init__(
        self, checkpoint: Checkpoint, keys: NDArray[np.bytes_], scratch: Path, *, source: str = ""
    ) -> None:
        """Ask for the vectors of the keys, (n,) S16, of what the checkpoint holds now and of what is announced later."""
        self.source = source
        """Digest of the sequence of records whose vectors these are; see lsif.structure.SequenceDigest."""
        self.waited_s = 0.0
        """Seconds that were spent waiting for vectors."""
        self._checkpoint = checkpoint
        self._wanted, self._rows = np.unique(keys, return_inverse=True)
        self._found = np.zeros(len(self._wanted), dtype=bool)
        self._scratch = scratch
        self._matrix: NDArray[np.float32] | None = None
        self._old = deque(checkpoint.files())
        self._new: deque[str] = deque()
        self._dimension = checkpoint.dimension
        self._open = True
        self._failure: BaseException | None = None
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:
        """Return the rows as (n, dimension) float32. Raises CheckpointError where one is missing."""
        if (
            self._failure is not None
        ):  # told after all were there: whoever reads on works for nothing
            raise CheckpointError(
                f"vectors are not read any further: {self._failure}"
            ) from self._failure
        places = self._rows[rows]
        self._find(places)
        return (
            np.asarray(self._matrix[places])
            if self._matrix is not None
            else np.empty((0, 0), dtype=np.float32)
        )

    def row(self, row: int) -> Callable[[], NDArray[np.float32]]:
        """Return a function that returns the row, (dimension,) float32: it is read when it is needed."""
        return lambda: self[row : row + 1][0]

    @property
    def dimension(self) -> int:
        """Numbers in a vector. Raises CheckpointError where there will be no vector."""
        while self._dimension is None:
            self._wait(f"{self._checkpoint.location} holds no vector; embed first.")
        return self._dimension

    def announce(self, name: str, dimension: int) -> None:
        """Tell that the checkpoint has one more file, of vectors of that dimension."""
        with self._changed:
            self._new.append(name)
            self._dimension = self._dimension or dimension
            self._changed.notify_all()

    def no_more(self, failure: BaseException | None = None) -> None:
        """Tell that no file is announced any more; with a failure, who waits fails."""
        with self._changed:
            self._open, self._failure = False, self._failure or failure
            self._changed.notify_all()

    def complete(self) -> None:
        """Return once every vector is there. Raises CheckpointError where one is missing."""
        self._find(self._rows)

    def settle(self) -> None:
        """Return once no vector is made any more. Raises CheckpointError where one could not be made."""
        began = time.perf_counter()
        with self._changed:
            while self._open:
                self._changed.wait()
        self.waited_s += time.perf_counter() - began
        if self._failure is not None:
            raise CheckpointError(f"vectors are missing: {self._failure}") from self._failure

    def close(self) -> None:
        """Remove the temporary file."""
        self._matrix = None
        self._scratch.unlink(missing_ok=True)

    def _find(self, places: NDArray[np.intp]) -> None:
        """Read files until the vectors of the places (of `_wanted`) are there."""
        while not self._found[places].all():
            if self._new:
                self._read(self._new.popleft())
            elif self._old:
                self._read(self._old.popleft())
            else:
                lacking = int((~self._found).sum())
                self._wait(
                    f"{self._checkpoint.location} lacks {lacking} of {len(self._wanted)} vectors; run `lsif-ingest ingest` again."
                )

    def _wait(self, missing: str) -> None:
        """Wait for an announcement. Raises CheckpointError, with that message where none will come."""
        began = time.perf_counter()
        with self._changed:
            while self._open and not self._new:
                self._changed.wait()
            if self._failure is not None:
                raise CheckpointError(f"vectors are missing: {self._failure}") from self._failure
            if not self._new:
                raise CheckpointError(missing)
        self.waited_s += time.perf_counter() - began

    def _read(self, name: str) -> None:
        """Take the vectors of one file that are wanted."""
        file_keys, vectors = self._checkpoint.read(name)
        position = np.searchsorted(self._wanted, file_keys)
        position[position == len(self._wanted)] = 0
        hit = self._wanted[position] == file_keys
        if not hit.any():
            return
        if self._matrix is None:
            self._matrix = _allocate(self._scratch, (len(self._wanted), vectors.shape[1]))
        self._matrix[position[hit]] = vectors[hit]
        self._found[position[hit]] = True


def gather(checkpoint: Checkpoint, keys: NDArray[np.bytes_], scratch: Path) -> VectorTable:
    """Return the vectors of the keys, (n,) S16, in their order, in a temporary file at `scratch`.

    Raises CheckpointError if one is missing.
    """
    table = VectorTable(checkpoint, keys, scratch)
    table.no_more()
    try:
        table.complete()
    except BaseException:
        table.close()
        raise
    return table


def _allocate(scratch: Path, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return an array in a file whose room on the disk is taken already: a mapped file without room ends the process."""
    try:
        scratch.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("wb") as file:
            os.posix_fallocate(
                file.fileno(), 0, shape[0] * shape[1] * np.dtype(np.float32).itemsize
            )
        return np.memmap(scratch, dtype=np.float32, mode="r+", shape=shape)
    except OSError as exc:
        scratch.unlink(missing_ok=True)
        raise CheckpointError(
            f"can't make {scratch} for {shape[0]} vectors: {exc.strerror or exc}. Make room and run again."
        ) from exc
