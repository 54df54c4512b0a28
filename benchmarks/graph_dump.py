"""Who refers to what in a dump of rust-analyzer, by a reader that shares no code with the parser.

It takes each line as JSON and keeps all of it in memory.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from lsif.reader.streams import open_dump

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Spot(NamedTuple):
    """Where a name begins; line and column are 1-based, columns UTF-16."""

    path: str
    """Relative to the dump's root; else a URI."""
    line: int
    column: int


class DumpedReferences:
    """The references of a dump."""

    def __init__(self, dump: Path) -> None:
        self._paths: dict[int, str] = {}
        self._starts: dict[int, tuple[int, int]] = {}
        self._owners: dict[int, int] = {}
        """Result sets by their definition and reference results."""
        self._root = ""
        defined: dict[int, set[Spot]] = defaultdict(set)
        referred: dict[int, set[Spot]] = defaultdict(set)
        items: list[dict[str, Any]] = []
        with open_dump(dump) as lines:
            for line in lines:
                self._take(json.loads(line), items)
        for item in items:
            by_owner = referred if item.get("property") == "references" else defined
            if item.get("property") != "definitions":
                by_owner[self._owners[item["outV"]]] |= self._spots(item)
        self._defined: dict[Spot, set[int]] = defaultdict(set)
        """Result sets by where they are defined."""
        for owner, spots in defined.items():
            for spot in spots:
                self._defined[spot].add(owner)
        self._referred = referred
        self.files = {*self._paths.values()}
        self.spots = {spot for spots in referred.values() for spot in spots}
        """All places that refer to something."""

    def of(self, definitions: Iterable[Spot]) -> set[Spot]:
        """Return what refers to a definition at one of these places."""
        owners = {owner for spot in definitions for owner in self._defined.get(spot, ())}
        return {spot for owner in owners for spot in self._referred.get(owner, ())}

    def _take(self, fields: dict[str, Any], items: list[dict[str, Any]]) -> None:
        match fields["label"]:
            case "metaData":
                self._root = fields["projectRoot"].rstrip("/") + "/"
            case "document":
                self._paths[fields["id"]] = fields["uri"].removeprefix(self._root)
            case "range":
                start = fields["start"]
                self._starts[fields["id"]] = start["line"] + 1, start["character"] + 1
            case "textDocument/definition" | "textDocument/references":
                self._owners[fields["inV"]] = fields["outV"]
            case "item":
                items.append(fields)

    def _spots(self, item: dict[str, Any]) -> set[Spot]:
        path = self._paths[item["document"]]
        return {Spot(path, *self._starts[number]) for number in item["inVs"]}
