"""How what several retrievers found becomes one ranking. Pure functions of lists.

A retriever is one way to search: by the vector `text`, by `code`, by the words (`bm25`), by the `code` vectors of blocks. Each finds
structures with scores of its own kind, which can't be compared; fusion makes them so, by their ranks or by their deviation.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from search.hit import Hit, LineRange

Retriever: TypeAlias = Literal["text", "code", "bm25", "blocks"]


class Candidate(NamedTuple):
    """A structure that a retriever found."""

    id: str
    score: float
    ranges: tuple[LineRange, ...] = ()
    """Blocks of it that were found themselves, best first."""


def deduplicate(found: Iterable[Candidate]) -> list[Candidate]:
    """Return each structure once, where it stood first, with the ranges of all."""
    best: dict[str, Candidate] = {}
    for one in found:
        first = best.get(one.id)
        best[one.id] = one if first is None else first._replace(ranges=first.ranges + one.ranges)
    return list(best.values())


def reciprocal_ranks(
    retrievers: Mapping[Retriever, Sequence[Candidate]], weights: Mapping[Retriever, float], k: int
) -> list[Candidate]:
    """Return all that was found, best first, by the weighted sum of 1 / (k + rank), the first rank being 1.

    Cormack, Clarke and Buettcher, Reciprocal Rank Fusion, SIGIR 2009; they used k = 60.
    """
    scores: dict[str, float] = {}
    for retriever, ranking in retrievers.items():
        for rank, found in enumerate(ranking, start=1):
            scores[found.id] = scores.get(found.id, 0.0) + weights[retriever] / (k + rank)
    return _ranked(retrievers, scores)


def normalised_scores(
    retrievers: Mapping[Retriever, Sequence[Candidate]], weights: Mapping[Retriever, float]
) -> list[Candidate]:
    """Return all that was found, best first, by the weighted sum of scores, each in deviations above its retriever's last.

    Where the words of a query stand in fewer structures than another retriever found, the others count as found with the score 0: a word
    that one structure alone has tells much.

    What a retriever did not find is no better than its last, and gets 0 of it. That is distribution-based score fusion (M. Mazzeschi,
    2023; Qdrant's `dbsf`) but for one thing: scores are not cut off at three deviations from the mean. Of code queries the right
    answer is often farther out than that, in the words above all, and its lead is what tells.
    """
    scores: dict[str, float] = {}
    longest = max(map(len, retrievers.values()), default=0)
    for retriever, ranking in retrievers.items():
        sample = [found.score for found in ranking]
        if retriever == "bm25" and sample:
            sample += [0.0] * (longest - len(sample))
        apart = bool(sample) and sample[0] > sample[-1]
        deviation = float(np.std(sample)) if apart else 1.0
        for found in ranking:
            above = (found.score - sample[-1]) / deviation if apart else 1.0
            scores[found.id] = scores.get(found.id, 0.0) + weights[retriever] * above
    return _ranked(retrievers, scores)


def merge(text_hits: Sequence[Hit], code_hits: Sequence[Hit]) -> list[Hit]:
    """Return the text hits, those first that most code hits overlap, then the code hits that overlap none of them.

    The rule of Qdrant's code-search demo (https://qdrant.tech/documentation/tutorials/code-search/, "Code search demo"): where the
    two models find different places, the general one is preferred; where they overlap in a file, the lines are told in `ranges`.
    What only the code model finds is not dropped; it follows. A code hit with a range is a block of the structure, and that range.
    """
    merged: list[Hit] = []
    absorbed: set[int] = set()
    for hit in text_hits:
        overlaps: dict[LineRange, None] = {}
        for place, other in enumerate(code_hits):
            lines = other.ranges[0] if other.ranges else other.extent
            overlap = hit.extent.overlap(lines) if other.file_path == hit.file_path else None
            if overlap is not None:
                absorbed.add(place)
                overlaps[overlap] = None
        merged.append(replace(hit, ranges=tuple(overlaps)))
    merged.sort(
        key=lambda hit: -len(hit.ranges)
    )  # stable: equals stay in the order of their scores
    rest: dict[str, Hit] = {}
    for place, other in enumerate(code_hits):
        if place not in absorbed:
            first = rest.get(other.id)
            rest[other.id] = (
                other if first is None else replace(first, ranges=first.ranges + other.ranges)
            )
    return merged + list(rest.values())


def _ranked(
    retrievers: Mapping[Retriever, Sequence[Candidate]], scores: Mapping[str, float]
) -> list[Candidate]:
    ranges = {
        found.id: found.ranges
        for ranking in retrievers.values()
        for found in ranking
        if found.ranges
    }
    found = (
        Candidate(point_id, score, ranges.get(point_id, ())) for point_id, score in scores.items()
    )
    return sorted(found, key=lambda one: (-one.score, one.id))
