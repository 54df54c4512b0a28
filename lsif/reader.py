"""Reads a dump into tables, some megabytes at a time: one JSON object a line, or one JSON array of them all."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import ijson
import orjson

from lsif.decode import MALFORMED, decode_fields, decode_line
from lsif.errors import DumpError
from lsif.streams import REMAKE, open_dump
from lsif.tables import Tables
from lsif.vectorized import PADDING, read_block

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

    from lsif.elements import Element

logger = logging.getLogger(__name__)

_BLOCK_BYTES = 8 << 20


@dataclass
class ReadLedger:
    """What happened to the lines of a dump, or to the elements of its array."""

    lines: int = 0
    bad_lines: int = 0
    first_bad: list[str] = field(default_factory=list)
    """The first three bad lines, as `line N: why`; N is 1-based."""


def read_tables(path: Path, ledger: ReadLedger, *, max_bad_lines: int) -> Tables:
    """Return the tables of the dump at `path`, counting lines in `ledger`.

    Raises DumpError where the file is no LSIF dump, is cut off, or has more than `max_bad_lines` unreadable lines.
    """
    with open_dump(path) as file:
        return _Reading(path, ledger, max_bad_lines).read(file)


class _Reading:
    """One pass over a dump."""

    def __init__(self, path: Path, ledger: ReadLedger, max_bad_lines: int) -> None:
        self._path = path
        self._ledger = ledger
        self._max_bad_lines = max_bad_lines
        self._tables = Tables()

    def read(self, file: BinaryIO) -> Tables:
        """Return what the whole file says."""
        if _first_byte(file) == b"[":
            self._read_array(file)
        else:
            self._read_head(file)
            self._read_lines(file)
        return self._tables

    def _read_array(self, file: BinaryIO) -> None:
        """Read a dump that is one JSON array, element by element."""
        ledger = self._ledger
        try:
            for fields in ijson.items(file, "item", use_float=True):
                ledger.lines += 1
                try:
                    element = decode_fields(fields)
                except MALFORMED as exc:
                    self._note_bad(f"element {ledger.lines}", exc)
                    continue
                self._add(element, lambda: ascii(fields)[:60])  # noqa: B023 - called before the next turn
        except ijson.IncompleteJSONError as exc:
            raise DumpError(f"{self._path} is cut off or damaged after element {ledger.lines} of its JSON array. {REMAKE}") from exc
        except ijson.JSONError as exc:
            raise DumpError(f"{self._path} is no JSON array after element {ledger.lines}: {exc}. {REMAKE}") from exc
        if not ledger.lines:
            raise DumpError(f"{self._path} is an empty JSON array. {REMAKE}")

    def _read_head(self, file: BinaryIO) -> None:
        """Read up to the metaData vertex, which must come first."""
        while line := file.readline():
            self._ledger.lines += 1
            if line.isspace():
                continue
            if self._ledger.lines == 1:
                self._check_head(line)
            self._read_line(self._ledger.lines, line)
            return
        raise DumpError(f"{self._path} is empty: rust-analyzer failed before it wrote anything. {REMAKE}")

    def _check_head(self, line: bytes) -> None:
        """Raise DumpError where the first line can't be that of a dump, saying what it is instead."""
        try:
            orjson.loads(line)
        except ValueError as exc:
            raise DumpError(f"{self._path} is no LSIF dump: expected a JSON object in line 1, found {_excerpt(line)}.") from exc

    def _read_lines(self, file: BinaryIO) -> None:
        buffer, have = bytearray(_BLOCK_BYTES + PADDING), 0
        while True:
            if have == len(buffer) - PADDING:  # a line longer than the buffer
                buffer = buffer[:have] + bytearray(have + PADDING)
            with memoryview(buffer) as view:
                count = file.readinto(view[have : len(buffer) - PADDING])  # type: ignore[attr-defined]
            if not count:
                break
            have += count
            end = buffer.rfind(b"\n", have - count, have) + 1
            if end:
                self._read_block(buffer, end)
                buffer[: have - end] = buffer[end:have]
                have -= end
        if have:
            self._ledger.lines += 1
            self._read_line(self._ledger.lines, bytes(buffer[:have]))

    def _read_block(self, data: bytearray, size: int) -> None:
        """Read the whole lines in the first `size` bytes: the common ones by columns, the others one by one."""
        before = self._ledger.lines
        left, count = read_block(data, size, before, self._tables)
        self._ledger.lines += count
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
                raise DumpError(f"{self._path} is cut off in the middle of line {number}. {REMAKE}") from exc
            self._note_bad(f"line {number}", exc)
            element = None
        self._add(element, lambda: _excerpt(line))

    def _add(self, element: Element | None, excerpt: Callable[[], str]) -> None:
        """Add the element; the first must be the metaData."""
        if element is not None:
            self._tables.add(element)
        if not self._tables.meta_seen:
            raise DumpError(
                f"{self._path} is no LSIF dump: expected a metaData vertex in line {self._ledger.lines}, found {excerpt()}."
            )

    def _note_bad(self, place: str, exc: Exception) -> None:
        ledger = self._ledger
        ledger.bad_lines += 1
        why = f"{place}: {type(exc).__name__}: {exc}"
        if len(ledger.first_bad) < 3:  # noqa: PLR2004 - enough to see the pattern
            ledger.first_bad.append(why)
            logger.warning("%s, %s (skipped)", self._path, why)
        if ledger.bad_lines > self._max_bad_lines:
            raise DumpError(
                f"{self._path} has more than {self._max_bad_lines} unreadable lines (parse.max_bad_lines), "
                f"the last: {why}. {REMAKE}"
            )


def _first_byte(file: BinaryIO) -> bytes:
    """Return the first byte that is no white space, without reading past what is buffered."""
    peeked: bytes = file.peek(64)  # type: ignore[attr-defined]
    return peeked.lstrip()[:1]


def _excerpt(line: bytes) -> str:
    return ascii(line[:60].decode("utf-8", "replace"))
