"""Who refers to what in one generation: places, callers, callees, implementations, tests.

A target is a structure, or a symbol that is none: of a dependency, of the standard library. What
goes through a trait's member is told apart: a call of `Shape::area` may run `Circle::area`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

from search import limits
from search.callees import callees
from search.errors import AmbiguousName, Candidate, ReferencesMissing, StructureMissing
from search.graph import Node, edges_to, implementing, node_of, read, tests_among
from search.locations import locations_in
from search.lookup import is_id
from search.symbols import bare, matches_symbol, readings
from search.walk import Listed, Reached, walk

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from configs.workspace import Workspace
    from lsif.references.places import Place, PlacesFile
    from lsif.structure import Structure
    from search.lookup import Lookup
    from storage.index import Points

T = TypeVar("T")

CALLED = frozenset({"Function", "Macro"})
"""Kinds of structures that are called."""
STEPS_TO_TESTS = 3
"""From a structure to its tests, unless others are asked for."""
_KEPT = 4
"""Lists that are kept; the longest takes 5 MB."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list."""

    items: list[T]
    total: int
    """Items of the whole list, as far as they were counted."""
    is_all: bool = True
    """Whether all were counted: else there are more than `total`."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked about."""

    key: str
    """Id of a structure; else a symbol."""
    structure: Structure | None
    """None if it is a symbol outside the index."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A structure, or a symbol outside the index, at some distance from the target."""

    key: str
    """Id of the structure; else the symbol."""
    structure: Structure | None
    """None if it is a symbol outside the index."""
    steps: int = 1
    via: str | None = None
    """Id of the structure one step nearer to the target; None if that is the target itself."""
    through: str | None = None
    """Key of the trait's member that the call goes through."""
    is_guessed: bool = False
    """Whether only names say so: one of the structures on the way is in no dump."""


class References:
    """Answers questions about references. Several threads may use it."""

    def __init__(self, lookup: Lookup, places: Path | None = None) -> None:
        """Make it of a generation's structures and the file of its places, opened when needed.

        Without the file all but the places is known. Raises ReferencesMissing if the generation was
        made without references.
        """
        metadata = lookup.generation.metadata
        if not metadata.places:
            raise ReferencesMissing(
                f"the index of {metadata.project!r} was made without what structures refer to; "
                "lsif-ingest ingest --rebuild adds it."
            )
        self.lookup, self._path = lookup, places
        self._lock = Lock()
        self._kept: dict[tuple[str, str, int], Listed] = {}
        """What was found by relation, target and depth; what was asked for last is at the end."""

    def close(self) -> None:
        """Close the file of places; the next question about them opens it again."""
        opened = self.__dict__.pop("_places", None)
        if opened is not None:
            opened.close()

    def target(self, text: str) -> Target:
        """Return what is given by id, place, symbol or name; symbols outside the index count.

        Raises AmbiguousName with the candidates if there are several, StructureMissing if none.
        """
        if "::" in text and text in self._symbols:  # as answers write it: names take longer
            return Target(text, None)
        try:
            return self._structure_target(self.lookup.resolve(text))
        except StructureMissing:
            plain = bare(text)
            if is_id(plain.lower()) or locations_in(plain):
                raise
        for name in readings(text):
            outside = [symbol for symbol in self._symbols if matches_symbol(symbol, name)]
            if len(outside) == 1 or name in outside:
                return Target(name if name in outside else outside[0], None)
            if outside:
                raise AmbiguousName(name, [Candidate(it, "", "", it, 0) for it in outside])
        raise StructureMissing(
            f"the index has no structure {text!r}, and nothing in it refers to such a symbol. "
            "Case matters; if you don't know the exact name, search for it."
        )

    def references(self, target: Target, offset: int = 0, limit: int = 100) -> Page[Place]:
        """Return the places that refer to the target, by file and line.

        Raises ReferencesMissing if their file is not on this machine, PlacesError if it is damaged.
        """
        return Page(self._places.page(target.key, offset, limit), self.count(target.key))

    def count(self, key: str) -> int:
        """Return how many places refer to a structure, by its id, or to a symbol outside.

        Raises what `references` raises.
        """
        return self._places.count(key)

    def callers(
        self, target: Target, offset: int = 0, limit: int = 100, *, depth: int = 1
    ) -> Page[Neighbour]:
        """Return the structures whose own lines refer to the target, and their callers.

        The nearest come first; of these, those of its crate, those that are no tests and those that
        are used most. Those that may refer to it, and to the trait's member that it implements,
        follow.
        """
        return self._page(target, self._listed("callers", target, depth), offset, limit)

    def callees(
        self,
        target: Target,
        offset: int = 0,
        limit: int = 100,
        *,
        depth: int = 1,
        code_types: Collection[str] = CALLED,
    ) -> Page[Neighbour]:
        """Return what the target's own lines refer to: structures of these kinds, then symbols.

        A trait's member is followed by what implements it, equally far away. A symbol outside has
        no callees.
        """
        if target.structure is None:
            return Page([], 0)
        found = callees(self._points, target.structure, depth, limits.WALKED, code_types)
        return self._page(target, found, offset, limit)

    def implementations(self, target: Target, offset: int = 0, limit: int = 100) -> Page[Neighbour]:
        """Return the impl blocks of a trait, or the members of impl blocks of a trait's member."""
        return self._page(target, self._listed("implementations", target), offset, limit)

    def tests(
        self, target: Target, offset: int = 0, limit: int = 100, *, depth: int = STEPS_TO_TESTS
    ) -> Page[Neighbour]:
        """Return the tests that reach the target in at most so many steps, the nearest first.

        What helps tests only leads to them. Calls of `Clone::clone` and the like lead to none.
        """
        return self._page(target, self._listed("tests", target, depth), offset, limit)

    def ranked(self, relation: str, target: Target) -> list[str]:
        """Return the ids of the target's `callers`, `implementations` or `tests`, in order.

        They are those that the methods of these names return, but no record is read.
        """
        steps = STEPS_TO_TESTS if relation == "tests" else 1
        return [reached.key for reached in self._listed(relation, target, steps).items]

    def neighbours(self, found: Sequence[Reached]) -> list[Neighbour]:
        """Return what a walk came to with the records; without what the index lacks."""
        records = self.structures(item.key for item in found if not item.node.is_outside)
        return [
            Neighbour(
                item.key,
                records.get(item.key),
                item.steps,
                item.via,
                item.through,
                item.is_guessed,
            )
            for item in found
            if item.node.is_outside or item.key in records
        ]

    def structures(self, ids: Iterable[str]) -> dict[str, Structure]:
        """Return the structures of these ids by id, as far as the index has them."""
        return {structure.id: structure for structure in read(self._points, ids)}

    def symbols(self, keys: Collection[str]) -> dict[str, str]:
        """Return symbols by key; that of what the index lacks is absent, a symbol is its own."""
        outside = {key: key for key in keys if not is_id(key)}
        inside = self.structures(key for key in keys if is_id(key))
        return outside | {key: structure.symbol for key, structure in inside.items()}

    def _listed(self, relation: str, target: Target, depth: int = 1) -> Listed:
        """Return all that has the relation to the target; pages of it are of one walk."""
        asked = relation, target.key, depth
        with self._lock:
            found = self._kept.pop(asked, None)
        if found is None:
            found = self._found(relation, target, depth)
        with self._lock:
            self._kept[asked] = found
            while len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]
        return found

    def _found(self, relation: str, target: Target, depth: int) -> Listed:
        start = Node(target.key) if target.structure is None else node_of(target.structure)
        crate = start.crate or None
        if relation == "implementations":
            nodes = [*islice(implementing(self._points, [target.key]), limits.WALKED + 1)]
            found = [Reached(node, 1, target.key) for node in nodes[: limits.WALKED]]
            found.sort(key=lambda reached: reached.rank(crate))
            return Listed(found, len(found) == len(nodes))
        ask, are_tests = partial(edges_to, self._points), relation == "tests"
        walked = walk(ask, [start], depth, limits.WALKED, through_outside=not are_tests)
        items, is_all = walked.ordered(crate)
        if are_tests:
            others = [reached.node for reached in items if reached.key != target.key]
            tests = tests_among(self._points, others)
            items = [reached for reached in items if reached.key in tests]
        return Listed(items, is_all)

    @cached_property
    def _places(self) -> PlacesFile:
        from lsif.references.places import PlacesFile  # noqa: PLC0415 - pyarrow, of no use else

        if self._path is None or not self._path.is_file():
            raise ReferencesMissing(
                f"{self._path or 'the file of places'} is not on this machine, so the lines "
                "of references are not known here; callers, callees, tests and implementations "
                "are. Ask where the index was made, or ingest here."
            )
        return PlacesFile(self._path)

    @property
    def _points(self) -> Points[Structure]:
        return self.lookup.generation.structures

    @cached_property
    def _symbols(self) -> list[str]:
        """Symbols outside the index that something in it refers to."""
        return sorted(self._points.values("uses"))

    def _structure_target(self, structure_id: str) -> Target:
        return Target(structure_id, self.lookup.structure(structure_id))

    def _page(self, target: Target, found: Listed, offset: int, limit: int) -> Page[Neighbour]:
        part = found.items[offset : offset + limit]
        shown = [
            replace(neighbour, via=None) if neighbour.via == target.key else neighbour
            for neighbour in self.neighbours(part)
        ]
        return Page(shown, len(found.items), found.is_all)


def open_references(workspace: Workspace, collection: str, lookup: Lookup) -> References:
    """Return the references of a generation of the collection. Raises ReferencesMissing."""
    digest = lookup.generation.metadata.places
    return References(lookup, workspace.project_folder(collection).places(digest))
