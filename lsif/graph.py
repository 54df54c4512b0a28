"""Elements to definitions: follows the edges of a dump. Knows no file format and no source.

Nothing can be finished before the last element is seen, since rust-analyzer writes all documents and ranges first and all
results after them. So the graph is built whole, from ids and numbers; hovers of what can't become a structure are not kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lsif.elements import Document, Edge, HoverResult, Id, Item, MetaData, Moniker, Range, ResultSet
from lsif.errors import DumpError
from lsif.hover import Hover, parse_hover

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lsif.elements import Element

_MAX_NEXT = 16
"""Longest chain of `next` edges that is followed; real ones have one or two, a cycle has no end."""


class Definition(NamedTuple):
    """One definition: where its name stands and what the indexer says of it."""

    document_uri: str
    range: Range
    hover: Hover | None
    moniker: str | None


class Graph:
    """A dump's definitions, found by following its edges."""

    def __init__(self, elements: Iterable[Element]) -> None:
        self.meta = MetaData("", "utf-16", "")
        self._uris: dict[Id, str] = {}
        self._ranges: dict[Id, Range] = {}
        self._hovers: dict[Id, Hover | None] = {}
        self._monikers: dict[Id, str] = {}
        self._edges: dict[str, dict[Id, Id]] = {}
        self._definition_owner: dict[Id, Id] = {}
        self._definition_items: list[Item] = []
        self._result_sets = 0
        for element in elements:
            self._add(element)

    def _add(self, element: Element) -> None:
        match element:
            case Range():
                self._ranges[element.id] = element
            case Edge(label="textDocument/definition"):
                self._definition_owner[element.in_id] = element.out_id
            case Edge():
                self._edges.setdefault(element.label, {})[element.out_id] = element.in_id
            case Item(property=None):
                self._definition_items.append(element)
            case HoverResult():
                self._hovers[element.id] = parse_hover(element.value)
            case Moniker():
                self._monikers[element.id] = element.identifier
            case Document():
                self._uris[element.id] = element.uri
            case ResultSet():
                self._result_sets += 1
            case MetaData():
                self.meta = element

    def check_complete(self) -> None:
        """Raise DumpError where the dump ends early.

        References are the last thing that rust-analyzer writes of a result set, and each has them.
        """
        finished = len(self._edges.get("textDocument/references", {}))
        if self.meta.tool.startswith("rust-analyzer") and finished < self._result_sets:
            raise DumpError(
                f"the dump is cut off: {finished} of its {self._result_sets} result sets are finished. "
                "Make it again with `lsif-ingest dump --repo DIR -o FILE`."
            )

    @property
    def document_count(self) -> int:
        """Number of documents, those outside the project included."""
        return len(self._uris)

    def definitions(self) -> Iterator[Definition]:
        """Yield each definition in the order of the dump; those that can't be reached are counted by `dangling`."""
        for item in self._definition_items:
            owner = self._definition_owner.get(item.out_id)
            uri = self._uris.get(item.document)
            if owner is None or uri is None:
                continue
            hover, moniker = self._follow(owner, "textDocument/hover"), self._follow(owner, "moniker")
            for range_id in item.in_ids:
                place = self._ranges.get(range_id)
                if place is not None:
                    yield Definition(
                        uri,
                        place,
                        self._hovers.get(hover) if hover is not None else None,
                        self._monikers.get(moniker) if moniker is not None else None,
                    )

    @property
    def dangling(self) -> int:
        """Number of definition ranges that can't be reached: an id on the way to them exists nowhere in the dump."""
        return sum(
            len(item.in_ids)
            if item.out_id not in self._definition_owner or item.document not in self._uris
            else sum(range_id not in self._ranges for range_id in item.in_ids)
            for item in self._definition_items
        )

    def _follow(self, owner: Id, label: str) -> Id | None:
        """Return what the edge `label` of `owner`, or of the result sets behind it, leads to."""
        edges, chain = self._edges.get(label, {}), self._edges.get("next", {})
        current: Id | None = owner
        for _ in range(_MAX_NEXT):
            if current is None or current in edges:
                break
            current = chain.get(current)
        return edges.get(current) if current is not None else None
