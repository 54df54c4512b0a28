"""The checkpoint: Parquet files of (key, vector), one folder a fingerprint. Resume point and cache in one.

A file is written whole or not at all and never changed (embedding/store.py), so what is there can be trusted after kill -9; what
can't be read, or was written for another fingerprint, is set aside and its texts are embedded again. Schema: `key`
fixed_size_binary(16), `vector` fixed_size_list<float32 or float16>[dimension]; the fingerprint stands in the metadata.
"""

from __future__ import annotations

import hashlib
import logging
import os
from typing import TYPE_CHECKING

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from embedding.errors import CheckpointError
from embedding.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from embedding.encoder import Fingerprint

logger = logging.getLogger(__name__)

FINGERPRINT = b"lsif_ingest.fingerprint"
SUFFIX, ASIDE = ".parquet", ".aside"
_KEY_BYTES = 16
_NUMBERS = {"float32": pa.float32(), "float16": pa.float16()}


class Checkpoint:
    """The vectors of one fingerprint under `root`: a folder, or an address that embedding.store.Store takes.

    `numbers` is how they are written, "float32" or "float16"; read are both.
    """

    def __init__(self, root: Path | str, fingerprint: Fingerprint, numbers: str = "float32") -> None:
        self.store = Store(root)
        self._folder = fingerprint.digest
        self._fingerprint = fingerprint
        self._numbers = _NUMBERS[numbers]
        self._dimension: int | None = None
        self._files: list[str] = []
        self.store.remove_leftovers(self._folder)
        names = [name for name in self.store.files(self._folder) if name.endswith(SUFFIX)]
        for name, schema in zip(names, self.store.read_each(names, self._schema_of), strict=True):
            self._adopt(name, schema)

    @property
    def location(self) -> str:
        """Folder or address, for people."""
        return f"{self.store.location}/{self._folder}"

    @property
    def dimension(self) -> int | None:
        """Numbers in a vector; None as long as there is no vector."""
        return self._dimension

    def keys(self) -> set[bytes]:
        """Return the keys of all vectors."""
        found: set[bytes] = set()
        names = list(self._files)
        for name, table in zip(names, self.store.read_each(names, lambda name: self._table(name, ["key"])), strict=True):
            if isinstance(table, Exception):
                self._set_aside(name, table)
            else:
                found.update(table["key"].to_pylist())
        return found

    def append(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> str:
        """Write the vectors, (len(keys), dimension) float32, as one more file, and return its name; they are safe from then on."""
        dimension = int(vectors.shape[1])
        if self._dimension not in (None, dimension):
            raise CheckpointError(
                f"{self.location} holds vectors of dimension {self._dimension}, the model now gives {dimension}. "
                "Remove that folder, or restore the model."
            )
        table = pa.table(
            [
                pa.array(keys, pa.binary(_KEY_BYTES)),
                pa.FixedSizeListArray.from_arrays(
                    pa.array(vectors.reshape(-1).astype(self._numbers.to_pandas_dtype(), copy=False)), dimension
                ),
            ],
            schema=_schema(dimension, self._fingerprint, self._numbers),
        )
        content = pa.BufferOutputStream()
        pq.write_table(
            table,
            content,
            compression="zstd",
            compression_level=1,
            use_dictionary=False,
            use_byte_stream_split=["vector.list.element"],
            write_page_checksum=True,
        )
        name = f"{self._folder}/{hashlib.blake2b(b''.join(keys), digest_size=12).hexdigest()}{SUFFIX}"
        self.store.write(name, content.getvalue())
        self._dimension = dimension
        if name not in self._files:
            self._files.append(name)
        return name

    def gather(self, keys: Iterable[bytes], scratch: Path) -> VectorTable:
        """Return the vectors of the keys, in their order, in a temporary file at `scratch`.

        Raises CheckpointError where one is missing.
        """
        wanted, rows = np.unique(np.fromiter(keys, dtype=f"S{_KEY_BYTES}"), return_inverse=True)
        if self._dimension is None and len(wanted):
            raise CheckpointError(f"{self.location} holds no vector; embed first.")
        matrix = _allocate(scratch, (max(1, len(wanted)), self._dimension or 1))
        try:
            self._fill(matrix, wanted)
        except BaseException:
            scratch.unlink(missing_ok=True)
            raise
        return VectorTable(matrix, rows, scratch)

    def _fill(self, matrix: NDArray[np.float32], wanted: NDArray[np.bytes_]) -> None:
        """Write the vectors of the wanted keys, sorted and unique, into the rows of the matrix."""
        found = np.zeros(len(wanted), dtype=bool)
        for file_keys, vectors in self._read():
            position = np.searchsorted(wanted, file_keys)
            position[position == len(wanted)] = 0
            hit = wanted[position] == file_keys if len(wanted) else np.zeros(len(file_keys), dtype=bool)
            matrix[position[hit]] = vectors[hit]
            found[position[hit]] = True
        if not found.all():
            raise CheckpointError(
                f"{self.location} lacks {int((~found).sum())} of {len(wanted)} vectors; run `lsif-ingest ingest` again."
            )

    def _read(self) -> Iterator[tuple[NDArray[np.bytes_], NDArray[np.float32]]]:
        names = list(self._files)
        for name, table in zip(names, self.store.read_each(names, self._table), strict=True):
            if isinstance(table, Exception):
                self._set_aside(name, table)
                raise CheckpointError(
                    f"{self.store.location}/{name} is damaged and was set aside; run again to embed its texts anew."
                ) from table
            keys = np.array(table["key"].to_pylist(), dtype=f"S{_KEY_BYTES}")
            vectors = table["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
            yield keys, vectors.reshape(len(table), self._dimension or 1)

    def _table(self, name: str, columns: list[str] | None = None) -> pa.Table | Exception:
        """Return the file's content, or why it can't be read."""
        try:
            with self.store.open(name) as file:
                return pq.read_table(file, columns=columns, page_checksum_verification=True)
        except (OSError, pa.ArrowException) as exc:
            return exc

    def _schema_of(self, name: str) -> pa.Schema | Exception:
        """Return the file's schema, or why it can't be read."""
        try:
            with self.store.open(name) as file:
                return pq.read_schema(file)
        except (OSError, pa.ArrowException) as exc:
            return exc

    def _adopt(self, name: str, schema: pa.Schema | Exception) -> None:
        """Take the file into account, or set it aside where it is not what it should be."""
        try:
            if isinstance(schema, Exception):
                raise schema
            self._dimension = _check_schema(schema, self._fingerprint, self._dimension)
        except (OSError, pa.ArrowException, ValueError, KeyError, AttributeError) as exc:
            self._set_aside(name, exc)
        else:
            self._files.append(name)

    def _set_aside(self, name: str, why: Exception) -> None:
        aside = name.removesuffix(SUFFIX) + ASIDE
        logger.warning(
            "%s/%s is no usable checkpoint file (%s): set aside as %s, its texts are embedded again",
            self.store.location,
            name,
            why,
            aside,
        )
        if name in self._files:
            self._files.remove(name)
        self.store.rename(name, aside)


def _allocate(scratch: Path, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return an array in a file whose room on the disk is taken already: a mapped file without room ends the process."""
    try:
        scratch.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, shape[0] * shape[1] * np.dtype(np.float32).itemsize)
        return np.memmap(scratch, dtype=np.float32, mode="r+", shape=shape)
    except OSError as exc:
        scratch.unlink(missing_ok=True)
        raise CheckpointError(
            f"can't make {scratch} for {shape[0]} vectors: {exc.strerror or exc}. Make room and run again."
        ) from exc


class VectorTable:
    """Vectors in the order of the keys that were asked for, in a temporary file."""

    def __init__(self, matrix: NDArray[np.float32], rows: NDArray[np.intp], scratch: Path) -> None:
        self.source = ""
        """Digest of the sequence of structures whose vectors these are; see lsif.structure.SequenceDigest."""
        self._matrix = matrix
        self._rows = rows
        self._scratch = scratch

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:
        """Return the rows as (n, dimension) float32."""
        return np.asarray(self._matrix[self._rows[rows]])

    def row(self, row: int) -> Callable[[], NDArray[np.float32]]:
        """Return a function that returns the row, (dimension,) float32: it is read when it is needed."""
        return lambda: np.asarray(self._matrix[self._rows[row]])

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return int(self._matrix.shape[1])

    def close(self) -> None:
        """Remove the temporary file."""
        self._scratch.unlink(missing_ok=True)


def _check_schema(schema: pa.Schema, fingerprint: Fingerprint, dimension: int | None) -> int:
    """Return the dimension of the file's vectors. Raises where it is not of this fingerprint and dimension."""
    found: int = schema.field("vector").type.list_size
    if (schema.metadata or {}).get(FINGERPRINT) != _fingerprint_json(fingerprint):
        raise ValueError("made for another fingerprint")
    if dimension not in (None, found) or not any(
        schema.equals(_schema(found, fingerprint, numbers)) for numbers in _NUMBERS.values()
    ):
        raise ValueError(f"expected vectors of dimension {dimension}, found {schema.field('vector').type}")
    return found


def _schema(dimension: int, fingerprint: Fingerprint, numbers: pa.DataType) -> pa.Schema:
    return pa.schema(
        [
            pa.field("key", pa.binary(_KEY_BYTES), nullable=False),
            pa.field("vector", pa.list_(numbers, dimension), nullable=False),
        ],
        metadata={FINGERPRINT: _fingerprint_json(fingerprint)},
    )


def _fingerprint_json(fingerprint: Fingerprint) -> bytes:
    return orjson.dumps(fingerprint, option=orjson.OPT_SORT_KEYS)
