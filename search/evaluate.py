"""How good answers are, by queries with known answers. Knows no index and no model: it is given a function that searches."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import numpy as np
from pydantic import BaseModel, Field, StringConstraints, ValidationError, model_validator

from search.errors import EvaluationError
from search.hit import LineRange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

ALL = "all"  # where the queries of every kind are summed up

_HEADINGS = ("mode", "kind", "n", "Hit@1", "Hit@5", "Hit@10", "MRR", "NDCG@10", "R@5", "R@10")
_COMPARED = {"ndcg_at_10": "NDCG@10", "mrr": "MRR"}
_DRAWS_AT_ONCE = 1 << 20  # of the bootstrap: 8 MiB of places, as much again of differences

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_Line = Annotated[int, Field(ge=1)]


class Located(Protocol):
    """What is judged of a hit; lines are 1-based, both ends inclusive. search.hit.Hit is one."""

    @property
    def file_path(self) -> str: ...  # noqa: D102 - the class says it
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def line_from(self) -> int: ...  # noqa: D102
    @property
    def line_to(self) -> int: ...  # noqa: D102


class Reply(Protocol):
    """What a search gives back: hits, best first, and how sure it is that there is an answer (None: the mode can't tell)."""

    @property
    def hits(self) -> Sequence[Located]: ...  # noqa: D102 - the class says it
    @property
    def confidence(self) -> float | None: ...  # noqa: D102


class KnownAnswer(BaseModel, frozen=True, extra="forbid", strict=True):
    """A place that answers a query: a name, a line or lines (1-based, both ends inclusive), or a name with either."""

    file_path: _Text
    name: _Text | None = None
    line: _Line | None = None
    line_from: _Line | None = None
    line_to: _Line | None = None
    relevance: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0

    @property
    def lines(self) -> LineRange | None:
        """Its lines, where it has them."""
        first, last = self.line_from or self.line, self.line_to or self.line
        return LineRange(first, last) if first and last else None

    @model_validator(mode="after")
    def _says_where(self) -> KnownAnswer:
        if (self.line_from is None) != (self.line_to is None) or None not in (
            self.line,
            self.line_from,
        ):
            raise ValueError("expected either line, or line_from and line_to")
        if self.name is None and self.lines is None:
            raise ValueError("expected a name, a line, or line_from and line_to")
        if self.lines is not None and self.lines.line_to < self.lines.line_from:
            raise ValueError("expected line_from <= line_to")
        return self


class JudgedQuery(BaseModel, frozen=True, extra="ignore", strict=True):
    """A query and its known answers, none where a search should find nothing. Other keys, such as a note, are left alone."""

    query: _Text
    kind: str = ""
    answers: tuple[KnownAnswer, ...] = ()


def read_queries(path: Path) -> list[JudgedQuery]:
    """Return the judged queries of a file, one JSON object a line. Raises EvaluationError, with the line where one is malformed."""
    try:
        with path.open("rb") as file:
            queries = [
                _parse_query(line, f"{path}, line {number}")
                for number, line in enumerate(file, start=1)
                if line.strip()
            ]
    except OSError as exc:
        raise EvaluationError(f"can't read {path}: {exc.strerror or exc}") from exc
    if not queries:
        raise EvaluationError(
            f"{path} holds no query; expected one JSON object a line with the keys query, kind and answers."
        )
    return queries


def _parse_query(line: bytes, where: str) -> JudgedQuery:
    try:
        return JudgedQuery.model_validate_json(line.decode("utf-8"))
    except UnicodeDecodeError as exc:
        raise EvaluationError(
            f"{where}: expected UTF-8, found byte 0x{line[exc.start]:02x} at column {exc.start + 1}."
        ) from exc
    except ValidationError as exc:
        problems = "; ".join(_describe(dict(error)) for error in exc.errors()[:3])
        raise EvaluationError(f"{where}: {problems}.") from exc


def _describe(error: dict[str, Any]) -> str:
    """Return one line such as `answers[0].line: Input should be greater than or equal to 1, found 0`."""
    where = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]
    ).lstrip(".")
    what = error["msg"].removeprefix("Value error, ").replace(" at line 1 column", " at column")
    return f"{where}{': ' if where else ''}{what}, found {error['input']!r:.120}"


def matches(hit: Located, answer: KnownAnswer) -> bool:
    """Return whether the hit is the answer: the same file, and the same name and lines that overlap, where the answer has them.

    An answer with both asks for both, so that the module or impl around an item is not taken for it.
    """
    if hit.file_path != answer.file_path or answer.name not in (None, hit.name):
        return False
    return (
        answer.lines is None
        or answer.lines.overlap(LineRange(hit.line_from, hit.line_to)) is not None
    )


def judge(query: JudgedQuery, hits: Iterable[Located]) -> list[float]:
    """Return each hit's gain: the relevance of the best answer it matches that no earlier hit was credited with, or 0."""
    answers, gains = sorted(query.answers, key=lambda answer: -answer.relevance), []
    for hit in hits:
        best = next((place for place, answer in enumerate(answers) if matches(hit, answer)), None)
        gains.append(0.0 if best is None else answers.pop(best).relevance)
    return gains


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a mode answered to a query, judged: the gains of its hits, best first, as of `judge`."""

    query: JudgedQuery
    gains: tuple[float, ...]
    confidence: float | None = None

    @property
    def rank(self) -> int | None:
        """The rank, 1-based, of the first hit that is an answer, however deep."""
        return next((rank for rank, gain in enumerate(self.gains, start=1) if gain), None)

    def metrics(self) -> dict[str, float]:
        """Return every metric, 0 to 1, by its name in Summary; none where the query has no answers."""
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
            **{
                f"recall_at_{cut}": sum(gain > 0 for gain in self.gains[:cut]) / len(relevances)
                for cut in (5, 10)
            },
        }

    def to_row(self, mode: str) -> dict[str, Any]:
        """Return what a report says of the query; ndcg_at_10 is None where it has no answers."""
        row = {"query": self.query.query, "kind": self.query.kind, "mode": mode, "rank": self.rank}
        return {
            **row,
            "ndcg_at_10": self.metrics().get("ndcg_at_10"),
            "confidence": self.confidence,
        }


def _dcg(gains: Sequence[float]) -> float:
    """Return DCG@10 with linear gains (Järvelin & Kekäläinen 2002, https://doi.org/10.1145/582415.582418)."""
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
    recall_at_5: float
    recall_at_10: float

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain data."""
        return asdict(self)


def summarise(judgements: Iterable[Judgement]) -> dict[str, Summary]:
    """Return the summary of a mode's judgements under `all`, then by kind in the order of appearance.

    Queries without answers are left out, and so is a kind that has no others; queries of no kind count under `all` only.
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


def auroc(
    confidences_with_answer: Sequence[float], confidences_without: Sequence[float]
) -> float | None:
    """Return the probability that a query with an answer is of higher confidence than one without; None where a side is empty.

    Ties count half. Mann-Whitney U by the number of pairs: Hanley & McNeil 1982, https://doi.org/10.1148/radiology.143.1.7063747
    """
    if 0 in (len(confidences_with_answer), len(confidences_without)):
        return None
    without = np.sort(confidences_without)
    below, up_to = (
        np.searchsorted(without, confidences_with_answer, side) for side in ("left", "right")
    )
    return float((below + up_to).mean() / (2 * len(without)))


@dataclass(frozen=True, slots=True)
class Comparison:
    """A mean difference over queries, its 95% interval, its two-sided p, and whether it is real: the interval excludes 0."""

    difference: float
    low: float
    high: float
    p: float
    real: bool

    def __str__(self) -> str:
        p = "p < 0.01" if self.p < 0.01 else f"p {self.p:.2f}"  # noqa: PLR2004 - all that two digits can say
        interval = f"[{self.low:+z.3f}, {self.high:+z.3f}]"
        return f"{self.difference:+z.3f} {interval}, {p}: {'real' if self.real else 'not told from chance'}"


def bootstrap(
    a: Sequence[float], b: Sequence[float], rounds: int = 10_000, seed: int = 0
) -> Comparison:
    """Return how b differs from a, a metric of the same queries in two modes: paired bootstrap over queries, percentile interval.

    Efron & Tibshirani 1993, chapter 13. Too narrow for few queries: it calls 15% of equal modes different over 5, 8% over 10.
    """
    if not 0 < len(a) == len(b):
        raise ValueError(
            f"expected a metric of the same queries twice, found {len(a)} and {len(b)} of them"
        )
    differences, random = np.subtract(b, a, dtype=np.float64), np.random.default_rng(seed)
    means, step = np.empty(rounds), max(1, _DRAWS_AT_ONCE // len(a))
    for start in range(0, rounds, step):
        part = means[start : start + step]
        part[:] = differences[random.integers(len(a), size=(len(part), len(a)))].mean(axis=1)
    means = means.round(12)  # what adds up to 0 is 0, in whatever order
    low, high = map(float, np.percentile(means, (2.5, 97.5)))
    p = min(1.0, 2 * float(min((means <= 0).mean(), (means >= 0).mean())))
    return Comparison(float(differences.mean()), low, high, p, real=low > 0 or high < 0)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good the answers are, by mode; the comparisons, by mode and metric, are with the first mode."""

    summaries: dict[str, dict[str, Summary]]
    auroc: dict[str, float | None]
    comparisons: dict[str, dict[str, Comparison]]
    judgements: dict[str, list[Judgement]]

    def to_dict(self) -> dict[str, Any]:
        """Return the evaluation as plain data, the judgements as rows of one list."""
        rows = [
            judgement.to_row(mode)
            for mode, judgements in self.judgements.items()
            for judgement in judgements
        ]
        return {**asdict(replace(self, judgements={})), "judgements": rows}

    def to_text(self) -> str:
        """Return a table with a row for each mode and kind, then a line for each AUROC and each comparison."""
        table: list[Sequence[str]] = [_HEADINGS]
        for mode, kind, summary in (
            (mode, *item) for mode, kinds in self.summaries.items() for item in kinds.items()
        ):
            n, *means = asdict(summary).values()
            table.append((mode, kind, str(n), *(f"{mean:.3f}" for mean in means)))
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        layout = "  ".join(
            f"{{:{side}{width}}}" for side, width in zip("<<>>>>>>>>", widths, strict=True)
        )
        lines = [layout.format(*row) for row in table]
        lines += [
            f"{mode}: AUROC {area:.3f}" for mode, area in self.auroc.items() if area is not None
        ]
        for mode, named in self.comparisons.items():
            against = f"{mode} against {next(iter(self.judgements))}"
            lines += [
                f"{against}: {_COMPARED[metric]} {comparison}"
                for metric, comparison in named.items()
            ]
        return "\n".join(lines)


def evaluate(
    queries: Sequence[JudgedQuery], search: Callable[[str, str], Reply], modes: Sequence[str]
) -> Evaluation:
    """Return how good the answers of each mode are; `search(query, mode)` is called once for each."""
    judgements = {
        mode: [_judge_reply(query, search(query.query, mode)) for query in queries]
        for mode in modes
    }
    metrics = {
        mode: [one.metrics() for one in judged if one.query.answers]
        for mode, judged in judgements.items()
    }
    return Evaluation(
        summaries={mode: summarise(judged) for mode, judged in judgements.items()},
        auroc={mode: _auroc(judged) for mode, judged in judgements.items()},
        comparisons={
            mode: _compare(metrics[modes[0]], metrics[mode]) for mode in modes[1:] if metrics[mode]
        },
        judgements=judgements,
    )


def _judge_reply(query: JudgedQuery, reply: Reply) -> Judgement:
    return Judgement(query, tuple(judge(query, reply.hits)), reply.confidence)


def _auroc(judgements: Sequence[Judgement]) -> float | None:
    sure = [
        (judgement.confidence, bool(judgement.query.answers))
        for judgement in judgements
        if judgement.confidence is not None
    ]
    return auroc(
        [one for one, has_answer in sure if has_answer],
        [one for one, has_answer in sure if not has_answer],
    )


def _compare(a: Sequence[dict[str, float]], b: Sequence[dict[str, float]]) -> dict[str, Comparison]:
    return {
        metric: bootstrap([one[metric] for one in a], [one[metric] for one in b])
        for metric in _COMPARED
    }
