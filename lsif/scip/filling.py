"""The tables of an index while it is read: numbers its symbols, and adds what is known of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lsif.reader.elements import Tag
from lsif.reader.follow import NOTHING, Lookup
from lsif.reader.hover import PLAIN_HOVERS
from lsif.reader.spill import SpilledRows
from lsif.reader.tables import Tables
from lsif.scip.described import NO_STRUCTURE, outside_hover
from lsif.scip.rust_symbols import implemented_trait, modern
from lsif.scip.schema import GENERATED, TEST
from lsif.scip.symbols import Suffix, parse_symbol

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lsif.scip.described import Described
    from lsif.scip.occurrences import Defined

_IDENTITIES = ("textDocument/hover", "textDocument/definition", "textDocument/references")
"""Edges that lead from each number to the same one: a symbol's results have its own number."""
_FUNCTION, _TYPE = b"().", b"#"
"""How the symbols of functions and types end."""


class _Undescribed(NamedTuple):
    """A definition whose own document does not describe it."""

    number: int
    range: int
    defined: Defined
    guess: Described
    """What the symbol alone says."""


class _Declared(NamedTuple):
    """A forward declaration."""

    document: int
    place: Defined
    guess: Described


class Filling:
    """The tables of an index.

    A definition has a number, under which its hover and references are found. That of a symbol's
    first definition is the symbol's own, which references in other documents have.
    """

    def __init__(self, places: Path | None) -> None:
        self.tables = Tables(SpilledRows(places, 5) if places is not None else None)
        self.tables.places_are_ranges = False
        self.described: set[bytes] = set()
        self.is_old = True
        """Whether symbols of rust-analyzer are as it wrote them up to 1.85."""
        self._numbers: dict[bytes, int] = {}
        self._count = 0
        self._ranges = 0
        self._defined: set[int] = set()
        self._elsewhere: dict[bytes, Described] = {}
        self._undescribed: list[_Undescribed] = []
        self._aliases: dict[int, int] = {}
        self._declared: list[_Declared] = []

    def number_of(self, symbol: bytes) -> int:
        """Return the symbol's number."""
        number = self._numbers.get(symbol)
        if number is None:
            number = self._numbers[symbol] = self._new_number()
        return number

    def define(
        self, document: int, defined: Defined, described: Described, *, is_guess: bool
    ) -> int:
        """Add a definition; return its number. A guess counts if `describe` tells no more."""
        number = self.number_of(defined.symbol)
        if number in self._defined:
            number = self._new_number()
        self._defined.add(number)
        self._ranges += 1
        self.tables.ranges.append(self._ranges, *defined.place)
        self.tables.definitions.append(number, document, self._ranges)
        if is_guess:
            self._undescribed.append(_Undescribed(number, self._ranges, defined, described))
        else:
            self._describe(number, self._ranges, defined, described)
        return number

    def describe(self, symbol: bytes, described: Described) -> None:
        """Note what is known of a symbol that its own document does not describe."""
        self._elsewhere.setdefault(symbol, described)

    def alias(self, number: int, symbol: bytes) -> None:
        """Note that a number is another name of the symbol, as `Self` is of a type."""
        self._aliases[number] = self.number_of(symbol)

    def declare(self, document: int, place: Defined, guess: Described) -> None:
        """Note a forward declaration, which counts if nothing else defines the symbol."""
        self._declared.append(_Declared(document, place, guess))

    def implement(self, symbol: bytes, other: bytes) -> None:
        """Note that a symbol implements another one."""
        self.tables.implementations.append(self.number_of(symbol), self.number_of(other))

    def refer(self, document: int, rows: NDArray[np.int64]) -> None:
        """Add places of one document, as rows (number, line, column, length)."""
        numbers, counts = np.unique(rows[:, 0], return_counts=True)
        of_document = np.full(len(numbers), document)
        self.tables.references.extend(np.column_stack([numbers, of_document, counts]))
        if self.tables.places is not None:
            self.tables.places.extend(np.insert(rows, 1, document, axis=1))

    def finish(self, *, is_rust: bool) -> Tables:
        """Return the tables when all documents are added."""
        self._add_declared()
        for number, range_id, defined, guess in self._undescribed:
            described = self._elsewhere.get(defined.symbol, guess)
            self._describe(number, range_id, defined, described)
        if is_rust:
            self._alias_functions()
        self._add_undefined(is_rust=is_rust)
        identity = np.repeat(np.arange(1, self._count + 1, dtype=np.int64)[:, None], 2, axis=1)
        for label in _IDENTITIES:
            self.tables.edges[label].extend(identity)
        return self.tables

    def _add_declared(self) -> None:
        """Add the forward declarations: as definitions, or places that refer to one."""
        places: dict[int, list[tuple[int, ...]]] = {}
        for document, declared, guess in self._declared:
            number = self.number_of(declared.symbol)
            if number not in self._defined:
                self.define(document, declared, guess, is_guess=True)
            else:
                line, column, end_line, end_column = declared.place
                length = end_column - column if line == end_line else 0
                places.setdefault(document, []).append((number, line, column, length))
        for document, rows in places.items():
            self.refer(document, np.array(rows))

    def _alias_functions(self) -> None:
        """Let functions that nothing defines be the type of the same name, if that is defined.

        Of what a macro makes at one place, rust-analyzer defines one symbol only.
        """
        for text, number in self._numbers.items():
            if number not in self._defined and text.endswith(_FUNCTION):
                twin = self._numbers.get(text.removesuffix(_FUNCTION) + _TYPE)
                if twin in self._defined:
                    self._aliases[number] = twin

    def _add_undefined(self, *, is_rust: bool) -> None:
        """Add what is named and defined nowhere, as far as it may be an item, and the aliases."""
        parsed = {
            number: (text, modern(symbol) if is_rust and self.is_old else symbol)
            for text, number in self._numbers.items()
            if number not in self._defined
            and (symbol := parse_symbol(text.decode("utf-8", "replace"))) is not None
        }
        with_methods = {
            symbol.owner
            for _, symbol in parsed.values()
            if symbol.descriptors[-1].suffix is Suffix.METHOD
        }
        traits = {name for text in self._numbers if (name := implemented_trait(text))}
        # A dump of LSIF has their definitions, in documents outside of the root.
        self.tables.skipped["external"] += len(parsed.keys() - self._aliases.keys())
        hovers, further = self.tables.hovers, self.tables.further
        for number, (text, symbol) in parsed.items():
            *around, own = symbol.descriptors
            in_trait = symbol.owner in with_methods or (
                own.suffix is Suffix.TYPE and bool(around) and around[-1].name in traits
            )
            hover = outside_hover(symbol, is_rust=is_rust, in_trait=in_trait)
            described = self._elsewhere.get(text)
            if hover is not None and described is not None and described.hover is not None:
                hover = hover._replace(code_type=described.hover.code_type)
            if hover is not None and number not in self._aliases:
                hovers[number] = hover
                further.append(number, NOTHING, NOTHING, number)
        numbers, targets = np.array([*self._aliases.items()], np.int64).reshape(-1, 2).T
        documents, ranges = Lookup(self.tables.definitions.to_array()).rows(
            targets, missing=NOTHING
        )
        further.extend(np.column_stack([numbers, documents, ranges, targets]))

    def _describe(self, number: int, range_id: int, defined: Defined, described: Described) -> None:
        """Add what is known of a definition."""
        tables, hover = self.tables, described.hover
        if hover in PLAIN_HOVERS:
            tables.plain_hovers.append(number, PLAIN_HOVERS.index(hover))
            return
        if hover is not None:
            tables.hovers[number] = hover
        if hover is not NO_STRUCTURE:
            tables.tags[range_id] = Tag(
                described.name,
                described.kind,
                defined.extent,
                is_test=bool(defined.roles & TEST),
                is_generated=bool(defined.roles & GENERATED),
                is_ambiguous=defined.is_ambiguous,
            )

    def _new_number(self) -> int:
        self._count += 1
        return self._count
