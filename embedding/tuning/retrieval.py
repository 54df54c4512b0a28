"""One project as a search sees it: its items in the order in which a search shows them.

As in an index, an item is found by its vector as words, by its vector as source and by BM25, and
the three rankings are merged by reciprocal ranks. Items are without documentation, because most
questions are taken from it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from embedding.text import words
from embedding.tuning.pairs import MOST_CHARACTERS, without_docs
from embedding.tuning.scores import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

    from lsif.structure import Structure

_WEIGHTS = (1.0, 1.0, 1.5)
"""Of the rankings by text, code and words: those of a search by default."""
_RANK = 10
"""Added to each rank: what is first counts less than twice as much as what is tenth."""


class Sparse(Protocol):
    """A sparse vector: numbers of words, and their weights."""

    @property
    def indices(self) -> Sequence[int]:
        """Numbers of words."""

    @property
    def values(self) -> Sequence[float]:
        """Their weights, as many."""


@dataclass(frozen=True, slots=True)
class SparseVectors:
    """How an index makes the sparse vectors of BM25."""

    document: Callable[[Structure], Sparse]
    query: Callable[[str], Sparse]


class Found(NamedTuple):
    """What a search finds for a question."""

    order: NDArray[np.int64]
    """Positions of all items, best first."""
    similar: NDArray[np.float32]
    """Mean cosine of the question and both vectors, by the item's position."""


class ProjectIndex:
    """The items of one project, in memory: some thousands."""

    def __init__(
        self, items: Sequence[Structure], encoder: SentenceTransformer, sparse: SparseVectors
    ) -> None:
        self._encoder, self._sparse = encoder, sparse
        bare = [without_docs(item) for item in items]
        self._vectors = [
            encode(encoder, [words(item)[:MOST_CHARACTERS] for item in bare]),
            encode(encoder, [item.context.snippet[:MOST_CHARACTERS] for item in bare]),
        ]
        self._count = len(items)
        self._postings = _postings(map(sparse.document, bare))

    def find(self, questions: Sequence[str]) -> list[Found]:
        """Return what is found for each question."""
        asked = encode(self._encoder, list(questions))
        text, code = (asked @ vectors.T for vectors in self._vectors)
        return [
            Found(_merged((text[at], code[at], self._bm25(question))), (text[at] + code[at]) / 2)
            for at, question in enumerate(questions)
        ]

    def _bm25(self, question: str) -> NDArray[np.float32]:
        """Return the sum of the weights of the question's words in each item, times their IDF."""
        scores = np.zeros(self._count, dtype=np.float32)
        query = self._sparse.query(question)
        for number, weight in zip(query.indices, query.values, strict=True):
            items, weights = self._postings.get(number, ((), ()))
            rarity = math.log(1 + (self._count - len(items) + 0.5) / (len(items) + 0.5))
            scores[list(items)] += np.asarray(weights, dtype=np.float32) * (weight * rarity)
        return scores


def _postings(documents: Iterable[Sparse]) -> dict[int, tuple[list[int], list[float]]]:
    """Return the documents that have a word, by their positions, and the word's weights in them."""
    found: dict[int, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
    for at, document in enumerate(documents):
        for number, weight in zip(document.indices, document.values, strict=True):
            items, weights = found[number]
            items.append(at)
            weights.append(weight)
    return dict(found)


def _merged(rankings: Iterable[NDArray[np.float32]]) -> NDArray[np.int64]:
    """Return the positions of all items by the weighted sum of their reciprocal ranks.

    An item whose score is 0, such as one without the question's words, has no rank.
    """
    shares = []
    for weight, scores in zip(_WEIGHTS, rankings, strict=True):
        ranks = np.empty(len(scores))
        ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
        shares.append(np.where(scores != 0, weight / (_RANK + ranks), 0))
    return np.argsort(-np.sum(shares, axis=0), kind="stable")
