"""The vectors of a sequence of texts, read from checkpoint files as they are asked for.

Vectors that are still being made are waited for. One thread asks, others announce files. Only rows
that are asked for cost anything: a run in which nothing changed reads none.
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
        """Ask for the vectors of the keys, (n,) S16.

        They may be in the checkpoint now, or in files that are announced later.
        """
        self.source = source
        """Digest of the records whose vectors these are, in their order: see SequenceDigest."""
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
        """Return the rows as (n, dimension) float32. Raises CheckpointError if one is missing."""
        self._check()
        positions = self._rows[rows]
        self._find(positions)
        if self._matrix is None:
            return np.empty((0, 0), dtype=np.float32)
        return self._matrix[positions]

    def row(self, row: int) -> Callable[[], NDArray[np.float32]]:
        """Return a function that reads the row, (dimension,) float32, when it is called.

        What it returns is a view, not to be written to.
        """

        def read() -> NDArray[np.float32]:
            self._check()
            position = self._rows[row]
            if not self._found[position]:
                self._find(self._rows[row : row + 1])
            vector: NDArray[np.float32] = self._matrix[position]  # type: ignore[index]
            return vector

        return read

    @property
    def dimension(self) -> int:
        """Length of a vector. Raises CheckpointError if there will be no vector."""
        while self._dimension is None:
            self._wait(f"{self._checkpoint.location} holds no vector; embed first.")
        return self._dimension

    def announce(self, name: str, dimension: int) -> None:
        """Note that the checkpoint has one more file, with vectors of that dimension."""
        with self._changed:
            self._new.append(name)
            self._dimension = self._dimension or dimension
            self._changed.notify_all()

    def no_more(self, failure: BaseException | None = None) -> None:
        """Note that no more files will be announced; a failure fails those who wait."""
        with self._changed:
            self._open, self._failure = False, self._failure or failure
            self._changed.notify_all()

    def complete(self) -> None:
        """Return once every vector is there. Raises CheckpointError if one is missing."""
        self._find(self._rows)

    def settle(self) -> None:
        """Return once no more vectors are made. Raises CheckpointError if one could not be made."""
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

    def _check(self) -> None:
        """Raise CheckpointError after a failure: whoever reads on would work for nothing."""
        if self._failure is not None:
            raise CheckpointError(
                f"vectors are not read any further: {self._failure}"
            ) from self._failure

    def _find(self, positions: NDArray[np.intp]) -> None:
        """Read files until the vectors at these positions of `_wanted` are there."""
        while not self._found[positions].all():
            if self._new:
                self._read(self._new.popleft())
            elif self._old:
                self._read(self._old.popleft())
            else:
                lacking = int((~self._found).sum())
                self._wait(
                    f"{self._checkpoint.location} lacks {lacking} of {len(self._wanted)} vectors; "
                    "run `lsif-ingest ingest` again."
                )

    def _wait(self, missing: str) -> None:
        """Wait for an announcement. Raises CheckpointError(missing) if none will come."""
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
        """Copy the wanted vectors of one file."""
        file_keys, vectors = self._checkpoint.read(name)
        position = np.searchsorted(self._wanted, file_keys)
        position[position == len(self._wanted)] = 0
        hit = self._wanted[position] == file_keys
        if not hit.any():
            return
        if not hit.all():
            position, vectors = position[hit], vectors[hit]
        if self._matrix is None:
            self._matrix = _allocate(self._scratch, (len(self._wanted), vectors.shape[1]))
        self._matrix[position] = vectors
        self._found[position] = True


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
    """Return an array in a file.

    Its room on the disk is taken at once: a mapped file that runs out of room ends the process.
    """
    try:
        scratch.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("wb") as file:
            size = shape[0] * shape[1] * np.dtype(np.float32).itemsize
            os.posix_fallocate(file.fileno(), 0, size)
        mapped = np.memmap(scratch, dtype=np.float32, mode="r+", shape=shape)
    except OSError as exc:
        scratch.unlink(missing_ok=True)
        raise CheckpointError(
            f"can't make {scratch} for {shape[0]} vectors: {exc.strerror or exc}. "
            "Make room and run again."
        ) from exc
    return mapped.view(np.ndarray)  # slicing a memmap takes ten times as long
