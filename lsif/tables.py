"""The tables of a dump: what a graph is made of, whatever the file looked like. One row an edge or vertex, columns of numbers.

Ids are numbers here; a string gets one beyond all that dumps use. The order of rows says nothing: where an id that should come
once comes twice, the larger row counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import orjson

from lsif.elements import Document, Edge, HoverResult, Item, MetaData, Range, ResultSet
from lsif.hover import parse_hover

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lsif.elements import Element, Id
    from lsif.hover import Hover

_STRING_IDS = 1 << 50
"""Numbers from here on stand for string ids."""


class Table:
    """Rows of `width` numbers, int64; single rows and whole blocks of rows may be added in any mixture."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._blocks: list[NDArray[np.int64]] = []
        self._rows: list[tuple[int, ...]] = []

    def append(self, *row: int) -> None:
        """Add one row."""
        self._rows.append(row)

    def extend(self, rows: NDArray[np.int64]) -> None:
        """Add a block, (n, width)."""
        self._flush()
        if len(rows):
            self._blocks.append(rows)

    def to_array(self) -> NDArray[np.int64]:
        """Return all rows, (n, width), in no particular order."""
        self._flush()
        if len(self._blocks) > 1:
            self._blocks = [np.concatenate(self._blocks)]
        return self._blocks[0] if self._blocks else np.empty((0, self._width), dtype=np.int64)

    def _flush(self) -> None:
        if self._rows:
            self._blocks.append(np.array(self._rows, dtype=np.int64))
            self._rows = []


class Tables:
    """Everything of a dump that structures need."""

    def __init__(self) -> None:
        self.meta = MetaData("", "utf-16", "")
        self.meta_seen = False
        self.uris: dict[int, str] = {}
        self.hovers: dict[int, Hover | bytes | None] = {}
        """What each hover says; bytes are a line of JSON that is not decoded yet, see `hover`."""
        self.result_sets = 0
        self.ranges = Table(5)
        """id, line, column, end line, end column"""
        self.edges = {label: Table(2) for label in EDGE_LABELS}
        """from, to"""
        self.definitions = Table(3)
        """definition result, document, range"""
        self.references = Table(3)
        """reference result, document, number of ranges"""
        self._strings: dict[str, int] = {}

    def number(self, element_id: Id) -> int:
        """Return the number that stands for the id."""
        if isinstance(element_id, int):
            return element_id
        return self._strings.setdefault(element_id, _STRING_IDS + len(self._strings))

    def hover(self, hover_id: int) -> Hover | None:
        """Return what the hover says, None where there is none or it can't be understood."""
        hover = self.hovers.get(hover_id)
        if isinstance(hover, bytes):
            try:
                return parse_hover(orjson.loads(hover)["result"]["contents"]["value"])
            except (ValueError, KeyError, TypeError):
                return None
        return hover

    def add_hover(self, hover_id: int, hover: Hover | bytes | None) -> None:
        """Add what one hover says."""
        other = self.hovers.setdefault(hover_id, hover)
        if other is not hover and repr(other) < repr(hover):
            self.hovers[hover_id] = hover

    def add(self, element: Element) -> None:
        """Add one element."""
        number = self.number
        match element:
            case Range():
                self.ranges.append(number(element.id), element.line, element.column, element.end_line, element.end_column)
            case Edge():
                self.edges[element.label].append(number(element.out_id), number(element.in_id))
            case Item(property=None):
                for range_id in element.in_ids:
                    self.definitions.append(number(element.out_id), number(element.document), number(range_id))
            case Item(property="references"):
                self.references.append(number(element.out_id), number(element.document), len(element.in_ids))
            case HoverResult():
                self.add_hover(number(element.id), parse_hover(element.value))
            case Document():
                self.uris[number(element.id)] = element.uri
            case ResultSet():
                self.result_sets += 1
            case MetaData():
                self.meta, self.meta_seen = element, True
            case _:
                pass


EDGE_LABELS = ("next", "textDocument/hover", "textDocument/definition", "textDocument/references")
"""Labels of the edges that are followed."""
