"""What the references of a dump refer to: structures, and symbols of what is none.

A target is a number: below the number of structures it is that of one, from there on a symbol's.
"""

from __future__ import annotations

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
        for index in np.flatnonzero(numbers == NOTHING).tolist():
            symbol = structures.others.get(int(collected.ranges[index]))
            if symbol is None:
                continue
            # The dump defines `Self` at the head of an impl block, with the type's symbol.
            type_number = structures.types.get(symbol)
            if type_number is None:
                symbols[index] = symbol
            else:
                numbers[index] = type_number
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

    def trait_name(self, target: int) -> str:
        """Return the name that an impl block has for the target if that is a trait.

        Of what is outside, what is called so is taken for one.
        """
        outside = target - len(self._structures)
        if outside >= 0:
            return self.symbols[outside].rpartition("::")[2]
        return self._structures.traits.get(target, "")

    def member(self, trait: int, name: str) -> int:
        """Return the structure that is a trait's member, NOTHING if none has the name."""
        return self._structures.members.get(trait, {}).get(name, NOTHING)

    def member_name(self, trait: int, name: str) -> str | None:
        """Return the id or symbol of a trait's member, None if the trait has none of the name."""
        if trait >= len(self._structures):
            return f"{self.name(trait)}::{name}"
        member = self.member(trait, name)
        return None if member == NOTHING else self._structures.id_of(member)

    def order(self) -> NDArray[np.int64]:
        """Return the place of each target in the order of ids; symbols follow, in their order."""
        ids = np.argsort(self._structures.ids().view("S16"), kind="stable")
        order = np.arange(len(self), dtype=np.int64)
        order[ids] = np.arange(len(ids))
        return order
