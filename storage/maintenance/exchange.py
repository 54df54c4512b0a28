"""Exports an index to two Parquet files, and imports them without model or source.

structures.parquet and blocks.parquet have the columns `id` (UUID), `payload` (the record as JSON),
and one fixed_size_list<float32> for each named dense vector. The generation's metadata is in that
of the schema. The sparse vector is computed from the record again.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from machine.files import atomic_writer
from machine.text import why_malformed
from storage.errors import StorageError
from storage.metadata import read_metadata
from storage.points import RecordDraft
from storage.schema import BLOCKS, STRUCTURES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage.index import Generation, Points
    from storage.metadata import Metadata
    from storage.points import BlockDraft, StructureDraft
    from storage.schema import Kind, R

_METADATA = b"lsif_ingest.index"
_ROWS = 1000
_FILES = ("structures.parquet", "blocks.parquet")


def export_generation(generation: Generation, folder: Path) -> tuple[int, int]:
    """Write the generation's points into the folder; return the numbers of structures and blocks.

    The folder is created. Each file exists as a whole or not at all. Raises StorageError.
    """
    metadata = generation.metadata
    blocks = _export(generation.blocks, folder / _FILES[1], BLOCKS, metadata)
    return _export(generation.structures, folder / _FILES[0], STRUCTURES, metadata), blocks


class ExportedSource:
    """What `export_generation` wrote, as a source of points; see storage.points.PointSource."""

    def __init__(self, folder: Path) -> None:
        """Read the files' metadata. Raises StorageError if the folder holds no export."""
        self._folder = folder
        self.metadata: Metadata = replace(self._read_metadata(), complete=False)

    def structures(self) -> Iterator[StructureDraft]:
        """See PointSource."""
        return self._drafts(_FILES[0], STRUCTURES)

    def blocks(self) -> Iterator[BlockDraft]:
        """See PointSource."""
        return self._drafts(_FILES[1], BLOCKS)

    def structure_count(self) -> int:
        """See PointSource."""
        try:
            return int(pq.read_metadata(self._folder / _FILES[0]).num_rows)
        except (OSError, pa.ArrowException) as exc:
            raise _unreadable(self._folder / _FILES[0], exc) from exc

    def settle(self) -> None:
        """See PointSource."""

    def _read_metadata(self) -> Metadata:
        if not any((self._folder / name).is_file() for name in _FILES):
            raise StorageError(f"{self._folder} holds no export; `lsif-ingest export` makes one.")
        for name in reversed(_FILES):
            try:
                metadata = read_metadata(
                    orjson.loads(pq.read_schema(self._folder / name).metadata[_METADATA])
                )
            except (OSError, pa.ArrowException, TypeError, KeyError, ValueError) as exc:
                raise _unreadable(self._folder / name, exc) from exc
        return metadata

    def _drafts(self, name: str, kind: Kind[R]) -> Iterator[RecordDraft[R]]:
        try:
            file = pq.ParquetFile(self._folder / name, page_checksum_verification=True)
            for batch in file.iter_batches(_ROWS):
                matrices = {}
                for vector in kind.vectors:
                    column = batch.column(vector)
                    matrices[vector] = (
                        column.flatten().to_numpy().reshape(len(batch), column.type.list_size)
                    )
                for row, payload in enumerate(batch.column("payload").to_pylist()):
                    vectors = {
                        vector: partial(matrix.__getitem__, row)
                        for vector, matrix in matrices.items()
                    }
                    yield RecordDraft(kind, kind.record(orjson.loads(payload)), vectors)
        except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as exc:
            raise _unreadable(self._folder / name, exc) from exc


def _unreadable(path: Path, exc: Exception) -> StorageError:
    return StorageError(f"{path} can't be read: {why_malformed(exc)}. Export again.")


def _export(points: Points[R], path: Path, kind: Kind[R], metadata: Metadata) -> int:
    schema = pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("payload", pa.string(), nullable=False),
            *(
                pa.field(
                    name, pa.list_(pa.float32(), metadata.vectors[name].dimension), nullable=False
                )
                for name in kind.vectors
            ),
        ],
        metadata={_METADATA: orjson.dumps(metadata.to_dict())},
    )
    stored, count = points.scroll(vectors=True), 0
    try:
        with (
            atomic_writer(path) as file,
            pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True) as writer,
        ):
            while rows := list(islice(stored, _ROWS)):
                columns = [
                    pa.array([point.id for point in rows]),
                    pa.array([orjson.dumps(kind.payload(point.record)).decode() for point in rows]),
                ]
                for name in kind.vectors:
                    matrix = np.array([point.vectors[name] for point in rows], dtype=np.float32)
                    columns.append(
                        pa.FixedSizeListArray.from_arrays(
                            pa.array(matrix.reshape(-1)), matrix.shape[1]
                        )
                    )
                writer.write_table(pa.table(columns, schema=schema))
                count += len(rows)
    except OSError as exc:
        raise StorageError(
            f"can't write {path}: {exc.strerror or exc}. Choose another folder, or make room."
        ) from exc
    except KeyError as exc:
        raise StorageError(
            f"a point has no vector {exc}; `lsif-ingest verify` says which."
        ) from exc
    return count
