"""How the rankings of several retrievers become one. Pure functions of lists.

A retriever is one way to find structures: by the vector `text`, by `code`, by the words (`bm25`),
or by the `code` vectors of blocks. Their scores are of different kinds and can't be compared;
fusion makes them comparable, by ranks or by standard deviations.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

from search.hit import Hit
from search.limits import RANGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lsif.structure import Structure
    from search.hit import LineRange

Retriever: TypeAlias = Literal["text", "code", "bm25", "blocks"]


class Candidate(NamedTuple):
    """A structure that a retriever found."""

    id: str
    score: float
    ranges: tuple[LineRange, ...] = ()
    """Its blocks that were found themselves, best first."""


def deduplicate(found: Iterable[Candidate]) -> list[Candidate]:
    """Return each structure once, at its best place, with the ranges of all its candidates."""
    best: dict[str, Candidate] = {}
    for candidate in found:
        first = best.get(candidate.id)
        if first is None:
            best[candidate.id] = candidate
        else:
            best[candidate.id] = first._replace(ranges=first.ranges + candidate.ranges)
    return list(best.values())


def reciprocal_ranks(
    rankings: Mapping[Retriever, Sequence[Candidate]], weights: Mapping[Retriever, float], k: int
) -> list[Candidate]:
    """Return all candidates, best first, by the weighted sum of 1 / (k + rank); ranks are 1-based.

    Cormack, Clarke and Buettcher, Reciprocal Rank Fusion, SIGIR 2009; they used k = 60.
    """
    scores: dict[str, float] = {}
    for retriever, ranking in rankings.items():
        for rank, found in enumerate(ranking, start=1):
            scores[found.id] = scores.get(found.id, 0.0) + weights[retriever] / (k + rank)
    return _ranked(rankings, scores)


def normalised_scores(
    rankings: Mapping[Retriever, Sequence[Candidate]], weights: Mapping[Retriever, float]
) -> list[Candidate]:
    """Return all candidates, best first, by the weighted sum of normalised scores.

    A score counts in standard deviations above the last of its retriever. A structure that a
    retriever did not find is no better than its last and gets 0 from it. If `bm25` found fewer
    structures than another retriever, the missing ones count with the score 0: a word that only one
    structure contains says much.

    This is distribution-based score fusion (M. Mazzeschi, 2023; Qdrant's `dbsf`), but scores are
    not cut off at three deviations from the mean. In code search, the right answer often lies
    farther out than that, above all by its words, and its lead is what counts.
    """
    scores: dict[str, float] = {}
    longest = max(map(len, rankings.values()), default=0)
    for retriever, ranking in rankings.items():
        sample = [found.score for found in ranking]
        if retriever == "bm25" and sample:
            sample += [0.0] * (longest - len(sample))
        apart = bool(sample) and sample[0] > sample[-1]
        deviation = float(np.std(sample)) if apart else 1.0
        for found in ranking:
            above = (found.score - sample[-1]) / deviation if apart else 1.0
            scores[found.id] = scores.get(found.id, 0.0) + weights[retriever] * above
    return _ranked(rankings, scores)


def merge(text_hits: Sequence[Hit], code_hits: Sequence[Hit]) -> list[Hit]:
    """Return the text hits, then the code hits that overlap none of them.

    Text hits that more code hits overlap come first. This is the rule of Qdrant's code-search demo
    (https://qdrant.tech/documentation/tutorials/code-search/, "Code search demo"): if the two
    models find different places, the general one is preferred; if they overlap in a file, `ranges`
    has the lines. Unlike there, what only the code model finds is not dropped; it follows. A code
    hit with a range stands for a block of the structure, with these lines.
    """
    merged: list[Hit] = []
    absorbed: set[int] = set()
    for hit in text_hits:
        overlaps: dict[LineRange, None] = {}
        for position, other in enumerate(code_hits):
            lines = other.ranges[0] if other.ranges else other.extent
            overlap = hit.extent.overlap(lines) if other.file_path == hit.file_path else None
            if overlap is not None:
                absorbed.add(position)
                overlaps[overlap] = None
        merged.append(replace(hit, ranges=tuple(overlaps)))
    merged.sort(key=lambda hit: -len(hit.ranges))  # stable: ties keep the order of their scores
    rest: dict[str, Hit] = {}
    for position, other in enumerate(code_hits):
        if position not in absorbed:
            first = rest.get(other.id)
            ranges = () if first is None else first.ranges
            rest[other.id] = replace(first or other, ranges=ranges + other.ranges)
    return merged + list(rest.values())


def hits_of(
    found: Sequence[Candidate],
    records: Mapping[str, Structure],
    rankings: Mapping[Retriever, Sequence[Candidate]],
) -> list[Hit]:
    """Return the candidates as hits, with the scores of all retrievers."""
    scores: dict[str, dict[str, float]] = {candidate.id: {} for candidate in found}
    for retriever, ranking in rankings.items():
        for candidate in reversed(ranking):  # a structure's best block is noted last
            if candidate.id in scores:
                scores[candidate.id][retriever] = candidate.score
    return [
        Hit(
            records[candidate.id],
            candidate.score,
            scores[candidate.id],
            candidate.ranges[:RANGES],
        )
        for candidate in found
        if candidate.id in records
    ]


def _ranked(
    rankings: Mapping[Retriever, Sequence[Candidate]], scores: Mapping[str, float]
) -> list[Candidate]:
    ranges = {
        found.id: found.ranges for ranking in rankings.values() for found in ranking if found.ranges
    }
    candidates = [
        Candidate(point_id, score, ranges.get(point_id, ())) for point_id, score in scores.items()
    ]
    return sorted(candidates, key=lambda candidate: (-candidate.score, candidate.id))
