"""How many tests refer to each structure, counted while the edges are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lsif.reader.follow import NOTHING
from lsif.reader.spill import SpilledRows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray


class CountedTests:
    """The number of functions of test code that refer to each structure.

    What implements a trait's member is tested by what refers to that member, too: a test that does
    both counts once. Until all is known, the edges of tests are on the disk.
    """

    def __init__(self, is_test: NDArray[np.bool_], folder: Path) -> None:
        """`is_test` says which structures, by their numbers, are functions of test code."""
        self._is_test = is_test
        self._pairs = SpilledRows(folder, 2)
        self._members = np.full(len(is_test), NOTHING, dtype=np.int64)
        """The trait's member that each structure implements."""

    def add(self, pairs: NDArray[np.int64]) -> None:
        """Add edges (owner, target), sorted, of all kinds; owners come in their order."""
        owners, targets = pairs.T
        inside = targets < len(self._is_test)  # the others are symbols
        kept = pairs[inside & (owners != targets)]
        self._pairs.extend(kept[self._is_test[kept[:, 0]]])

    def implement(self, number: int, member: int) -> None:
        """Note the trait's member that a structure implements; NOTHING if that is no structure."""
        self._members[number] = member

    def counts(self) -> NDArray[np.int64]:
        """Return the number of tests of each structure, when all edges were added."""
        total = len(self._is_test)
        direct, both = np.zeros(total, dtype=np.int64), np.zeros(total, dtype=np.int64)
        for pairs in _by_owner(self._pairs.blocks()):
            owners, targets = pairs.T
            members = self._members[targets]
            is_of_member = np.isin(owners * total + members, owners * total + targets)
            np.add.at(direct, targets, 1)
            np.add.at(both, targets[is_of_member & (members != NOTHING)], 1)
        through = np.where(self._members == NOTHING, 0, direct[self._members])
        counts: NDArray[np.int64] = direct + through - both
        return counts


def _by_owner(blocks: Iterable[NDArray[np.int64]]) -> Iterator[NDArray[np.int64]]:
    """Yield the pairs in blocks that have all of their owners; they are sorted by owner."""
    waiting = np.empty((0, 2), dtype=np.int64)
    for block in blocks:
        pairs = np.concatenate([waiting, block])
        last = np.searchsorted(pairs[:, 0], pairs[-1, 0])
        yield pairs[:last]
        waiting = pairs[last:]
    yield waiting
