"""Reads one document into the tables: which definition each of its places refers to."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from lsif.scip.described import (
    NO_STRUCTURE,
    Described,
    describe,
    describe_rust,
    is_field,
    is_parameter,
)
from lsif.scip.rust_symbols import crate_of, is_self_type, modern, self_name
from lsif.scip.schema import text_of
from lsif.scip.symbols import LOCAL, parse_symbol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from lsif.reader.elements import Extent
    from lsif.scip.filling import Filling
    from lsif.scip.occurrences import Defined, Occurrences
    from lsif.scip.schema import SymbolInformation
    from lsif.scip.symbols import Symbol

    Own = dict[bytes, dict[Extent | None, int]]
    """The numbers of a document's own definitions, by symbol and extent; the first comes first."""


_IMPL = b"impl#["
_LAST_NAME = re.compile(rb"[ /#]")


class DocumentReading:
    """One document, while it is read."""

    def __init__(
        self,
        filling: Filling,
        number: int,
        informations: Iterable[SymbolInformation],
        *,
        is_rust: bool,
    ) -> None:
        self._filling, self._number, self._is_rust = filling, number, is_rust
        self._informations: dict[bytes, SymbolInformation] = {}
        self._crate: str | None = None
        self.traits: dict[bytes, bytes] = {}
        """The traits by the locals that `Self` is in them."""
        self._types: dict[bytes, list[bytes]] | None = None
        self.again = 0
        """Number of symbols that were described before."""
        for information in informations:
            self._note(information)

    def add(self, occurrences: Occurrences | None) -> None:
        """Add what the document says; `occurrences` is None for symbols that are in no document."""
        own: Own = {}
        if occurrences is not None:
            self._filling.is_old &= not any(map(_is_file_module, occurrences.defined))
            self._filling.tables.skipped["local"] += occurrences.locals
            counts = Counter(defined.symbol for defined in occurrences.defined)
            for defined in occurrences.defined:
                is_ambiguous = counts[defined.symbol] > 1
                self._define(defined._replace(is_ambiguous=True) if is_ambiguous else defined, own)
            for declared in occurrences.declared:
                guess = self._described(self._parsed(declared.symbol), None)
                self._filling.declare(self._number, declared, guess)
        for symbol, information in self._informations.items():
            if symbol not in own and not is_parameter(symbol, information):
                described = self._described(self._parsed(symbol), information)
                self._filling.describe(symbol, described)
        if occurrences is not None:
            self._filling.refer(self._number, self._places(occurrences, own))

    def _note(self, information: SymbolInformation) -> None:
        """Note what is described."""
        symbol, filling = information.symbol, self._filling
        if symbol.startswith(LOCAL):
            if self._is_rust and information.display_name == b"Self":
                self.traits[symbol] = information.enclosing_symbol
            return
        if self._is_rust and self._crate is None:
            self._crate = crate_of(information)
        for related in information.relationships:
            if related.is_implementation:
                filling.implement(symbol, related.symbol)
        self._informations.setdefault(symbol, information)
        self.again += symbol in filling.described
        filling.described.add(symbol)

    def _parsed(self, text: bytes) -> Symbol | None:
        symbol = parse_symbol(text_of(text))
        is_old = self._is_rust and self._filling.is_old
        return modern(symbol) if symbol is not None and is_old else symbol

    def _described(self, symbol: Symbol | None, information: SymbolInformation | None) -> Described:
        if self._is_rust:
            return describe_rust(symbol, self._crate, information)
        return describe(symbol, information)

    def _define(self, defined: Defined, own: Own) -> None:
        """Add a definition."""
        text, information = defined.symbol, self._informations.get(defined.symbol)
        skipped = self._filling.tables.skipped
        if is_parameter(text, information):
            skipped["local"] += 1
            return
        if self._is_rust and is_field(information):
            described = Described(NO_STRUCTURE)
        else:
            symbol = self._parsed(text)
            if self._is_rust and symbol is not None and is_self_type(symbol):
                skipped["self_type"] += 1
                return
            described = self._described(symbol, information)
        number = self._filling.define(
            self._number, defined, described, is_guess=information is None
        )
        own.setdefault(text, {}).setdefault(defined.extent, number)

    def _places(self, occurrences: Occurrences, own: Own) -> NDArray[np.int64]:
        """Return rows (number, line, column, length) of the places that name something."""
        symbols, places = occurrences.symbols, occurrences.places()
        numbers = {
            text: _first(own[text]) if text in own else self._number_of(text, occurrences)
            for text in set(symbols)
        }
        rows = np.empty((len(symbols), 4), dtype=np.int64)
        rows[:, 0] = [numbers[text] for text in symbols]
        rows[:, 1:] = places[:, :3]
        often = {text for text in numbers if len(own.get(text, ())) > 1}
        for at, text in enumerate(symbols) if often else ():
            if text in often:
                # rust-analyzer gives a place the extent of the definition that it refers to.
                enclosing = occurrences.enclosing(int(places[at, 3]))
                rows[at, 0] = own[text].get(enclosing, numbers[text])
        return rows

    def _number_of(self, text: bytes, occurrences: Occurrences) -> int:
        """Return the number of what a symbol that the document does not define refers to.

        `Self` has a number of its own: it is the same type, but does not count as a reference.
        """
        filling = self._filling
        if text in self.traits:
            trait = self.traits[text]
            number = filling.number_of(LOCAL + trait)
            filling.alias(number, trait)
            return number
        number = filling.number_of(text)
        if self._is_rust and text.endswith(b"]") and _IMPL in text:
            symbol = parse_symbol(text_of(text))
            if symbol is not None and is_self_type(symbol):
                filling.alias(number, self._type_of(symbol, text, occurrences))
        return number

    def _type_of(self, block: Symbol, text: bytes, occurrences: Occurrences) -> bytes:
        """Return the symbol of the type that `Self` is in an impl block; the block's own if none.

        The block's head names the type, so that is among the document's symbols.
        """
        if self._types is None:
            self._types = _types_of(occurrences)
        name = self_name(block).encode()
        found = self._types.get(name, [text])
        beside = text[: text.index(_IMPL)] + name + b"#"
        return beside if beside in found else found[0]


def _is_file_module(defined: Defined) -> bool:
    """Return whether a file is defined as a module, as rust-analyzer does from 1.86 on."""
    return defined.symbol.endswith(b"/") and (defined.place.line, defined.place.column) == (0, 0)


def _types_of(occurrences: Occurrences) -> dict[bytes, list[bytes]]:
    """Return the symbols of all types that a document names, sorted, by their names."""
    types: dict[bytes, list[bytes]] = {}
    named = {defined.symbol for defined in occurrences.defined}
    for text in sorted(named.union(occurrences.symbols)):
        if text.endswith(b"#"):
            types.setdefault(_LAST_NAME.split(text[:-1])[-1], []).append(text)
    return types


def _first(own: dict[Extent | None, int]) -> int:
    """Return the number of the first definition."""
    return next(iter(own.values()))
