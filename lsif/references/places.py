"""The file of places: each row says where a file refers to a structure or symbol.

Columns: `target` (id of a structure, or the symbol of what is none), `file_path`, `line` and
`column` (of the name's beginning, 1-based, in UTF-16 code units whatever the dump counts in),
`length` (of the name, in the same units), `kind` (KINDS, null if it is not known), `structure`
(id of the innermost structure around the place; null if it belongs to the file as a whole) and
`guessed` (whether only names say so, not the dump).

Rows are sorted by target, file, line and column; ids come before symbols. So the places of one
target are a few row groups, which the file's statistics name, and a page of them is read alone.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lsif.errors import PlacesError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

VERSION = b"1"
KINDS = ("implementation",)
"""Kinds of places: the trait in the head of an impl block."""

_VERSION = b"lsif_ingest.places"
GROUP = 1 << 14
"""Rows that are read together."""
_KEPT = 16
"""Tables that are kept, of at most a megabyte each: who counts places reads some of them, too."""
_READ_BYTES = 1 << 20
_NAME = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        pa.field("target", _NAME, nullable=False),
        pa.field("file_path", _NAME, nullable=False),
        pa.field("line", pa.int32(), nullable=False),
        pa.field("column", pa.int32(), nullable=False),
        pa.field("length", pa.int32(), nullable=False),
        pa.field("kind", _NAME),
        pa.field("structure", _NAME),
        pa.field("guessed", pa.bool_(), nullable=False),
    ],
    metadata={_VERSION: VERSION},
)


class Place(NamedTuple):
    """Where a file refers to something; lines and columns are 1-based."""

    file_path: str
    line: int
    column: int
    length: int
    kind: str | None
    structure_id: str | None
    """The innermost structure around it; None if it belongs to the file as a whole."""
    is_guessed: bool = False
    """Whether the dump does not know it: see lsif.guesses."""


@contextmanager
def places_writer(path: Path) -> Iterator[pq.ParquetWriter]:
    """Yield a writer of tables that have the schema and are sorted."""
    with pq.ParquetWriter(
        path, SCHEMA, compression="zstd", write_page_checksum=True, write_page_index=True
    ) as writer:
        yield writer


def write_table(writer: pq.ParquetWriter, table: pa.Table) -> None:
    """Write the next rows."""
    writer.write_table(table, row_group_size=GROUP)


def digest_of(path: Path) -> str:
    """Return the digest by which a generation names its file of places."""
    digest = hashlib.blake2b(digest_size=8)
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


class PlacesFile:
    """A file of places, opened; several threads may share it."""

    def __init__(self, path: Path) -> None:
        """Read its statistics. Raises PlacesError if it can't be read."""
        self._path = path
        self._lock = Lock()
        self._tables: dict[tuple[int, tuple[str, ...]], pa.Table] = {}
        """What was read last, by row group and columns; the oldest first."""
        with _readable(path):
            self._file = pq.ParquetFile(path, page_checksum_verification=True)
            metadata = self._file.metadata
            found = (self._file.schema_arrow.metadata or {}).get(_VERSION)
            self._bounds = [
                _bounds(metadata.row_group(group)) for group in range(metadata.num_row_groups)
            ]
        if found != VERSION or self._file.schema_arrow.names != SCHEMA.names:
            raise PlacesError(f"{path} is no file of places of this version. Ingest again.")

    def count(self, target: str) -> int:
        """Return the number of places that refer to the target."""
        return sum(count for _, _, count in self._spans(target))

    def page(self, target: str, offset: int, limit: int) -> list[Place]:
        """Return at most `limit` places, by file, line and column, after the first `offset`."""
        found: list[Place] = []
        for group, begin, count in self._spans(target):
            if offset >= count:
                offset -= count
                continue
            wanted = min(count - offset, limit - len(found))
            table = self._read(group, SCHEMA.names[1:]).slice(begin + offset, wanted)
            with _readable(self._path):
                found += [Place(*row.values()) for row in table.to_pylist()]
            offset = 0
            if len(found) == limit:
                break
        return found

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _spans(self, target: str) -> Iterator[tuple[int, int, int]]:
        """Yield row group, first row in it and number of rows of the target's places."""
        for group, bounds in enumerate(self._bounds):
            if bounds is not None and not bounds[0] <= target <= bounds[1]:
                continue
            if bounds == (target, target):
                yield group, 0, self._file.metadata.row_group(group).num_rows
                continue
            column = self._read(group, ["target"]).column("target")
            with _readable(self._path):
                rows = pc.indices_nonzero(pc.equal(column, target))
            if len(rows):  # they are consecutive
                yield group, rows[0].as_py(), len(rows)

    def _read(self, group: int, columns: Sequence[str]) -> pa.Table:
        asked = group, tuple(columns)
        with self._lock:
            table = self._tables.pop(asked, None)
            if table is None:
                table = self._read_group(group, columns)
            self._tables[asked] = table
            if len(self._tables) > _KEPT:
                del self._tables[next(iter(self._tables))]
        return table

    def _read_group(self, group: int, columns: Sequence[str]) -> pa.Table:
        with _readable(self._path):
            return self._file.read_row_group(group, columns=list(columns))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Raise PlacesError if the file proves damaged: pyarrow raises various errors then."""
    try:
        yield
    except (OSError, ValueError, KeyError, pa.ArrowException) as exc:
        why = str(exc).removesuffix(".")
        raise PlacesError(f"{path} can't be read: {why}. Ingest again.") from exc


def _bounds(group: pq.RowGroupMetaData) -> tuple[str, str] | None:
    """Return the smallest and largest target, None if the file does not say."""
    statistics = group.column(0).statistics
    if statistics is None or not statistics.has_min_max:
        return None
    return str(statistics.min), str(statistics.max)
