"""Indexes of SCIP: made of marked sources, and written as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from google.protobuf import text_format

from lsif.scip import schema
from lsif.scip.schema import DEFINITION


class Index(schema.Message):
    """All of an index, which the program never has in memory."""

    metadata: Annotated[schema.Metadata, 1]
    documents: Annotated[Sequence[schema.Document], 2]
    external_symbols: Annotated[Sequence[schema.SymbolInformation], 3]


MESSAGES: Any = schema.message_classes((*schema.MESSAGES, Index))


class Place(NamedTuple):
    """A marked name: `«name|symbol»` names the symbol, `«name|+symbol»` defines it."""

    line: int
    column: int
    end: int
    symbol: str
    roles: int


def read_marked(marked: str) -> tuple[str, list[Place]]:
    """Return the source without its marks, and the places, whose columns are in UTF-8."""
    source, places = "", []
    for number, piece in enumerate(re.split("«([^»]*)»", marked)):
        name, _, symbol = piece.partition("|") if number % 2 else (piece, "", "")
        if number % 2:
            line = source.count("\n")
            column = len(source.rpartition("\n")[2].encode())
            roles = DEFINITION if symbol.startswith("+") else 0
            end = column + len(name.encode())
            places.append(Place(line, column, end, symbol.removeprefix("+"), roles))
        source += name
    return source, places


def document(
    path: str,
    places: Sequence[Place] = (),
    symbols: Sequence[dict[str, Any]] = (),
    prefix: str = "",
    **fields: Any,
) -> Any:
    """Return a document; symbols that are not local begin with the prefix."""
    occurrences = [
        {
            "range": [place.line, place.column, place.end],
            "symbol": _symbol(place.symbol, prefix),
            "symbol_roles": place.roles,
        }
        for place in places
    ]
    return MESSAGES["Document"](
        relative_path=path.encode(),
        occurrences=occurrences,
        symbols=[{**each, "symbol": _symbol(each["symbol"], prefix)} for each in symbols],
        **fields,
    )


def _symbol(text: str, prefix: str) -> bytes:
    return (text if text.startswith(("local ", "scip", "rust-")) else prefix + text).encode()


def index(*documents: Any, tool: str = "rust-analyzer", external: Sequence[Any] = ()) -> bytes:
    """Return the bytes of an index."""
    made: bytes = MESSAGES["Index"](
        metadata={"tool_info": {"name": tool.encode(), "version": b"1"},
                  "project_root": b"file:///r"},
        documents=documents,
        external_symbols=external,
    ).SerializeToString()  # fmt: skip
    return made


def read_text(path: Path) -> bytes:
    """Return the bytes of an index that is written as text."""
    made: bytes = text_format.Parse(path.read_text(), MESSAGES["Index"]()).SerializeToString()
    return made
