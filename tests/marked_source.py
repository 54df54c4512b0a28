"""Sources in which the names that an indexer would define are marked: `def «f»(): ...`."""

from __future__ import annotations

import re

from lsif.items import Findings
from lsif.other.finder import OutlinedFile
from lsif.reader.elements import Range
from lsif.reader.graph import Definition, Outline
from lsif.reader.hover import parse_hover

_MARK = re.compile("«([^»]*)»")


def find(language: str, marked: str, hovers: dict[str, str] | None = None) -> Findings:
    """Return what the marked names are, by a dump that has only their ranges.

    `hovers` are declarations, as an indexer shows them over names.
    """
    source, places = "", []
    for number, piece in enumerate(_MARK.split(marked)):
        if number % 2:
            places.append((len(source.encode()), piece))
        source += piece
    data = source.encode()
    definitions = []
    for at, name in places:
        line = data.count(b"\n", 0, at)
        column = at - (data.rfind(b"\n", 0, at) + 1)
        place = Range(at, line, column, line, column + len(name.encode()))
        text = (hovers or {}).get(name)
        hover = parse_hover(f"```{language}\n{text}\n```") if text is not None else None
        definitions.append(Definition("file:///p/a", place, hover, 0, 0))
    return OutlinedFile("p", "a.x", data, Outline(language)).find(definitions, "utf-8")


def rows(language: str, marked: str, hovers: dict[str, str] | None = None) -> list[str]:
    """Return a line for each item: kind, path, owner, lines (1-based), signature and docs."""
    found = []
    for each in find(language, marked, hovers).found:
        item = each.item
        path = "::".join((*item.modules, *item.qualifiers, item.name))
        docs = (item.docstring or "-").split("\n", 1)[0]
        found.append(
            f"{item.code_type} {path} {item.owner or '-'} {item.row_from + 1}-{item.row_to + 1} "
            f"{item.visibility or '-'} | {item.signature} | {docs}"
        )
    return found


def definitions_in(data: bytes, names: re.Pattern[bytes]) -> list[Definition]:
    """Return definitions, without hovers, of all that the pattern finds."""
    definitions = []
    for row, line in enumerate(data.split(b"\n")):
        for match in names.finditer(line):
            place = Range(len(definitions), row, match.start(), row, match.end())
            definitions.append(Definition("file:///p/a", place, None, 0, 0))
    return definitions
