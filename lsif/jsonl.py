"""Files of records: structures.jsonl and blocks.jsonl, one JSON object a line."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypeVar

import orjson

from lsif.blocks import Block
from lsif.errors import StructuresError
from lsif.structure import Structure
from machine.files import atomic_writer
from machine.text import why_malformed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from lsif.record import JsonLine, R

J = TypeVar("J", bound="JsonLine")


def write_records(path: Path, records: Iterable[JsonLine]) -> None:
    """Write the records at `path`: all of them or, if anything raises, none."""
    try:
        with atomic_writer(path) as file:
            for record in records:
                file.write(record.to_json())
    except OSError as exc:
        raise StructuresError(f"can't write {path}: {exc.strerror or exc}") from exc


def read_structures(path: Path) -> Iterator[Structure]:
    """Yield the structures of a file that this project wrote.

    Raises StructuresError with the line's number if one is malformed.
    """
    return _read(path, Structure)


def read_blocks(path: Path) -> Iterator[Block]:
    """Yield the blocks of a file that this project wrote.

    Raises StructuresError with the line's number if one is malformed.
    """
    return _read(path, Block)


def count_records(path: Path) -> int:
    """Return how many records a file has. Raises StructuresError if it can't be read."""
    return sum(1 for _ in read_lines(path))


def _read(path: Path, record: type[J]) -> Iterator[J]:
    for number, line in read_lines(path):
        try:
            yield record.from_dict(orjson.loads(line))
        except (ValueError, TypeError, KeyError) as exc:
            raise StructuresError(
                f"{path}, line {number}: {why_malformed(exc)}. Write it again: lsif-ingest ingest, "
                "with the arguments of the last run."
            ) from exc


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield number (1-based) and content of each line that is not blank."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.isspace():
                    yield number, line
    except OSError as exc:
        raise StructuresError(f"can't read {path}: {exc.strerror or exc}") from exc


class SequenceDigest:
    """A digest of records in their order, by which two stages know that they read the same."""

    def __init__(self) -> None:
        self._digest = hashlib.blake2b(digest_size=16)

    def add(self, record: R) -> R:
        """Take the record into account, and return it."""
        self._digest.update(f"{record.id}{record.digest}".encode())
        return record

    def hexdigest(self) -> str:
        """Return 32 hex digits."""
        return self._digest.hexdigest()
