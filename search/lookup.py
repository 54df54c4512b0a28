"""Structures and files of a generation, found by name instead of by similarity."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lsif.identifiers import is_same, spellings
from search.errors import AmbiguousName, Candidate, SearchError, StructureMissing
from search.locations import locations_in
from search.symbols import as_written, bare, matches_symbol, readings
from storage.query import Condition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsif.structure import Structure
    from search.locations import Location
    from storage.index import Generation, StoredPoint
    from storage.query import Row

_WORD = re.compile(r"(r#)?\w+")
_EXPECTED = "FILE:LINE, an id, a symbol or a name"
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_id(text: str) -> bool:
    """Return whether the text is written as ids of structures are."""
    return _ID.fullmatch(text) is not None


class Lookup:
    """The structures of one generation."""

    def __init__(self, generation: Generation) -> None:
        self.generation = generation
        self._files: list[str] | None = None

    def stored(self, structure_id: str, *, vectors: bool = False) -> StoredPoint[Structure]:
        """Return a structure as it is stored. Raises StructureMissing."""
        found = (
            self.generation.structures.retrieve([structure_id], vectors=vectors)
            if is_id(structure_id)
            else []
        )
        if not found:
            raise StructureMissing(f"the index has no structure {structure_id!r}.")
        return found[0]

    def structure(self, structure_id: str) -> Structure:
        """Return a structure. Raises StructureMissing."""
        return self.stored(structure_id).record

    def resolve(self, target: str) -> str:
        """Return the id of a structure given by id, symbol, name, or lines (the innermost there).

        Raises StructureMissing if there is none, AmbiguousName if there are several, and
        SearchError if the target is blank or its lines can't be.
        """
        text = bare(target)
        if not text:
            raise SearchError(f"the target is empty; expected {_EXPECTED}.")
        if is_id(text.lower()):
            return self.stored(text.lower()).id
        locations = locations_in(text)
        for location in locations:
            if around := self._innermost(location):
                return around
        for name in readings(target):
            candidates = self.candidates(name)
            if len(candidates) == 1:
                return candidates[0].id
            if candidates:
                raise AmbiguousName(name, candidates)
        if locations:
            raise StructureMissing(f"the index has no structure in {locations[-1]}.")
        raise StructureMissing(f"the index has no structure {target!r}; expected {_EXPECTED}.")

    def _innermost(self, location: Location) -> str | None:
        """Return the id of the smallest structure that has all these lines."""
        of_file = Condition("context.file_path", (location.file_path,))
        around = [
            (line_to - line_from, point_id)
            for point_id, (line_from, line_to) in self.generation.structures.select(
                ("line_from", "line_to"), where=[of_file]
            )
            if line_from <= location.line_from and location.line_to <= line_to
        ]
        return min(around)[1] if around else None

    def candidates(self, name: str) -> list[Candidate]:
        """Return the structures that have the symbol or, if none has, the name; by file and line.

        A type and its impl blocks have one name, which people mean the type by.
        """
        for named in self._named(name):
            rows = [row for row in named if row.values[2] != "Impl"] or named
            if rows:
                found = [_candidate(row) for row in rows]
                return sorted(found, key=lambda candidate: (candidate.file_path, candidate.line))
        return []

    def _named(self, place: str) -> Iterator[list[Row]]:
        """Yield the structures with that symbol, with that name, and with others' spellings of it.

        Of a path, those whose symbol ends with it come last: `Cache::insert`. Their values are
        line, file, code_type and symbol.
        """
        last = place.rpartition("::")[2]
        rows: list[Row] = []
        for field, values in (("symbol", (place,)), ("name", (place,)), ("name", spellings(last))):
            where = [Condition(field, values)]
            if field == "symbol" and _WORD.fullmatch(last):
                where.append(Condition("name", spellings(last)))  # symbols have no payload index
            rows = [
                *self.generation.structures.select(
                    ("line", "context.file_path", "code_type", "symbol"), where=where
                )
            ]
            is_path = last != place and field == "name"
            yield [row for row in rows if not is_path or is_same(str(row.values[3]), place)]
        if last != place:
            if "<" in place:  # `<Circle as Shape>::area`, and not `Circle::area`
                yield [row for row in rows if str(row.values[3]).endswith(f"::{place}")]
            written = as_written(place)
            yield [row for row in rows if matches_symbol(as_written(str(row.values[3])), written)]

    def files(self) -> list[str]:
        """Return the paths of all files with structures, sorted."""
        if self._files is None:
            rows = self.generation.structures.select(("context.file_path",))
            self._files = sorted({file_path for _, (file_path,) in rows})
        return self._files


def _candidate(row: Row) -> Candidate:
    line, file_path, code_type, symbol = row.values
    return Candidate(row.id, file_path, code_type, symbol, line)
