"""The structures of all files by number, in the order of the records, while these are written."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lsif.identifiers import plain_name, symbol_key
from lsif.reader.follow import Lookup
from lsif.reader.spill import SpilledRows
from lsif.record import uuid_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lsif.anchors import Anchors
    from lsif.columns import Excess
    from lsif.structure import Structure


class Implementation(NamedTuple):
    """An impl block of a trait."""

    number: int
    trait: int
    """Position of the trait's name."""
    members: list[tuple[str, int]]
    """Names and numbers."""


class NumberedFile(NamedTuple):
    """The structures of one file."""

    first: int
    """Number of its first structure."""
    size: int
    spans: NDArray[np.int64]
    """See lsif.anchors.Anchors."""
    implementations: list[Implementation]
    excess: Excess | None
    """See lsif.anchors.Anchors."""


class NumberedStructures:
    """All structures. Names are as `plain_name` gives them."""

    def __init__(self, folder: Path) -> None:
        """Make it empty; `folder` takes what is guessed."""
        self.files: dict[str, NumberedFile] = {}
        self.members: dict[int, dict[str, int]] = {}
        """Numbers of the members of traits, by the trait's number and by name."""
        self.types: dict[str, int | None] = {}
        """Types by the symbols that the dump has for them; None if several have the same."""
        self.type_names: dict[int, str] = {}
        """Names of the types by their numbers."""
        self.others: dict[int, str] = {}
        """Symbols of the definitions that are no structures, by their ranges."""
        self.called = set[str]()
        """Those of these symbols that can be called."""
        self.guesses = SpilledRows(folder, 5)
        """Rows of lsif.guesses.guesses_of, each behind the number of its file among `files`."""
        self._ids, self._keys, self._tests = bytearray(), array("q"), bytearray()
        self._definitions: list[NDArray[np.int64]] = []

    def __len__(self) -> int:
        return len(self._ids) // 16

    def add(self, path: str, structures: Sequence[Structure], anchors: Anchors) -> None:
        """Give the structures of a file their numbers, in the order of the records."""
        first = len(self)
        for structure in structures:
            self._ids += bytes.fromhex(structure.id.replace("-", ""))
            self._keys.append(symbol_key(structure.symbol))
            self._tests.append(structure.is_test and structure.code_type == "Function")
        implementations = [*self._relations(first, structures, anchors.traits)]
        self.files[path] = NumberedFile(
            first, len(structures), anchors.spans, implementations, anchors.excess
        )
        self._definitions.append(anchors.definitions + np.array([0, first]))
        of_file = np.full((len(anchors.guesses), 1), len(self.files) - 1)
        self.guesses.extend(np.hstack([of_file, anchors.guesses]))
        self.others.update({int(key): symbol for key, symbol in anchors.others})
        self.called |= anchors.called
        for symbol, number in anchors.types:
            self.types[symbol] = None if symbol in self.types else first + number
            self.type_names[first + number] = symbol.rpartition("::")[2]

    def ids(self) -> NDArray[np.void]:
        """Return the ids, 16 bytes each."""
        return np.frombuffer(bytes(self._ids), dtype="V16")

    def id_of(self, number: int) -> str:
        """Return the id of a structure."""
        return uuid_text(self._ids[16 * number : 16 * number + 16])

    def tests(self) -> NDArray[np.bool_]:
        """Return which structures are functions of test code."""
        return np.frombuffer(bytes(self._tests), dtype=np.bool_)

    def by_symbol(self) -> Lookup:
        """Return the structures by the keys of their symbols; those that share one are left out."""
        keys, first, count = np.unique(
            np.array(self._keys, dtype=np.int64), return_index=True, return_counts=True
        )
        return Lookup(np.column_stack([keys, first])[count == 1])

    def definitions(self) -> NDArray[np.int64]:
        """Return rows (range, structure) of the dump's definitions that are structures."""
        return np.concatenate([np.empty((0, 2), dtype=np.int64), *self._definitions])

    def _relations(
        self, first: int, structures: Sequence[Structure], traits: Mapping[int, int]
    ) -> Iterator[Implementation]:
        """Note the traits and their members; yield the impl blocks of traits with theirs.

        A member follows its impl block or trait, and its symbol is theirs and its name.
        """
        around: dict[str, list[tuple[str, int]] | dict[str, int]] = {}
        for number, structure in enumerate(structures, start=first):
            name = plain_name(structure.name)
            if structure.code_type == "Trait":
                around[structure.symbol] = self.members[number] = {}
            elif structure.code_type == "Impl" and number - first in traits:
                members: list[tuple[str, int]] = []
                around[structure.symbol] = members
                yield Implementation(number, traits[number - first], members)
            elif structure.trait_name:
                match around.get(structure.symbol.rpartition("::")[0]):
                    case dict(of_trait):
                        of_trait[name] = number
                    case list(of_impl):
                        of_impl.append((name, number))
