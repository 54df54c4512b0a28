"""Streams a dump as elements, one line at a time. Knows the file format; knows nothing of what the elements mean together."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from lsif.elements import Document, Edge, Element, HoverResult, Item, MetaData, Moniker, Range, ResultSet
from lsif.errors import DumpError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

logger = logging.getLogger(__name__)

REMAKE = "Make it again with `lsif-ingest dump --repo DIR -o FILE`."


@dataclass
class ReadLedger:
    """What happened to the lines of a dump."""

    lines: int = 0
    bad_lines: int = 0
    first_bad: list[str] = field(default_factory=list)
    """The first three bad lines, as `line N: why`; N is 1-based."""


def read_elements(path: Path, ledger: ReadLedger, *, max_bad_lines: int) -> Iterator[Element]:
    """Yield the elements of the dump at `path`, counting lines in `ledger`.

    Raises DumpError where the file is no LSIF dump, is cut off, or has more than `max_bad_lines` unreadable lines.
    """
    try:
        with path.open("rb") as file:
            yield from _read_lines(path, file, ledger, max_bad_lines)
    except OSError as exc:
        if path.is_dir():
            raise DumpError(f"{path} is a folder; expected a dump, the file that `rust-analyzer lsif` writes.") from exc
        raise DumpError(f"can't read the dump {path}: {exc.strerror or exc}. {REMAKE}") from exc


def _read_lines(path: Path, file: BinaryIO, ledger: ReadLedger, max_bad_lines: int) -> Iterator[Element]:
    meta_seen = False
    for line in file:
        ledger.lines += 1
        if ledger.lines == 1:
            _check_head(path, line)
        if line.isspace():
            continue
        try:
            element = _decode(line)
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            if not line.endswith(b"\n"):
                raise DumpError(f"{path} is cut off in the middle of line {ledger.lines}. {REMAKE}") from exc
            _note_bad_line(path, ledger, exc, max_bad_lines)
            continue
        if not meta_seen:
            if not isinstance(element, MetaData):
                raise DumpError(
                    f"{path} is no LSIF dump: expected a metaData vertex in line {ledger.lines}, found {_excerpt(line)}."
                )
            meta_seen = True
        if element is not None:
            yield element
    if not meta_seen:
        raise DumpError(f"{path} is empty: rust-analyzer failed before it wrote anything. {REMAKE}")


def _check_head(path: Path, line: bytes) -> None:
    """Raise DumpError where the first line can't be that of a dump, saying what it is instead."""
    if line.startswith(b"\x1f\x8b"):
        raise DumpError(f"{path} is a gzip file; expected plain LSIF lines. Unpack it first: gunzip -k {path}")
    if line.startswith(b"["):
        raise DumpError(
            f"{path} is LSIF in the JSON array form; expected one JSON object a line. Rewrite it first: jq -c '.[]' {path}"
        )
    if not line.isspace():
        try:
            orjson.loads(line)
        except ValueError as exc:
            raise DumpError(f"{path} is no LSIF dump: expected a JSON object in line 1, found {_excerpt(line)}.") from exc


def _note_bad_line(path: Path, ledger: ReadLedger, exc: Exception, max_bad_lines: int) -> None:
    ledger.bad_lines += 1
    why = f"line {ledger.lines}: {type(exc).__name__}: {exc}"
    if len(ledger.first_bad) < 3:  # noqa: PLR2004 - enough to see the pattern
        ledger.first_bad.append(why)
        logger.warning("%s, %s (skipped)", path, why)
    if ledger.bad_lines > max_bad_lines:
        raise DumpError(f"{path} has more than {max_bad_lines} unreadable lines (parse.max_bad_lines), the last: {why}. {REMAKE}")


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
    return Range(
        fields["id"],
        _natural(start["line"]),
        _natural(start["character"]),
        _natural(end["line"]),
        _natural(end["character"]),
    )


def _natural(number: object) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise ValueError(f"expected a number from 0, found {number!r}")
    return number


def _hover(fields: dict[str, Any]) -> HoverResult:
    contents = fields["result"]["contents"]
    return HoverResult(fields["id"], str(contents["value"] if isinstance(contents, dict) else contents))


def _edge(fields: dict[str, Any]) -> Edge | None:
    in_id = fields["inV"] if "inV" in fields else fields["inVs"][0]
    return Edge(fields["label"], fields["outV"], in_id)


def _item(fields: dict[str, Any]) -> Item:
    document = fields["document"] if "document" in fields else fields["shard"]
    return Item(fields["outV"], list(fields["inVs"]), document, fields.get("property"))


_VERTICES: dict[str, Callable[[dict[str, Any]], Element | None]] = {
    "metaData": _meta_data,
    "document": lambda fields: Document(fields["id"], str(fields["uri"])),
    "range": _range,
    "resultSet": lambda fields: ResultSet(fields["id"]),
    "hoverResult": _hover,
    "moniker": lambda fields: Moniker(fields["id"], str(fields["identifier"])),
}

_EDGES: dict[str, Callable[[dict[str, Any]], Element | None]] = {
    "next": _edge,
    "moniker": _edge,
    "textDocument/hover": _edge,
    "textDocument/definition": _edge,
    "textDocument/references": _edge,
    "item": _item,
}
