"""Reads a dump into tables, some megabytes at a time.

A dump is one JSON object a line, or one JSON array of all of them.
"""

from __future__ import annotations

import logging
import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import ijson
import orjson

from lsif.errors import DumpError
from lsif.reader.decode import MALFORMED, decode_fields, decode_line
from lsif.reader.elements import MetaData
from lsif.reader.spill import SpilledRows
from lsif.reader.streams import REMAKE, STANDARD_INPUT, open_dump
from lsif.reader.tables import Tables
from lsif.reader.vectorized import PADDING, read_block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from lsif.reader.elements import Element
    from lsif.workers import Workers

logger = logging.getLogger(__name__)

_BLOCK_BYTES = 8 << 20
_HEAD_START = 48 << 20
"""Bytes that this process reads while workers start."""
_LONGEST_HEAD = 1 << 20
"""Maximum size of a metaData vertex in bytes; a longer line is something else."""
_MAX_DEPTH = 200
"""Maximum nesting of brackets in an array; outlines of documents have about a dozen."""
_ID = re.compile(rb'\{"id":(\d{1,15}),')


@dataclass
class ReadLedger:
    """What happened to the lines of a dump, or to what else it consists of."""

    format: str = "lsif"
    lines: int = 0
    bad_lines: int = 0
    first_bad: list[str] = field(default_factory=list)
    """The first three bad lines, as `line N: why`; N is 1-based."""
    duplicate_symbols: int = 0
    """Symbols that an index describes again; the first description counts."""

    def note_bad(self, path: Path, why: str, most: int, things: str = "lines") -> None:
        """Count something that can't be read. Raises DumpError if there are more than `most`."""
        self.bad_lines += 1
        if len(self.first_bad) < 3:  # noqa: PLR2004 - enough to see the pattern
            self.first_bad.append(why)
            logger.warning("%s, %s (skipped)", path, why)
        if self.bad_lines > most:
            raise DumpError(
                f"{path} has more than {most} unreadable {things} (parse.max_bad_lines), "
                f"the last: {why}. {REMAKE}"
            )


def read_tables(
    path: Path,
    ledger: ReadLedger,
    *,
    max_bad_lines: int,
    workers: Workers | None = None,
    places: Path | None = None,
    file: BinaryIO | None = None,
) -> Tables:
    """Return the tables of the dump; `ledger` counts lines, several workers read parts.

    `file` is the dump, if it is open already.

    The places that refer to something are kept in files of the folder `places`, if one is given.
    Raises DumpError if the file is not an LSIF dump, is cut off, or has more than `max_bad_lines`
    unreadable lines.
    """
    tables = (
        _read_in_parts(path, ledger, workers, places)
        if workers is not None and workers.count > 1
        else None
    )
    if tables is not None:
        return tables
    reading = _Reading(path, ledger, max_bad_lines, places)
    if file is not None:
        return reading.read(file)
    with open_dump(path) as opened:
        return reading.read(opened)


def _read_in_parts(
    path: Path, ledger: ReadLedger, workers: Workers, places: Path | None
) -> Tables | None:
    """Return the tables that this process and the workers read, a part each.

    Returns None if anything is wrong, since one pass gives the better message, and for dumps that
    are not rust-analyzer's: string ids are numbered in the order in which they come.
    """
    try:
        if path == STANDARD_INPUT or not path.is_file():  # a pipe has one reader
            return None
        with path.open("rb") as file:
            meta = decode_line(file.readline(_LONGEST_HEAD))
            if not isinstance(meta, MetaData) or not meta.is_rust_analyzers:
                return None
            bounds = _bounds(file, file.tell(), path.stat().st_size, workers.count)
    except (OSError, *MALFORMED):
        return None
    begun = [workers.submit(read_part, path, meta, *part, places) for part in bounds[1:]]
    parts = [read_part(path, meta, *bounds[0], places), *(part.result() for part in begun)]
    tables = _tables(places)
    tables.add(meta)
    ledger.lines = 1
    for part in parts:
        if part is None:
            ledger.lines = 0
            return None
        tables.merge(part[0])
        ledger.lines += part[1]
    return tables


def _bounds(file: BinaryIO, begin: int, end: int, count: int) -> list[tuple[int, int]]:
    """Return at most `count` ranges of bytes that together are begin..end, each of whole lines."""
    cuts = [begin]
    share = max(0, end - begin - _HEAD_START) // count
    for number in range(1, count):
        file.seek(max(cuts[-1], end - share * (count - number)))
        file.readline()
        cuts.append(file.tell())
    return [
        (start, stop) for start, stop in zip(cuts, [*cuts[1:], end], strict=True) if start < stop
    ] or [(begin, end)]


def _tables(places: Path | None) -> Tables:
    return Tables(SpilledRows(places, 3) if places is not None else None)


def read_part(
    path: Path, meta: MetaData, begin: int, end: int, places: Path | None = None
) -> tuple[Tables, int] | None:
    """Return the tables and the number of lines of a range of bytes.

    None if a line is bad or an id is a string.
    """
    reading = _Reading(path, ReadLedger(), max_bad_lines=0, places=places)
    reading.tables.add(meta)
    try:
        with path.open("rb") as file:
            file.seek(begin)
            reading.read_lines(file, end - begin)
    except DumpError:
        return None
    return (reading.tables, reading.ledger.lines) if not reading.tables.has_string_ids else None


class _Reading:
    """One pass over a dump."""

    def __init__(
        self, path: Path, ledger: ReadLedger, max_bad_lines: int, places: Path | None
    ) -> None:
        self._path = path
        self.ledger = ledger
        self._max_bad_lines = max_bad_lines
        self.tables = _tables(places)

    def read(self, file: BinaryIO) -> Tables:
        """Return what the whole file says."""
        if _first_byte(file) == b"[":
            self._read_array(file)
        else:
            self._read_head(file)
            self.read_lines(file)
        return self.tables

    def _read_array(self, file: BinaryIO) -> None:
        """Read a dump that is one JSON array, element by element."""
        ledger = self.ledger
        try:
            for fields in _array_elements(file):
                ledger.lines += 1
                try:
                    element = decode_fields(fields)
                except MALFORMED as exc:
                    self._note_bad(f"element {ledger.lines}", exc)
                    continue
                self._add(element, lambda: ascii(fields)[:60])  # noqa: B023 - called before the next turn
        except ijson.IncompleteJSONError as exc:
            raise DumpError(
                f"{self._path} is cut off or damaged after element {ledger.lines} "
                "of its JSON array. "
                f"{REMAKE}"
            ) from exc
        except ijson.JSONError as exc:
            raise DumpError(
                f"{self._path} is not a valid JSON array after element {ledger.lines}: {exc}. "
                f"{REMAKE}"
            ) from exc
        if not ledger.lines:
            raise DumpError(f"{self._path} is an empty JSON array. {REMAKE}")

    def _read_head(self, file: BinaryIO) -> None:
        """Read up to the metaData vertex, which must come first."""
        while line := file.readline():
            self.ledger.lines += 1
            if line.isspace():
                continue
            if self.ledger.lines == 1:
                self._check_head(line)
            self._read_line(self.ledger.lines, line)
            return
        raise DumpError(
            f"{self._path} is empty: rust-analyzer failed before it wrote anything. {REMAKE}"
        )

    def _check_head(self, line: bytes) -> None:
        """Raise DumpError if the first line can't be a dump's; the message says what it is."""
        try:
            orjson.loads(line)
        except ValueError as exc:
            raise DumpError(
                f"{self._path} is no dump of LSIF or SCIP: expected a JSON object in line 1, "
                f"found {_excerpt(line)}."
            ) from exc

    def read_lines(self, file: BinaryIO, size: int | None = None) -> None:
        """Read the lines up to the file's end, or the next `size` bytes of them."""
        buffer, have = bytearray(_BLOCK_BYTES + PADDING), 0
        left = size if size is not None else sys.maxsize
        while True:
            if have == len(buffer) - PADDING:  # a line longer than the buffer
                buffer = buffer[:have] + bytearray(have + PADDING)
            with memoryview(buffer) as view:
                count = file.readinto(view[have : min(len(buffer) - PADDING, have + left)])  # type: ignore[attr-defined]
            if not count:
                break
            have += count
            left -= count
            end = buffer.rfind(b"\n", have - count, have) + 1
            if end:
                self._read_block(buffer, end)
                buffer[: have - end] = buffer[end:have]
                have -= end
        if have:
            self.ledger.lines += 1
            self._read_line(self.ledger.lines, bytes(buffer[:have]))

    def _read_block(self, data: bytearray, size: int) -> None:
        """Read the whole lines in the first `size` bytes.

        The common ones are read by columns, the others one by one.
        """
        before = self.ledger.lines
        left, count = read_block(data, size, _first_id(data, before), self.tables)
        self.ledger.lines += count
        for number, line in left:
            self._read_line(before + number + 1, line)

    def _read_line(self, number: int, line: bytes) -> None:
        """Read one line (`number` is 1-based), or count it as unreadable."""
        if line.isspace():
            return
        try:
            element = decode_line(line)
        except MALFORMED as exc:
            if not line.endswith(b"\n"):
                raise DumpError(
                    f"{self._path} is cut off in the middle of line {number}. {REMAKE}"
                ) from exc
            self._note_bad(f"line {number}", exc)
            element = None
        self._add(element, lambda: _excerpt(line))

    def _add(self, element: Element | None, excerpt: Callable[[], str]) -> None:
        """Add the element; the first must be the metaData."""
        if element is not None:
            self.tables.add(element)
        if not self.tables.meta_seen:
            raise DumpError(
                f"{self._path} is not an LSIF dump: expected a metaData vertex "
                f"in line {self.ledger.lines}, found {excerpt()}."
            )

    def _note_bad(self, place: str, exc: Exception) -> None:
        why = f"{place}: {type(exc).__name__}: {exc}"
        self.ledger.note_bad(self._path, why, self._max_bad_lines)


def _array_elements(file: BinaryIO) -> Iterator[Any]:
    """Yield the elements of a JSON array. Raises ijson.JSONError if it is none, or too deep.

    `ijson.items` would do but for memory: it keeps the path of each level, which grows with the
    square of the depth.
    """
    depth, builder = 0, ijson.ObjectBuilder()
    for event, value in ijson.basic_parse(file, use_float=True):
        if event in ("start_map", "start_array"):
            depth += 1
            if depth == 1:
                continue
        elif event in ("end_map", "end_array"):
            depth -= 1
            if depth == 0:
                continue
        if depth > _MAX_DEPTH:
            raise ijson.JSONError(f"brackets are nested more than {_MAX_DEPTH} deep")
        builder.event(event, value)
        if depth == 1:
            yield builder.value
            builder = ijson.ObjectBuilder()


def _first_id(data: bytearray, otherwise: int) -> int:
    """Return the id of the first line, `otherwise` if it has no number as id."""
    match = _ID.match(data)
    return int(match[1]) if match is not None else otherwise


def _first_byte(file: BinaryIO) -> bytes:
    """Return the first byte that is no white space, without reading past what is buffered."""
    peeked: bytes = file.peek(64)  # type: ignore[attr-defined]
    return peeked.lstrip()[:1]


def _excerpt(line: bytes) -> str:
    return ascii(line[:60].decode("utf-8", "replace"))
