"""The checkpoint: Parquet files of (key, vector), one folder for each fingerprint.

It is resume point and cache in one. A file is written whole or not at all and never changed
(embedding/store.py), so it can be trusted after kill -9. A file that can't be read, or that was
written for another fingerprint, is set aside and its texts are embedded again.

Schema: `key` fixed_size_binary(16), `vector` fixed_size_list<float32 or float16>[dimension], with
the fingerprint in the metadata.
"""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from embedding.errors import CheckpointError
from embedding.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from embedding.encoder import Fingerprint

logger = logging.getLogger(__name__)

FINGERPRINT = b"lsif_ingest.fingerprint"
SUFFIX, ASIDE = ".parquet", ".aside"
UNREADABLE = (OSError, pa.ArrowException, ValueError)
"""What reading a damaged file raises; ValueError comes from column names that are not UTF-8."""
KEY = np.dtype("S16")
"""A key: see Fingerprint.key."""
_DTYPES = {"float32": pa.float32(), "float16": pa.float16()}


class Checkpoint:
    """The vectors of one fingerprint under `root`, a folder or an address: see Store.

    `dtype` is what they are written as, "float32" or "float16"; both are read.
    """

    def __init__(self, root: Path | str, fingerprint: Fingerprint, dtype: str = "float32") -> None:
        self.store = Store(root)
        self.folder = fingerprint.digest
        """The folder in the store."""
        self._fingerprint = fingerprint
        self._dtype = _DTYPES[dtype]
        self._dimension: int | None = None
        self._known: list[str] | None = None

    @property
    def location(self) -> str:
        """The folder or address, for messages."""
        return f"{self.store.location}/{self.folder}"

    @property
    def dimension(self) -> int | None:
        """Length of a vector; None as long as there is no vector."""
        self.files()
        return self._dimension

    def files(self) -> list[str]:
        """Return the names of the usable files; they are read once, when they are first needed."""
        if self._known is None:
            self._known = []
            self.store.remove_leftovers(self.folder)
            names = [name for name in self.store.files(self.folder) if name.endswith(SUFFIX)]
            for name, schema in zip(
                names, self.store.read_each(names, self._schema_of), strict=True
            ):
                self._adopt(name, schema)
        return self._known

    def keys(self, names: Iterable[str] | None = None) -> set[bytes]:
        """Return the keys of all vectors, or of those in usable files of these names."""
        found: set[bytes] = set()
        wanted = None if names is None else set(names)
        names = [name for name in self.files() if wanted is None or name in wanted]
        for name, table in zip(
            names, self.store.read_each(names, lambda name: self._table(name, ["key"])), strict=True
        ):
            if isinstance(table, Exception):
                self._set_aside(name, table)
            else:
                found.update(table["key"].to_pylist())
        return found

    def append(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> str:
        """Write the vectors, (len(keys), dimension) float32, as a new file; return its name.

        They are safe from then on. Raises CheckpointError.
        """
        dimension = int(vectors.shape[1])
        if self._dimension not in (None, dimension):
            raise CheckpointError(
                f"{self.location} holds vectors of dimension {self._dimension}, but the model now "
                f"returns {dimension}. Remove that folder, or restore the model."
            )
        table = pa.table(
            [
                pa.array(keys, pa.binary(KEY.itemsize)),
                pa.FixedSizeListArray.from_arrays(
                    pa.array(vectors.reshape(-1).astype(self._dtype.to_pandas_dtype(), copy=False)),
                    dimension,
                ),
            ],
            schema=_schema(dimension, self._fingerprint, self._dtype),
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
        name = self.name_of(keys)
        self.store.write(name, content.getvalue())
        self._dimension = dimension
        if self._known is not None and name not in self._known:
            self._known.append(name)
        return name

    def name_of(self, keys: Sequence[bytes], suffix: str = SUFFIX) -> str:
        """Return the name of the file of these keys.

        It is made from the keys alone, so that what is made twice is stored once.
        """
        return (
            f"{self.folder}/{hashlib.blake2b(b''.join(keys), digest_size=12).hexdigest()}{suffix}"
        )

    def read(self, name: str) -> tuple[NDArray[np.bytes_], NDArray[np.float32]]:
        """Return the keys, (n,) S16, and vectors, (n, dimension) float32, of one file.

        Raises CheckpointError if it can't be read, after setting it aside.
        """
        table = self._table(name)
        if isinstance(table, Exception):
            self._set_aside(name, table)
            raise CheckpointError(
                f"{self.store.location}/{name} is damaged and was set aside; "
                "run again to embed its texts again."
            ) from table
        vectors = table["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        return as_keys(table["key"].to_pylist()), vectors.reshape(len(table), -1)

    def _table(self, name: str, columns: list[str] | None = None) -> pa.Table | Exception:
        """Return the content of a file, or why it can't be read."""
        try:
            with self.store.open(name) as file:
                # A file is nearly all one column: threads would cost a third more and help nothing.
                return pq.read_table(
                    file, columns=columns, use_threads=False, page_checksum_verification=True
                )
        except UNREADABLE as exc:
            return exc

    def _schema_of(self, name: str) -> pa.Schema | Exception:
        """Return the schema of a file, or why it can't be read."""
        return read_schema(self.store, name)

    def _adopt(self, name: str, schema: pa.Schema | Exception) -> None:
        """Add the file to the usable ones, or set it aside."""
        try:
            if isinstance(schema, Exception):
                raise schema
            self._dimension = _check_schema(schema, self._fingerprint, self._dimension)
        except (*UNREADABLE, KeyError, AttributeError) as exc:
            self._set_aside(name, exc)
        else:
            self.files().append(name)

    def _set_aside(self, name: str, why: Exception) -> None:
        aside = name.removesuffix(SUFFIX) + ASIDE
        logger.warning(
            "%s/%s is not a usable checkpoint file (%s): set aside as %s; "
            "its texts are embedded again",
            self.store.location,
            name,
            why,
            aside,
        )
        if name in self.files():
            self.files().remove(name)
        self.store.rename(name, aside)


def as_keys(keys: bytes | bytearray | Iterable[bytes]) -> NDArray[np.bytes_]:
    """Return keys, given one by one or as one sequence of bytes, as an array, (n,) S16."""
    if isinstance(keys, bytes | bytearray):
        return np.frombuffer(bytes(keys), dtype=KEY)
    return np.fromiter(keys, dtype=KEY)


def read_schema(store: Store, name: str) -> pa.Schema | Exception:
    """Return the schema of a file of a checkpoint, or why it can't be read."""
    try:
        with store.open(name) as file:
            return pq.read_schema(file)
    except UNREADABLE as exc:
        return exc


def _check_schema(schema: pa.Schema, fingerprint: Fingerprint, dimension: int | None) -> int:
    """Return the dimension of the file's vectors.

    Raises ValueError, KeyError or AttributeError for another fingerprint or dimension.
    """
    found: int = schema.field("vector").type.list_size
    if (schema.metadata or {}).get(FINGERPRINT) != _fingerprint_json(fingerprint):
        raise ValueError("made for another fingerprint")
    if dimension not in (None, found) or not any(
        schema.equals(_schema(found, fingerprint, dtype)) for dtype in _DTYPES.values()
    ):
        raise ValueError(
            f"expected vectors of dimension {dimension}, found {schema.field('vector').type}"
        )
    return found


def _schema(dimension: int, fingerprint: Fingerprint, dtype: pa.DataType) -> pa.Schema:
    return pa.schema(
        [
            pa.field("key", pa.binary(KEY.itemsize), nullable=False),
            pa.field("vector", pa.list_(dtype, dimension), nullable=False),
        ],
        metadata={FINGERPRINT: _fingerprint_json(fingerprint)},
    )


def _fingerprint_json(fingerprint: Fingerprint) -> bytes:
    return orjson.dumps(fingerprint, option=orjson.OPT_SORT_KEYS)
