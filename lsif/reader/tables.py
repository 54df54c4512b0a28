"""Tables of a dump, of which a graph is made: a row for each edge or vertex, columns of numbers.

Ids are numbers; a string id gets a number above all that dumps use. The order of rows has no
meaning: if an id comes twice that should come once, the larger row counts.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from lsif.reader.elements import (
    EDGE_LABELS,
    Document,
    DocumentSymbols,
    Edge,
    Event,
    FoldingRanges,
    HoverResult,
    Item,
    MetaData,
    Range,
    ResultSet,
    Root,
)
from lsif.reader.hover import PLAIN_HOVERS, Hover, parse_hover

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lsif.reader.elements import Element, FoldingRange, Id, Symbol, Tag
    from lsif.reader.spill import SpilledRows

_STRING_IDS = 1 << 50
"""Numbers from here on stand for string ids."""


class Table:
    """Rows of `width` int64 numbers; single rows and blocks of rows may be added in any mixture."""

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

    def __init__(self, places: SpilledRows | None = None) -> None:
        self.meta = MetaData("", "utf-16", "")
        self.meta_seen = False
        self.roots: list[str] = []
        """URIs of the dumped folders, if the metaData has none."""
        self.documents: dict[int, Document] = {}
        self.hovers: dict[int, Hover | bytes | None] = {}
        """Each hover; bytes are a line of JSON, see `lsif.reader.hover.decode_hover`."""
        self.plain_hovers = Table(2)
        """hover, PLAIN_HOVERS' index of what it says"""
        self.tags: dict[int, Tag] = {}
        """Tags of ranges."""
        self.folding_ranges: dict[int, list[FoldingRange]] = {}
        self.symbols: dict[int, list[Symbol]] = {}
        self.result_sets = 0
        self.open_events = 0
        """Begins without an end."""
        self.ranges = Table(5)
        """id, line, column, end line, end column"""
        self.edges = {label: Table(2) for label in EDGE_LABELS}
        """from, to"""
        self.definitions = Table(3)
        """definition result, document, range"""
        self.other_results = Table(1)
        """Results whose items look like a definition's."""
        self.references = Table(3)
        """reference result, document, number of ranges"""
        self.places = places
        """The same, one row for each range, as its third number; None if nobody wants them. If not
        `places_are_ranges`, line, column and length are the third number and those after it."""
        self.places_are_ranges = True
        self.further = Table(4)
        """reference result, document, range, hover of what references are to besides definitions;
        document and range are -1 if nothing in the dump defines it"""
        self.implementations = Table(2)
        """reference result of what implements, of what it implements"""
        self.skipped: Counter[str] = Counter()
        """Definitions that the reader knows to be no items, by reason; they are in no table."""
        self._strings: dict[str, int] = {}

    def number(self, element_id: Id) -> int:
        """Return the number that stands for the id."""
        if isinstance(element_id, int):
            return element_id
        return self._strings.setdefault(element_id, _STRING_IDS + len(self._strings))

    @property
    def has_string_ids(self) -> bool:
        """Whether some id is a string."""
        return bool(self._strings)

    def merge(self, other: Tables) -> None:
        """Add what the tables of another part of the same dump hold; neither has string ids."""
        if self.places is not None and other.places is not None:
            self.places.merge(other.places)
        for own, more in zip(self._each(), other._each(), strict=True):
            own.extend(more.to_array())
        for hover_id, hover in other.hovers.items():
            self.add_hover(hover_id, hover)
        self.documents |= other.documents
        self.tags |= other.tags
        self.folding_ranges |= other.folding_ranges
        self.symbols |= other.symbols
        self.roots += other.roots
        self.result_sets += other.result_sets
        self.open_events += other.open_events

    def add_hover(self, hover_id: int, hover: Hover | bytes | None) -> None:
        """Add what one hover says."""
        if isinstance(hover, Hover) and hover in PLAIN_HOVERS:
            self.plain_hovers.append(hover_id, PLAIN_HOVERS.index(hover))
            return
        other = self.hovers.setdefault(hover_id, hover)
        if other is not hover and repr(other) < repr(hover):
            self.hovers[hover_id] = hover

    def add(self, element: Element) -> None:  # noqa: C901, PLR0912 - one case for each kind of element
        """Add one element."""
        number = self.number
        match element:
            case Range():
                range_id = number(element.id)
                self.ranges.append(
                    range_id, element.line, element.column, element.end_line, element.end_column
                )
                if element.tag is not None:
                    self.tags[range_id] = element.tag
            case Edge() if element.label in EDGE_LABELS:
                self._add_rows(self.edges[element.label], [number(element.out_id)], element.in_ids)
            case Edge():
                self._add_rows(self.other_results, [], element.in_ids)
            case Item(property=None):
                self._add_rows(
                    self.definitions,
                    [number(element.out_id), number(element.document)],
                    element.in_ids,
                )
            case Item(property="references"):
                self._add_references(element)
            case HoverResult():
                self.add_hover(number(element.id), parse_hover(element.value))
            case Document():
                self.documents[number(element.id)] = element
            case FoldingRanges() if not self.meta.is_rust_analyzers:
                self.folding_ranges[number(element.id)] = element.folding_ranges
            case DocumentSymbols() if element.symbols:
                self.symbols[number(element.id)] = element.symbols
            case ResultSet():
                self.result_sets += 1
            case Event():
                self.open_events += element.step
            case Root():
                self.roots.append(element.uri)
            case MetaData():
                self.meta, self.meta_seen = element, True
            case _:
                pass

    def _add_references(self, item: Item) -> None:
        result, document = self.number(item.out_id), self.number(item.document)
        self.references.append(result, document, len(item.in_ids))
        if self.places is not None:
            for range_id in item.in_ids:
                self.places.append(result, document, self.number(range_id))

    def _each(self) -> list[Table]:
        tables = (
            self.plain_hovers,
            self.ranges,
            self.definitions,
            self.other_results,
            self.references,
        )
        return [*tables, *self.edges.values()]

    def _add_rows(self, table: Table, head: list[int], in_ids: list[Id]) -> None:
        """Add one row for each of the ids: the head, then the id's number."""
        if len(in_ids) == 1:
            table.append(*head, self.number(in_ids[0]))
            return
        rows = np.empty((len(in_ids), len(head) + 1), dtype=np.int64)
        rows[:, :-1] = head
        rows[:, -1] = [self.number(in_id) for in_id in in_ids]
        table.extend(rows)
