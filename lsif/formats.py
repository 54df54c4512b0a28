"""Reads a dump of either format into tables; its content says which one it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from lsif.errors import DumpError
from lsif.reader.read import read_tables
from lsif.reader.streams import open_dump
from lsif.scip.read import read_index
from lsif.scip.wire import HEAD_BYTES, is_index

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from lsif.reader.read import ReadLedger
    from lsif.reader.tables import Tables
    from lsif.workers import Workers

Format: TypeAlias = Literal["auto", "lsif", "scip"]


def read_dump(
    path: Path,
    ledger: ReadLedger,
    *,
    max_bad_lines: int,
    dump_format: Format = "auto",
    workers: Workers | None = None,
    places: Path | None = None,
    root: Path | None = None,
) -> Tables:
    """Return the tables of the dump; the arguments are those of `read_tables`.

    An index's copies of sources are kept only if there is no such file under `root` (resolved).

    Raises DumpError if it is no dump of that format, is cut off, or has too many unreadable lines.
    """
    with open_dump(path) as file:
        head = _head(file)
        is_scip = is_index(head)
        if head and dump_format == ("lsif" if is_scip else "scip"):
            raise DumpError(
                f"{path} is {'a' if is_scip else 'no'} SCIP index by its content, but parse.format "
                f'is "{dump_format}". Leave it "auto", or give the dump that it names.'
            )
        if is_scip or dump_format == "scip":
            return read_index(path, file, ledger, max_bad=max_bad_lines, places=places, root=root)
        return read_tables(
            path, ledger, max_bad_lines=max_bad_lines, workers=workers, places=places, file=file
        )


def _head(file: BinaryIO) -> bytes:
    """Return the first bytes; they stay to be read."""
    peeked: bytes = file.peek(HEAD_BYTES + 1)  # type: ignore[attr-defined]
    return peeked
