"""How well a model finds what is asked for in projects that it was not trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

    from embedding.tuning.pairs import Pair

_MOST_QUESTIONS, _MOST_ITEMS = 60, 400
"""Of a project; more would take long and say little more."""
_SAMPLE_PROJECTS, _SAMPLE_ITEMS = 5, 100
"""What is scored while a training goes on: seconds, not minutes."""


_ASKED = frozenset({"query", "docs", "comment"})
"""Kinds of pairs whose questions are asked."""


class Score(NamedTuple):
    """Means over the questions of all projects: an item's rank among all of its project."""

    reciprocal_rank: float
    """0 to 1."""
    first: float
    """Share of questions, 0 to 1, whose item is the first."""
    questions: int


def score(model: SentenceTransformer, projects: Iterable[Sequence[Pair]]) -> dict[str, Score]:
    """Return the scores of `text` and `code`: of items as words, and as their source.

    Questions are queries, documentation and comments. A project's items are what is searched.
    Without a question there is no score.
    """
    ranks: dict[str, list[NDArray[np.int64]]] = {"text": [], "code": []}
    for pairs in projects:
        asked = [pair for pair in pairs if pair.kind in _ASKED][:_MOST_QUESTIONS]
        if not asked:
            continue
        items = {pair.item: pair for pair in [*asked, *pairs[:_MOST_ITEMS]]}
        place = {item: at for at, item in enumerate(items)}
        wanted = np.array([place[pair.item] for pair in asked])
        questions = encode(model, [pair.question for pair in asked])
        for kind, found in ranks.items():
            vectors = encode(model, [getattr(pair, kind) for pair in items.values()])
            similar = questions @ vectors.T
            own = similar[np.arange(len(asked)), wanted][:, None]
            found.append((similar > own).sum(axis=1) + 1)
    return {kind: mean_of(np.concatenate(found)) for kind, found in ranks.items() if found}


def sample(projects: Iterable[Sequence[Pair]]) -> list[Sequence[Pair]]:
    """Return a few pairs of a few projects, the largest: for scores that take seconds."""
    largest = sorted(projects, key=len, reverse=True)[:_SAMPLE_PROJECTS]
    return [pairs[:_SAMPLE_ITEMS] for pairs in largest]


def mean_of(ranks: NDArray[np.int64] | NDArray[np.float64]) -> Score:
    """Return the score of answers of these ranks, which are 1-based; infinite if not found."""
    return Score(
        round(float((1 / ranks).mean()), 4), round(float((ranks == 1).mean()), 4), len(ranks)
    )


def encode(model: SentenceTransformer, texts: list[str]) -> NDArray[np.float32]:
    """Return the vectors of the texts, (n, d), L2 norm 1."""
    return np.asarray(
        model.encode(texts, batch_size=64, normalize_embeddings=True, show_progress_bar=False)
    )
