"""What the references of a dump refer to: structures, and symbols of what is none.

A target is a number: below the number of structures it is that of one, from there on a symbol's.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from lsif.reader.follow import NOTHING, Lookup

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lsif.references.collected import Collected
    from lsif.references.numbered import NumberedStructures

_MISSING = 1
"""Stands for no target among negative numbers."""


class Targets:
    """The targets of a dump's reference results."""

    def __init__(self, collected: Collected, structures: NumberedStructures) -> None:
        self._structures = structures
        numbers = Lookup(structures.definitions())[collected.ranges]
        symbols = dict(collected.outside)
        self._name_others(collected, numbers, symbols)
        self.symbols = sorted(set(symbols.values()))
        """Of the targets that are no structures, in the order of their numbers."""
        number_of = {symbol: len(structures) + at for at, symbol in enumerate(self.symbols)}
        for index, symbol in symbols.items():
            numbers[index] = number_of[symbol]
        known = numbers != NOTHING
        # Of several definitions a structure counts, and of these the first.
        self._of_result = Lookup(np.column_stack([collected.results, -numbers])[known])
        weights = np.bincount(numbers[known], collected.counts[known], len(self))
        self.counts = weights.astype(np.int64)
        """Number of places of each target, or more."""

    def _name_others(
        self, collected: Collected, numbers: NDArray[np.int64], symbols: dict[int, str]
    ) -> None:
        """Add the number or symbol of each definition that is an item and no structure.

        Most of them are those of `Self`, which refers to the type: to what has the type's name at
        the head of the impl block. If an alias stands there, only the symbol can tell the type.
        """
        structures = self._structures
        known = numbers != NOTHING
        at_heads = np.array([*chain.from_iterable(collected.heads.values())], dtype=np.int64)
        of_result = Lookup(np.column_stack([collected.results, -numbers])[known])
        found = (-of_result.rows(at_heads, missing=_MISSING)[0]).tolist()
        type_at = dict(zip(at_heads.tolist(), found, strict=True))
        symbol_at = {int(collected.results[index]): symbol for index, symbol in symbols.items()}
        for index in np.flatnonzero(~known).tolist():
            range_id = int(collected.ranges[index])
            symbol = structures.others.get(range_id)
            if symbol is None:
                continue
            name, number = _last(symbol), structures.types.get(symbol)
            for result in collected.heads.get(range_id, ()):
                if structures.type_names.get(type_at[result]) == name:
                    number = type_at[result]
                elif _last(symbol_at.get(result, "")) == name:
                    number, symbol = None, symbol_at[result]
            if number is None:
                symbols[index] = symbol
            else:
                numbers[index] = number

    def __len__(self) -> int:
        return len(self._structures) + len(self.symbols)

    def of(self, results: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the targets of reference results, NOTHING for those of locals, fields and such."""
        targets: NDArray[np.int64] = -self._of_result.rows(results, missing=_MISSING)[0]
        return targets

    def name(self, target: int) -> str:
        """Return the id of a structure, or a symbol."""
        outside = target - len(self._structures)
        return self.symbols[outside] if outside >= 0 else self._structures.id_of(target)

    def member(self, trait: int, name: str) -> int:
        """Return the structure that is a trait's member, NOTHING if none has the name."""
        return self._structures.members.get(trait, {}).get(name, NOTHING)

    def member_name(self, trait: int, name: str) -> str | None:
        """Return the id or symbol of a trait's member, None if the trait has none of the name."""
        if trait >= len(self._structures):
            return f"{self.name(trait)}::{name}"
        member = self.member(trait, name)
        return None if member == NOTHING else self._structures.id_of(member)

    def implementations(self, rows: NDArray[np.int64]) -> dict[int, list[str]]:
        """Return what structures implement by the dump's word, by their numbers.

        It is ids or symbols, sorted; `rows` are reference results (what implements, what it
        implements).
        """
        found: dict[int, set[str]] = {}
        own, others = (self.of(column).tolist() for column in rows.T)
        for number, other in zip(own, others, strict=True):
            if NOTHING not in (number, other) and number < len(self._structures):
                found.setdefault(number, set()).add(self.name(other))
        return {number: sorted(names) for number, names in found.items()}

    def order(self) -> NDArray[np.int64]:
        """Return the place of each target in the order of ids; symbols follow, in their order."""
        ids = np.argsort(self._structures.ids().view("S16"), kind="stable")
        order = np.arange(len(self), dtype=np.int64)
        order[ids] = np.arange(len(ids))
        return order


def _last(symbol: str) -> str:
    """Return the name at the end of a symbol."""
    return symbol.rpartition("::")[2]
