"""What each choice of the search gains, on the development half: the table of `--ablation`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from quality_replies import Reply
from quality_tables import number, table

from search.evaluate import ALL, summarise
from search.statistics import bootstrap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from quality_sources import QualityIndex

    from search.answer import Mode


@dataclass(frozen=True)
class Way:
    """A row of the table: how it differs from the default."""

    label: str
    mode: Mode = "hybrid"
    search: tuple[str, ...] = ()
    """Settings of the search."""
    recipe: str = ""
    """Of the text vectors; another one needs an index of its own."""


def weighing(**weights: float) -> tuple[str, ...]:
    """Return the settings of these retrievers' weights, for queries of words and of code."""
    sections = ("search.weights", "search.code_weights")
    return tuple(
        f"{section}.{name}={weight}" for section in sections for name, weight in weights.items()
    )


WAYS = (
    Way("hybrid (default)"),
    Way("text", "text"),
    Way("text, recipe tutorial-1", "text", recipe="tutorial-1"),
    Way("text, recipe snippet-1", "text", recipe="snippet-1"),
    Way("code", "code"),
    Way("bm25", "bm25"),
    Way("blocks", "blocks"),
    Way("merged, as Qdrant's demo", "merged"),
    Way("merged, recipe tutorial-1", "merged", recipe="tutorial-1"),
    Way("hybrid, reciprocal ranks, k = 10", search=("search.fusion=rrf",)),
    Way("hybrid, reciprocal ranks, k = 60", search=("search.fusion=rrf", "search.rrf_k=60")),
    Way("hybrid, equal weights", search=weighing(code=1.0, bm25=1.0, blocks=1.0)),
    Way("hybrid, words weighed like code", search=weighing(bm25=2.0, blocks=0.6)),
    Way("hybrid without blocks", search=weighing(blocks=0.0)),
    Way("hybrid without bm25", search=weighing(bm25=0.0)),
    Way("hybrid without code and blocks", search=weighing(code=0.0, blocks=0.0)),
    Way("hybrid without text", search=weighing(text=0.0)),
    Way("hybrid, tests like others", search=("search.test_weight=1.0",)),
    Way("hybrid, files do not matter", search=("search.file_weight=1.0",)),
    Way("hybrid, 100 candidates", search=("search.candidates=100",)),
    Way("hybrid, 400 candidates", search=("search.candidates=400",)),
    Way("hybrid, recipe tutorial-1", recipe="tutorial-1"),
    Way("hybrid, recipe snippet-1", recipe="snippet-1"),
)


def ablation(indexes: Sequence[QualityIndex], prepare: Callable[[QualityIndex], None]) -> list[str]:
    """Return the table of all ways over the indexes; `prepare` makes those that a way lacks."""
    names = [index.repository.name for index in indexes]
    headings = ("way", "NDCG@10", "MRR", "Hit@1", "Hit@10", "against the default")
    rows: list[list[str]] = []
    first: list[float] = []
    for way in WAYS:
        print(f"{way.label} ...", file=sys.stderr, flush=True)
        each = [_replies(way, index, prepare) for index in indexes]
        judged = [[reply.judged() for reply in replies] for replies in each]
        everything = [judgement for judgements in judged for judgement in judgements]
        scores = [
            judgement.metrics()["ndcg_at_10"] for judgement in everything if judgement.query.answers
        ]
        first = first or scores
        summary = summarise(everything)[ALL]
        means = (summary.ndcg_at_10, summary.mrr, summary.hit_at_1, summary.hit_at_10)
        own = [number(summarise(judgements)[ALL].ndcg_at_10) for judgements in judged]
        against = "" if scores is first else str(bootstrap(first, scores))
        rows.append([way.label, *map(number, means), against, *own])
    return table((*headings, *(f"NDCG@10 {name}" for name in names)), rows)


def _replies(way: Way, index: QualityIndex, prepare: Callable[[QualityIndex], None]) -> list[Reply]:
    if way.recipe:
        index = replace(index, overrides=(*index.overrides, f"embedding.text.recipe={way.recipe}"))
        prepare(index)
    repository = index.repository
    pairs = zip(repository.queries(), index.answers(way.mode, *way.search), strict=True)
    return [Reply(repository.name, repository.half, query, answer) for query, answer in pairs]
