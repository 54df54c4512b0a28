"""How many structures hold each word: by that, the rare words of a query count more.

Qdrant can count words itself, but for each shard on its own: the same hit has another score with
two shards, and in another project. So an index keeps the counts, and a query's words get their
weights (IDF) from them, by the engine's own formula.
"""

from __future__ import annotations

import base64
import zlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from storage.errors import IndexDamaged
from storage.sparse import SparseVector

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NUMBERS = np.dtype("<u4")


@dataclass(frozen=True, slots=True, eq=False)
class WordCounts:
    """The number of structures, and how many of them hold each word."""

    structures: int
    words: NDArray[np.uint32]
    """Numbers of words as storage.sparse gives them, ascending."""
    counts: NDArray[np.uint32]
    """Structures that hold the word, in the order of `words`; none is 0."""

    def weighted(self, query: SparseVector) -> SparseVector:
        """Return the query with each word's weight multiplied by the word's IDF."""
        wanted = np.array(query.indices, dtype=np.uint32)
        at = np.searchsorted(self.words, wanted)
        found = np.zeros(len(wanted), dtype=np.float32)
        known = at < len(self.words)
        known[known] = self.words[at[known]] == wanted[known]
        found[known] = self.counts[at[known]]
        # In 32 bits, as the engine: the scores are the same to the last digit.
        half, one = np.float32(0.5), np.float32(1)
        rarity = np.log((np.float32(self.structures) - found + half) / (found + half) + one)
        weights = np.array(query.values, dtype=np.float32) * rarity
        return SparseVector(query.indices, [float(weight) for weight in weights])

    def __add__(self, other: WordCounts) -> WordCounts:
        """Return the counts of both: of several indexes that are searched as one."""
        words, place = np.unique(np.concatenate([self.words, other.words]), return_inverse=True)
        counts = np.bincount(place, weights=np.concatenate([self.counts, other.counts]))
        structures = self.structures + other.structures
        return WordCounts(structures, words, counts.astype(np.uint32))

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as plain data, about 5 bytes a word."""
        # Differences have leading zeros, and most words are rare: both compress well.
        steps = np.diff(self.words, prepend=np.uint32(0))
        packed = zlib.compress(
            steps.astype(_NUMBERS).tobytes() + self.counts.astype(_NUMBERS).tobytes(), 9
        )
        return {"structures": self.structures, "counts": base64.b64encode(packed).decode("ascii")}


def read_word_counts(fields: Any) -> WordCounts:
    """Return the counts that `to_dict` gave. Raises IndexDamaged for anything else."""
    try:
        structures = int(fields["structures"])
        numbers = np.frombuffer(zlib.decompress(base64.b64decode(fields["counts"])), _NUMBERS)
        steps, counts = numbers.reshape(2, -1)
    except (KeyError, TypeError, ValueError, zlib.error) as exc:
        raise IndexDamaged(
            f"the counts of words can't be read ({type(exc).__name__}). Ingest again with --rebuild"
        ) from exc
    return WordCounts(structures, np.cumsum(steps, dtype=np.uint32), counts)


class WordCounter:
    """Counts the words of structures one by one."""

    def __init__(self) -> None:
        self._structures = 0
        self._counts: Counter[int] = Counter()

    def add(self, vector: SparseVector) -> None:
        """Count the words of one structure, each once."""
        self._structures += 1
        self._counts.update(vector.indices)

    def result(self) -> WordCounts:
        """Return the counts."""
        words = np.fromiter(self._counts.keys(), np.uint32, len(self._counts))
        counts = np.fromiter(self._counts.values(), np.uint32, len(self._counts))
        order = np.argsort(words)
        return WordCounts(self._structures, words[order], counts[order])
