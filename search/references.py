"""Who refers to what in one generation: places, callers, callees, implementations, tests.

A target is a structure, or a symbol that is none: of a dependency, of the standard library. What
goes through a trait's member is told apart: a call of `Shape::area` may run `Circle::area`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from lsif.references.places import PlacesFile
from search.errors import AmbiguousName, Candidate, ReferencesMissing, StructureMissing
from search.symbols import matches_symbol
from storage.index import Condition

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from configs.workspace import Workspace
    from lsif.references.places import Place
    from lsif.structure import Structure
    from search.lookup import Lookup
    from storage.index import Points

T = TypeVar("T")

CALLED = frozenset({"Function", "Macro"})
"""Kinds of structures that are called."""
_MOST = 10_000
"""Structures that are ranked, or followed to tests; of more, the rest is only known to exist."""
_IDS = 200
"""Ids in one filter."""


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
    through: str | None = None
    """The trait's member that the call goes through, as a key. For tests, the structure one step
    nearer to the target, if there is one between."""
    is_guessed: bool = False
    """Whether only names say so: one of the two is in no dump."""


class _Found(NamedTuple):
    """What is known of a structure before it is read."""

    key: str
    rank: tuple[Any, ...]
    """What comes first is smaller; its first number is a group's."""
    steps: int = 1
    through: str | None = None
    is_outside: bool = False
    is_guessed: bool = False


_DIRECT, _GUESSED, _INDIRECT, _OUTSIDE = range(4)
"""Groups in this order."""
_RANKED_BY = ("crate", "is_test", "references", "context.file_path", "line")


class References:
    """Answers questions about references. Several threads may use it."""

    def __init__(self, lookup: Lookup, places: Path) -> None:
        """Make it of a generation's structures and the file of its places, opened when needed.

        Raises ReferencesMissing if the generation was made without references.
        """
        metadata = lookup.generation.metadata
        if not metadata.places:
            raise ReferencesMissing(
                f"the index of {metadata.project!r} was made without what structures refer to; "
                "lsif-ingest ingest --rebuild adds it."
            )
        self._lookup, self._path = lookup, places

    def target(self, text: str) -> Target:
        """Return what is given by id, FILE:LINE, symbol or name; symbols outside the index count.

        Raises AmbiguousName with the candidates if there are several, StructureMissing if none.
        """
        try:
            return self._structure_target(self._lookup.resolve(text))
        except StructureMissing:
            outside = [symbol for symbol in self._symbols() if matches_symbol(symbol, text)]
        if text in outside:
            return Target(text, None)
        if len(outside) > 1:
            raise AmbiguousName(text, [Candidate(it, "", "", it, 0) for it in outside])
        if not outside:
            raise StructureMissing(
                f"the index has no structure {text!r}, and nothing in it refers to such a symbol."
            )
        return Target(outside[0], None)

    def references(self, target: Target, offset: int = 0, limit: int = 100) -> Page[Place]:
        """Return the places that refer to the target, by file and line.

        Raises ReferencesMissing if their file is not on this machine, PlacesError if it is damaged.
        """
        places = self._places
        return Page(places.page(target.key, offset, limit), places.count(target.key))

    def callers(self, target: Target, offset: int = 0, limit: int = 100) -> Page[Neighbour]:
        """Return the structures whose own lines refer to the target.

        First come those of its crate, those that are no tests and those that are used most; those
        that may refer to it, and to the trait's member that it implements, follow.
        """
        found = {item.key: item for item in self._users([target.key], target)}
        for key, values in self._rows(_RANKED_BY, "may_refer_to", [target.key]):
            rank = _rank(values, target, _GUESSED)
            found.setdefault(key, _Found(key, rank, is_guessed=True))
        for member in target.structure.implements if target.structure is not None else ():
            for item in self._users([member], target):
                rank = (_INDIRECT, *item.rank[1:])
                found.setdefault(item.key, item._replace(through=member, rank=rank))
        return self._page(found.values(), offset, limit)

    def callees(
        self,
        target: Target,
        offset: int = 0,
        limit: int = 100,
        *,
        code_types: Collection[str] = CALLED,
    ) -> Page[Neighbour]:
        """Return what the target's own lines refer to: structures of these kinds, then symbols.

        A trait's member is followed by what implements it. A symbol outside has none.
        """
        if target.structure is None:
            return Page([], 0)
        found = {
            structure.id: _Found(structure.id, _rank(_values_of(structure), target))
            for structure in self._structures(target.structure.refers_to)
            if structure.code_type in code_types
        }
        for structure in self._structures(target.structure.may_refer_to):
            if structure.code_type in code_types:
                rank = _rank(_values_of(structure), target, _GUESSED)
                found.setdefault(structure.id, _Found(structure.id, rank, is_guessed=True))
        rows = [*self._rows(("implements", *_RANKED_BY), "implements", found)]
        for key, (members, *values) in rows:
            through = next((member for member in members or () if member in found), None)
            found.setdefault(key, _Found(key, _rank(values, target, _INDIRECT), 2, through))
        outside = [
            _Found(symbol, (_OUTSIDE, symbol), is_outside=True) for symbol in target.structure.uses
        ]
        return self._page([*found.values(), *outside], offset, limit)

    def implementations(self, target: Target, offset: int = 0, limit: int = 100) -> Page[Neighbour]:
        """Return the impl blocks of a trait, or the members of impl blocks of a trait's member."""
        rows = self._rows(_RANKED_BY, "implements", [target.key])
        found = [_Found(key, _rank(values, target)) for key, values in rows]
        return self._page(found, offset, limit)

    def tests(
        self, target: Target, steps: int = 3, offset: int = 0, limit: int = 100
    ) -> Page[Neighbour]:
        """Return the tests that reach the target in at most so many steps, the nearest first."""
        seen = {target.key}
        members = target.structure.implements if target.structure is not None else ()
        layer = {target.key: target.key, **dict.fromkeys(members, target.key)}
        tests: list[_Found] = []
        for step in range(1, steps + 1):
            following: dict[str, str] = {}
            for key, nearer, is_test, values in self._layer(layer):
                if key in seen or len(seen) > _MOST:
                    continue
                seen.add(key)
                following[key] = key
                following.update(dict.fromkeys(values[0] or (), key))
                if is_test:
                    through = nearer if step > 1 else None
                    tests.append(_Found(key, _rank(values[1:], target, step), step, through))
            layer = following
        return self._page(tests, offset, limit, is_all=len(seen) <= _MOST)

    def _layer(self, layer: dict[str, str]) -> Iterator[tuple[str, str, bool, tuple[Any, ...]]]:
        """Yield what refers to one of the keys of `layer`, with the key's value; and its fields."""
        names = ("refers_to", "uses", "is_test", "implements", *_RANKED_BY)
        for field in ("refers_to", "uses"):
            for key, (refers_to, uses, is_test, *values) in self._rows(names, field, layer):
                named = [*(refers_to or ()), *(uses or ())]
                nearer = next((layer[name] for name in named if name in layer), "")
                yield key, nearer, bool(is_test), tuple(values)

    def _users(self, keys: Sequence[str], target: Target) -> Iterator[_Found]:
        for field in ("refers_to", "uses"):
            for key, values in self._rows(_RANKED_BY, field, keys):
                yield _Found(key, _rank(values, target))

    def _rows(
        self, names: Sequence[str], field: str, keys: Iterable[str]
    ) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Yield id and fields of at most _MOST structures whose `field` has one of the keys."""
        wanted, count = sorted(keys), 0
        for begin in range(0, len(wanted), _IDS):
            where = [Condition(field, tuple(wanted[begin : begin + _IDS]))]
            for row in self._points.select(names, where=where):
                count += 1
                if count > _MOST:
                    return
                yield row.id, row.values

    def _structures(self, ids: Iterable[str]) -> Iterator[Structure]:
        """Yield the structures of these ids; the index may lack some that Qdrant rejected."""
        waiting = iter(ids)
        while batch := [*islice(waiting, _IDS)]:
            yield from (point.record for point in self._points.retrieve(batch, vectors=False))

    @cached_property
    def _places(self) -> PlacesFile:
        if not self._path.is_file():
            raise ReferencesMissing(
                f"{self._path} is not on this machine: which structures refer to others is known, "
                "and in which lines is not. Search where the index was made, or ingest here."
            )
        return PlacesFile(self._path)

    @property
    def _points(self) -> Points[Structure]:
        return self._lookup.generation.structures

    def _symbols(self) -> list[str]:
        return sorted(self._points.values("uses"))

    def _structure_target(self, structure_id: str) -> Target:
        return Target(structure_id, self._lookup.structure(structure_id))

    def _page(
        self, found: Collection[_Found], offset: int, limit: int, *, is_all: bool = True
    ) -> Page[Neighbour]:
        """Return a part of what was found, in the order of their ranks, with their records."""
        ordered = sorted(found, key=lambda item: (item.rank, item.key))[offset : offset + limit]
        inside = [item.key for item in ordered if not item.is_outside]
        records = {structure.id: structure for structure in self._structures(inside)}
        shown = [
            Neighbour(item.key, records.get(item.key), item.steps, item.through, item.is_guessed)
            for item in ordered
        ]
        return Page(shown, len(found), is_all and len(found) < _MOST)


def open_references(workspace: Workspace, collection: str, lookup: Lookup) -> References:
    """Return the references of a generation of the collection. Raises ReferencesMissing."""
    digest = lookup.generation.metadata.places
    return References(lookup, workspace.project_folder(collection).places(digest))


def _values_of(structure: Structure) -> tuple[Any, ...]:
    """Return the values of _RANKED_BY."""
    path, line = structure.context.file_path, structure.line
    return structure.crate, structure.is_test, structure.references, path, line


def _rank(values: Sequence[Any], target: Target, group: int = _DIRECT) -> tuple[Any, ...]:
    """Return by what structures are ordered; `values` are those of _RANKED_BY."""
    crate, is_test, references, file_path, line = values
    own = target.structure.crate if target.structure is not None else crate
    return group, crate != own, bool(is_test), -(references or 0), file_path, line
