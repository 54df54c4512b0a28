"""How good answers are, by queries with known answers.

Knows no index and no model: `evaluate` is given a function that searches.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from search.judged import at_level, judge, judge_loosely, ranked_at_level
from search.statistics import auroc, bootstrap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from search.judged import JudgedQuery, Level, Located
    from search.statistics import Comparison

ALL = "all"
"""The kind under which the queries of every kind are summed up."""

_HEADINGS = (
    *("mode", "kind", "n", "Hit@1", "Hit@5", "Hit@10"),
    *("MRR", "NDCG@10", "loose", "R@5", "R@10"),
)
_COMPARED = {"ndcg_at_10": "NDCG@10", "mrr": "MRR"}


class RankedHits(Protocol):
    """What a search returns: hits, best first, and a confidence (None if the mode has none)."""

    @property
    def hits(self) -> Sequence[Located]: ...  # noqa: D102 - the class says it
    @property
    def confidence(self) -> float | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Judgement:
    """The judged answer of one mode to a query. Values are per hit, best hit first."""

    query: JudgedQuery
    """With the answers of the level (`at_level`)."""
    gains: tuple[float, ...]
    """An answer counts once (`judge`)."""
    loose_gains: tuple[float, ...]
    """An answer counts each time (`judge_loosely`)."""
    confidence: float | None = None
    confidence_taken_out: float | None = None
    """That of the same query after its answers were taken out of the index; None if unknown."""

    @property
    def rank(self) -> int | None:
        """The 1-based rank of the first hit that is an answer, however deep."""
        return next((rank for rank, gain in enumerate(self.gains, start=1) if gain), None)

    def metrics(self) -> dict[str, float]:
        """Return every metric by its name in Summary; none if the query has no answers.

        All are 0 to 1, but for `ndcg_loose`: hits that share an answer can pass the ideal, in
        which each answer stands once. It is not cut off, as its authors do not do that.
        """
        relevances = sorted((answer.relevance for answer in self.query.answers), reverse=True)
        if not relevances:
            return {}
        return {
            **{f"hit_at_{cut}": float(any(self.gains[:cut])) for cut in (1, 5, 10)},
            "mrr": max(
                (1 / rank for rank, gain in enumerate(self.gains[:10], start=1) if gain),
                default=0.0,
            ),
            "ndcg_at_10": min(1.0, _dcg(self.gains) / _dcg(relevances)),  # rounding may pass 1
            "ndcg_loose": _dcg(self.loose_gains) / _dcg(relevances),
            **{
                f"recall_at_{cut}": sum(gain > 0 for gain in self.gains[:cut]) / len(relevances)
                for cut in (5, 10)
            },
        }

    def to_row(self, mode: str) -> dict[str, Any]:
        """Return the query's row of a report; both NDCG are None if it has no answers."""
        row = {"query": self.query.query, "kind": self.query.kind, "mode": mode, "rank": self.rank}
        metrics = self.metrics()
        return {
            **row,
            **{name: metrics.get(name) for name in ("ndcg_at_10", "ndcg_loose")},
            "confidence": self.confidence,
            "confidence_taken_out": self.confidence_taken_out,
        }


def judge_reply(query: JudgedQuery, reply: RankedHits, level: Level = "structure") -> Judgement:
    """Return the reply judged at a level."""
    query, hits = at_level(query, level), ranked_at_level(reply.hits, level)
    gains, loose_gains = tuple(judge(query, hits)), tuple(judge_loosely(query, hits))
    return Judgement(query, gains, loose_gains, reply.confidence)


def _dcg(gains: Sequence[float]) -> float:
    """Return DCG@10 with linear gains.

    Järvelin & Kekäläinen 2002, https://doi.org/10.1145/582415.582418
    """
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains[:10], start=1))


@dataclass(frozen=True, slots=True)
class Summary:
    """The means over `n` queries that have answers."""

    n: int
    hit_at_1: float
    hit_at_5: float
    hit_at_10: float
    mrr: float
    ndcg_at_10: float
    ndcg_loose: float
    """NDCG@10 if an answer counts for every hit that matches it; may exceed 1."""
    recall_at_5: float
    recall_at_10: float

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain data."""
        return asdict(self)


def summarise(judgements: Iterable[Judgement]) -> dict[str, Summary]:
    """Return the summary of a mode's judgements under `all`, then by kind, in order of appearance.

    Queries without answers are left out, and so are kinds with no other queries. Queries of no
    kind count under `all` only.
    """
    groups: dict[str, list[dict[str, float]]] = {}
    for judgement in judgements:
        for kind in (
            dict.fromkeys((ALL, judgement.query.kind or ALL)) if judgement.query.answers else ()
        ):
            groups.setdefault(kind, []).append(judgement.metrics())
    means = {
        kind: {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        for kind, rows in groups.items()
    }
    return {kind: Summary(n=len(rows), **means[kind]) for kind, rows in groups.items()}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good the answers are, by mode; comparisons (by mode, metric) are with the first mode."""

    level: Level
    summaries: dict[str, dict[str, Summary]]
    auroc: dict[str, float | None]
    """Of queries with answers against those that have none."""
    auroc_taken_out: dict[str, float | None]
    """Of queries with answers against the same after their answers were taken out."""
    comparisons: dict[str, dict[str, Comparison]]
    judgements: dict[str, list[Judgement]]

    def to_dict(self) -> dict[str, Any]:
        """Return the evaluation as plain data, with the judgements as rows of one list."""
        rows = [
            judgement.to_row(mode)
            for mode, judgements in self.judgements.items()
            for judgement in judgements
        ]
        return {**asdict(replace(self, judgements={})), "judgements": rows}

    def to_text(self) -> str:
        """Return a table with a row per mode and kind, then AUROC, comparisons and the level."""
        table: list[Sequence[str]] = [_HEADINGS]
        for mode, kind, summary in (
            (mode, *item) for mode, kinds in self.summaries.items() for item in kinds.items()
        ):
            n, *means = asdict(summary).values()
            table.append((mode, kind, str(n), *(f"{mean:.3f}" for mean in means)))
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        layout = "  ".join(
            f"{{:{side}{width}}}" for side, width in zip("<<>>>>>>>>>", widths, strict=True)
        )
        lines = [layout.format(*row) for row in table]
        for against, areas in (
            ("queries without answers", self.auroc),
            ("those whose answers are taken out", self.auroc_taken_out),
        ):
            lines += [
                f"{mode}: AUROC {area:.3f} against {against}"
                for mode, area in areas.items()
                if area is not None
            ]
        for mode, named in self.comparisons.items():
            against = f"{mode} against {next(iter(self.judgements))}"
            lines += [
                f"{against}: {_COMPARED[metric]} {comparison}"
                for metric, comparison in named.items()
            ]
        return "\n".join([*lines, f"judged by {self.level}"])


def _unknown(_query: JudgedQuery, _mode: str) -> None:
    return None


def evaluate(
    queries: Sequence[JudgedQuery],
    search: Callable[[str, str], RankedHits],
    modes: Sequence[str],
    level: Level = "structure",
    without_answers: Callable[[JudgedQuery, str], float | None] = _unknown,
) -> Evaluation:
    """Return how good the answers of each mode are; each calls `search(query, mode)` once.

    `without_answers` returns the confidence of the same search as if the index did not hold the
    query's answers; it is called for queries with answers whose confidence is known.
    """

    def judged(query: JudgedQuery, mode: str) -> Judgement:
        judgement = judge_reply(query, search(query.query, mode), level)
        if judgement.confidence is None or not query.answers:
            return judgement
        return replace(judgement, confidence_taken_out=without_answers(query, mode))

    judgements = {mode: [judged(query, mode) for query in queries] for mode in modes}
    metrics = {
        mode: [judgement.metrics() for judgement in found if judgement.query.answers]
        for mode, found in judgements.items()
    }
    return Evaluation(
        level=level,
        summaries={mode: summarise(found) for mode, found in judgements.items()},
        auroc={mode: auroc_of(found) for mode, found in judgements.items()},
        auroc_taken_out={mode: auroc_taken_out(found) for mode, found in judgements.items()},
        comparisons={
            mode: _compare(metrics[modes[0]], metrics[mode]) for mode in modes[1:] if metrics[mode]
        },
        judgements=judgements,
    )


def auroc_of(judgements: Iterable[Judgement]) -> float | None:
    """Return how well the confidence tells queries with answers from others; None if unknown."""
    sure = [
        (judgement.confidence, bool(judgement.query.answers))
        for judgement in judgements
        if judgement.confidence is not None
    ]
    return auroc(
        [confidence for confidence, has_answer in sure if has_answer],
        [confidence for confidence, has_answer in sure if not has_answer],
    )


def auroc_taken_out(judgements: Sequence[Judgement]) -> float | None:
    """Return how well the confidence tells queries from the same with their answers taken out.

    None if it is unknown.
    """
    known = [judgement.confidence for judgement in judgements if judgement.query.answers]
    without = [judgement.confidence_taken_out for judgement in judgements]
    return auroc(*([sure for sure in side if sure is not None] for side in (known, without)))


def _compare(a: Sequence[dict[str, float]], b: Sequence[dict[str, float]]) -> dict[str, Comparison]:
    return {
        metric: bootstrap([row[metric] for row in a], [row[metric] for row in b])
        for metric in _COMPARED
    }
