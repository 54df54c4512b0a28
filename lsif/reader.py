"""Reads a dump into tables, some megabytes at a time. Knows the file format; knows nothing of what the elements mean together."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from lsif.elements import MAX_NUMBER, Document, Edge, Element, HoverResult, Id, Item, MetaData, Range, ResultSet
from lsif.errors import DumpError
from lsif.streams import REMAKE, open_dump
from lsif.tables import EDGE_LABELS, Tables
from lsif.vectorized import PADDING, read_block

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

logger = logging.getLogger(__name__)

_BLOCK_BYTES = 8 << 20


@dataclass
class ReadLedger:
    """What happened to the lines of a dump."""

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
        self._read_head(file)
        buffer, have = bytearray(_BLOCK_BYTES + PADDING), 0
        while True:
            if have == len(buffer) - PADDING:  # a line longer than the buffer
                buffer = buffer[:have] + bytearray(have + PADDING)
            with memoryview(buffer) as view:
                count = file.readinto(view[have : len(buffer) - PADDING])  # type: ignore[attr-defined]
            if not count:
                break
            have += count
            end = buffer.rfind(b"\n", 0, have) + 1
            if end:
                self._read_block(buffer, end)
                buffer[: have - end] = buffer[end:have]
                have -= end
        if have:
            self._ledger.lines += 1
            self._read_line(self._ledger.lines, bytes(buffer[:have]))
        return self._tables

    def _read_head(self, file: BinaryIO) -> None:
        """Read up to the metaData vertex, which must come first."""
        while line := file.readline():
            self._ledger.lines += 1
            if self._ledger.lines == 1:
                _check_head(self._path, line)
            if line.isspace():
                continue
            self._read_line(self._ledger.lines, line)
            if not self._tables.meta_seen:
                raise DumpError(
                    f"{self._path} is no LSIF dump: expected a metaData vertex in line {self._ledger.lines}, "
                    f"found {_excerpt(line)}."
                )
            return
        raise DumpError(f"{self._path} is empty: rust-analyzer failed before it wrote anything. {REMAKE}")

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
            element = _decode(line)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as exc:
            if not line.endswith(b"\n"):
                raise DumpError(f"{self._path} is cut off in the middle of line {number}. {REMAKE}") from exc
            self._note_bad_line(number, exc)
            return
        if element is not None:
            self._tables.add(element)

    def _note_bad_line(self, number: int, exc: Exception) -> None:
        ledger = self._ledger
        ledger.bad_lines += 1
        why = f"line {number}: {type(exc).__name__}: {exc}"
        if len(ledger.first_bad) < 3:  # noqa: PLR2004 - enough to see the pattern
            ledger.first_bad.append(why)
            logger.warning("%s, %s (skipped)", self._path, why)
        if ledger.bad_lines > self._max_bad_lines:
            raise DumpError(
                f"{self._path} has more than {self._max_bad_lines} unreadable lines (parse.max_bad_lines), "
                f"the last: {why}. {REMAKE}"
            )


def _check_head(path: Path, line: bytes) -> None:
    """Raise DumpError where the first line can't be that of a dump, saying what it is instead."""
    if line.startswith(b"["):
        raise DumpError(
            f"{path} is LSIF in the JSON array form; expected one JSON object a line. Rewrite it first: jq -c '.[]' {path}"
        )
    if not line.isspace():
        try:
            orjson.loads(line)
        except ValueError as exc:
            raise DumpError(f"{path} is no LSIF dump: expected a JSON object in line 1, found {_excerpt(line)}.") from exc


def _excerpt(line: bytes) -> str:
    return ascii(line[:60].decode("utf-8", "replace"))


def _decode(line: bytes) -> Element | None:
    """Return the line's element, None for kinds that are not read. Raises what its malformation raises."""
    fields: dict[str, Any] = orjson.loads(line)
    label = fields["label"]
    decode = (_VERTICES if fields["type"] == "vertex" else _EDGES).get(label)
    return decode(fields) if decode is not None else None


def _meta_data(fields: dict[str, Any]) -> MetaData:
    tool = fields.get("toolInfo") or {}
    return MetaData(
        str(fields.get("projectRoot") or ""),
        str(fields.get("positionEncoding") or "utf-16"),
        f"{tool.get('name', '')} {tool.get('version', '')}".strip(),
    )


def _range(fields: dict[str, Any]) -> Range:
    start, end = fields["start"], fields["end"]
    places = (start["line"], start["character"], end["line"], end["character"])
    return Range(_id(fields["id"]), *(_natural(place) for place in places))


def _natural(number: object) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= MAX_NUMBER:
        raise ValueError(f"expected a number from 0, found {number!r:.60}")
    return number


def _id(value: object) -> Id:
    return value if isinstance(value, str) else _natural(value)


def _hover(fields: dict[str, Any]) -> HoverResult:
    contents = fields["result"]["contents"]
    return HoverResult(_id(fields["id"]), str(contents["value"] if isinstance(contents, dict) else contents))


def _edge(fields: dict[str, Any]) -> Edge:
    in_id = fields["inV"] if "inV" in fields else fields["inVs"][0]
    return Edge(fields["label"], _id(fields["outV"]), _id(in_id))


def _item(fields: dict[str, Any]) -> Item:
    document = fields["document"] if "document" in fields else fields["shard"]
    if not isinstance(fields["inVs"], list):
        raise TypeError(f"expected a list inVs, found {fields['inVs']!r:.60}")
    return Item(_id(fields["outV"]), [_id(one) for one in fields["inVs"]], _id(document), fields.get("property"))


_VERTICES: dict[str, Callable[[dict[str, Any]], Element | None]] = {
    "metaData": _meta_data,
    "document": lambda fields: Document(_id(fields["id"]), str(fields["uri"])),
    "range": _range,
    "resultSet": lambda fields: ResultSet(_id(fields["id"])),
    "hoverResult": _hover,
}

_EDGES: dict[str, Callable[[dict[str, Any]], Element | None]] = {**dict.fromkeys(EDGE_LABELS, _edge), "item": _item}
