"""A line's JSON to an element: knows the spellings of several indexers, and nothing of files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from lsif.reader.elements import (
    EDGE_LABELS,
    MAX_NUMBER,
    OTHER_RESULTS,
    Document,
    DocumentSymbols,
    Edge,
    Element,
    Event,
    Extent,
    FoldingRange,
    FoldingRanges,
    HoverResult,
    Id,
    Item,
    MetaData,
    Range,
    ResultSet,
    Root,
    Symbol,
    Tag,
)
from lsif.reader.languages import language_of

if TYPE_CHECKING:
    from collections.abc import Callable

MALFORMED = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)
"""What a malformed line or object raises."""


def decode_line(line: bytes) -> Element | None:
    """Return the line's element, None for kinds that are not read. Raises one of MALFORMED."""
    return decode_fields(orjson.loads(line))


def decode_fields(fields: dict[str, Any]) -> Element | None:
    """Return the element of a vertex's or edge's fields, None for kinds that are not read.

    Raises one of MALFORMED.
    """
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


def _root(fields: dict[str, Any]) -> Root | None:
    uri = fields.get("rootUri") or fields.get("workspaceRoot")
    return Root(str(uri)) if uri else None


def _document(fields: dict[str, Any]) -> Document:
    contents = fields.get("contents")
    return Document(
        _id(fields["id"]),
        str(fields["uri"]),
        language_of(str(fields.get("languageId") or ""), str(fields["uri"])),
        str(contents) if contents is not None else None,
    )


def _range(fields: dict[str, Any]) -> Range:
    tag = fields.get("tag")
    found = (
        _tag(tag) if tag is not None and tag.get("type") in ("definition", "declaration") else None
    )
    return Range(_id(fields["id"]), *_extent(fields), found)


def _extent(fields: dict[str, Any]) -> Extent:
    start, end = fields["start"], fields["end"]
    return Extent(
        *(
            _natural(place)
            for place in (start["line"], start["character"], end["line"], end["character"])
        )
    )


def _tag(fields: dict[str, Any]) -> Tag:
    full = fields.get("fullRange")
    return Tag(
        str(fields["text"]),
        _natural(fields.get("kind", 0)),
        _extent(full) if full is not None else None,
    )


def _natural(number: object) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= MAX_NUMBER:
        raise ValueError(f"expected a number from 0, found {number!r:.60}")
    return number


def _id(value: object) -> Id:
    return value if isinstance(value, str) else _natural(value)


def _ids(values: object) -> list[Id]:
    if not isinstance(values, list):
        raise TypeError(f"expected a list inVs, found {values!r:.60}")
    return [_id(value) for value in values]


def _hover(fields: dict[str, Any]) -> HoverResult:
    return HoverResult(_id(fields["id"]), _markdown(fields["result"]["contents"]))


def _markdown(contents: object) -> str:
    """Return a hover's contents as Markdown.

    They are Markdown, code and its language, or a list of such things.
    """
    if isinstance(contents, list):
        return "\n\n---\n\n".join(_markdown(part) for part in contents)
    if isinstance(contents, dict):
        language = contents.get("language")
        return (
            f"```{language}\n{contents['value']}\n```"
            if language is not None
            else str(contents["value"])
        )
    return str(contents)


def _folding_ranges(fields: dict[str, Any]) -> FoldingRanges:
    return FoldingRanges(
        _id(fields["id"]),
        [
            FoldingRange(
                _natural(fold["startLine"]),
                _natural(fold["endLine"]),
                fold.get("kind") == "comment",
            )
            for fold in fields["result"]
            if fold.get("kind") not in ("imports", "region")
        ],
    )


def _document_symbols(fields: dict[str, Any]) -> DocumentSymbols:
    symbols, waiting = [], list(fields["result"])
    while waiting:
        symbol = waiting.pop()
        waiting += symbol.get("children") or []
        if "selectionRange" in symbol:
            name = _extent(symbol["selectionRange"])
            tag = Tag(str(symbol["name"]), _natural(symbol["kind"]), _extent(symbol["range"]))
            symbols.append(Symbol(name.line, name.column, tag))
    return DocumentSymbols(_id(fields["id"]), symbols)


def _edge(fields: dict[str, Any]) -> Edge:
    in_ids = [_id(fields["inV"])] if "inV" in fields else _ids(fields["inVs"])
    if not in_ids:
        raise ValueError("expected a target, found none")
    return Edge(fields["label"], _id(fields["outV"]), in_ids)


def _item(fields: dict[str, Any]) -> Item:
    document = fields["document"] if "document" in fields else fields["shard"]
    return Item(_id(fields["outV"]), _ids(fields["inVs"]), _id(document), fields.get("property"))


_VERTICES: dict[str, Callable[[dict[str, Any]], Element | None]] = {
    "metaData": _meta_data,
    "group": _root,
    "source": _root,
    "$event": lambda fields: Event(1 if fields["kind"] == "begin" else -1),
    "document": _document,
    "range": _range,
    "resultSet": lambda fields: ResultSet(_id(fields["id"])),
    "hoverResult": _hover,
    "foldingRangeResult": _folding_ranges,
    "documentSymbolResult": _document_symbols,
}

_EDGES: dict[str, Callable[[dict[str, Any]], Element | None]] = {
    **dict.fromkeys((*EDGE_LABELS, *OTHER_RESULTS), _edge),
    "item": _item,
}
