"""The tables of benchmarks/results/quality.md. Pure functions of replies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.evaluate import ALL, auroc_of, summarise
from search.statistics import bootstrap

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from quality_replies import Former, Reply, Score

    from search.evaluate import Summary

UNKNOWN = "-"
"""What a cell says if there is no number."""


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table, its numbers to the right of the first column."""
    lines = [f"| {' | '.join(headings)} |", "|---|" + "---:|" * (len(headings) - 1)]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def by_structure(replies: Sequence[Reply], former: Former | None) -> list[str]:
    """Return the table at the level of structures, by kind, beside a former release."""
    headings = ("kind", "n", "NDCG@10", "MRR", "Hit@1", "Hit@5", "loose")
    compared = ("former NDCG@10", "difference", "former MRR", "difference")
    rows = []
    for kind, summary in summarise(reply.judged() for reply in replies).items():
        own = [
            reply for reply in replies if reply.query.answers and kind in (ALL, reply.query.kind)
        ]
        row = [kind, str(summary.n), *_means(summary), f"{summary.ndcg_loose:.3f}"]
        rows.append(row + (_against(former.pairs(own)) if former else []))
    return table((*headings, *compared) if former else headings, rows)


def by_file_and_line(replies: Sequence[Reply]) -> list[str]:
    """Return the table at the levels of files and lines, by kind."""
    names = ("NDCG@10", "MRR", "Hit@1", "Hit@5")
    headings = [f"{level}: {name}" for level in ("file", "line") for name in names]
    by_file, by_line = (
        summarise(reply.judged(level) for reply in replies) for level in ("file", "line")
    )
    rows = [
        [kind, *_means(summary), *_means(by_line[kind]), f"{by_line[kind].ndcg_loose:.3f}"]
        for kind, summary in by_file.items()
    ]
    return table(("kind", *headings, "line: loose"), rows)


def by_repository(replies: Sequence[Reply]) -> list[str]:
    """Return the table of all kinds together, by repository."""
    rows = []
    for name in dict.fromkeys(reply.repository for reply in replies):
        own = [reply for reply in replies if reply.repository == name]
        judgements = [reply.judged() for reply in own]
        summary = summarise(judgements)[ALL]
        known = (str(summary.n), str(len(own) - summary.n))
        rows.append([name, own[0].half, *known, *_means(summary), number(auroc_of(judgements))])
    headings = ("repository", "half", "with answers", "without")
    return table((*headings, "NDCG@10", "MRR", "Hit@1", "Hit@5", "AUROC"), rows)


def number(value: float | None) -> str:
    """Return a cell.

    >>> number(0.5), number(None)
    ('0.500', '-')
    """
    return UNKNOWN if value is None else f"{value:.3f}"


def _means(summary: Summary) -> list[str]:
    """Return the cells NDCG@10, MRR, Hit@1, Hit@5."""
    means = (summary.ndcg_at_10, summary.mrr, summary.hit_at_1, summary.hit_at_5)
    return [number(mean) for mean in means]


def _against(pairs: Sequence[tuple[Score, Score]]) -> list[str]:
    """Return the cells of a comparison with the former release, over the queries of both."""
    if not pairs:
        return [UNKNOWN] * 4
    cells = []
    for metric in ("ndcg_at_10", "mrr"):
        before, now = (
            [getattr(score, metric) for score in side] for side in zip(*pairs, strict=True)
        )
        cells += [number(sum(before) / len(before)), str(bootstrap(before, now))]
    return cells
