"""The fit of the confidence: to queries with answers, to the same without them, and to others.

What an index does not answer is of two sorts. Foreign queries are about another field, and easy to
tell. Queries of the index's own field are hard, and nobody can write them by the hundred. So each
judged query is also asked after its answers were taken out of the index.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from search.answer import MODES
from search.confidence import Calibration
from search.errors import CalibrationError
from search.judged import at_level, matches
from search.statistics import auroc
from storage.query import Condition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from search.answer import Answer, Mode
    from search.engine import Searcher
    from search.judged import JudgedQuery

Sort: TypeAlias = Literal["answered", "taken out", "foreign"]

_SHARES: Mapping[Sort, float] = {"answered": 2 / 3, "taken out": 1 / 6, "foreign": 1 / 6}
"""How much each sort counts in a fit, however many queries of it there are.

Most of what people ask about their own code is in it.
"""
_STRENGTH = 0.3
"""Inverse regularisation of the fit. With more, correlated evidence gets opposite signs, which fits
a few hundred queries well and all others badly."""


class Sample(NamedTuple):
    """The evidence of one search, and whether there was an answer to find."""

    evidence: Mapping[str, float]
    sort: Sort


class JudgedProject(NamedTuple):
    """An index and the queries whose answers in it are known."""

    searcher: Searcher
    queries: Sequence[JudgedQuery]


class Fit(NamedTuple):
    """A calibration, and how well it can be trusted elsewhere."""

    calibration: Calibration
    held_out: Mapping[str, Mapping[Sort, float]]
    """For each mode what `held_out_auroc` returns."""


class _Place(NamedTuple):
    file_path: str
    name: str
    line_from: int
    line_to: int


class TakenOut:
    """Searches an index as if it did not hold the answers of a query."""

    def __init__(self, searcher: Searcher) -> None:
        self._searcher = searcher
        self._ids: dict[JudgedQuery, tuple[str, ...]] = {}

    def search(self, query: JudgedQuery, mode: Mode) -> Answer | None:
        """Return the answer without them, None if the index does not hold any."""
        if query not in self._ids:
            self._ids[query] = tuple(self._overlapping(query))
        ids = self._ids[query]
        return self._searcher.search(query.query, mode, without=ids) if ids else None

    def confidence(self, query: JudgedQuery, mode: Mode) -> float | None:
        """Return the confidence of that answer, None if it is not known."""
        answer = self.search(query, mode)
        return None if answer is None else answer.confidence

    def _overlapping(self, query: JudgedQuery) -> Iterator[str]:
        """Yield all structures with lines of an answer: the item, its parts, what it is in."""
        answers = at_level(query, "line").answers
        files = tuple({answer.file_path for answer in answers})
        if not files:
            return
        rows = self._searcher.generation.structures.select(
            ("context.file_path", "name", "line_from", "line_to"),
            where=[Condition("context.file_path", files)],
        )
        for row in rows:
            if any(matches(_Place(*row.values), answer) for answer in answers):
                yield row.id


def calibrate(projects: Sequence[JudgedProject]) -> Fit:
    """Return the confidence that fits the queries of all projects best.

    Raises CalibrationError if a sort of queries is missing, or if the models of the indexes differ.
    """
    models = [project.searcher.generation.metadata.fingerprints for project in projects]
    if any(other != models[0] for other in models):
        raise CalibrationError(
            "a calibration is of one choice of models, but these indexes are of several."
        )
    modes: dict[str, dict[str, float]] = {}
    held_out: dict[str, dict[Sort, float]] = {}
    for mode in MODES:
        samples = [list(samples_of(project, mode)) for project in projects]
        modes[mode] = fit(list(chain(*samples)))
        held_out[mode] = held_out_auroc(samples)
    return Fit(Calibration(models[0], modes), held_out)


def samples_of(project: JudgedProject, mode: Mode) -> Iterator[Sample]:
    """Yield a sample of each query, and another one without its answers if it has some."""
    taken_out = TakenOut(project.searcher)
    for query in project.queries:
        answer = project.searcher.search(query.query, mode)
        if answer.from_references is None:  # what references tell needs no confidence
            yield Sample(answer.evidence, "answered" if query.answers else "foreign")
        without = taken_out.search(query, mode)
        if without is not None and without.from_references is None:
            yield Sample(without.evidence, "taken out")


def fit(samples: Sequence[Sample]) -> dict[str, float]:
    """Return the coefficients that best separate answered queries from both other sorts.

    "" is the intercept. Raises CalibrationError if a sort is missing.
    """
    import numpy as np  # noqa: PLC0415 - with the next one: needed for fitting only
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    counts = Counter(sample.sort for sample in samples)
    if len(counts) < len(_SHARES):
        raise CalibrationError("a calibration needs queries with answers and queries without.")
    names = list(samples[0].evidence)
    features = np.array([[sample.evidence[name] for name in names] for sample in samples])
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    deviation[deviation == 0] = 1
    weights = [len(samples) * _SHARES[sample.sort] / counts[sample.sort] for sample in samples]
    model: Any = LogisticRegression(C=_STRENGTH, max_iter=1000).fit(
        (features - mean) / deviation,
        [sample.sort == "answered" for sample in samples],
        sample_weight=weights,
    )
    slopes = model.coef_[0] / deviation
    intercept = float(model.intercept_[0] - slopes @ mean)
    return {
        "": round(intercept, 4),
        **{name: round(float(slope), 4) for name, slope in zip(names, slopes, strict=True)},
    }


def held_out_auroc(projects: Sequence[Sequence[Sample]]) -> dict[Sort, float]:
    """Return the AUROC of answered queries against each other sort.

    The confidence of each project's queries is by a fit to the other projects: the fit to its own
    queries would flatter it. Empty if the others lack a sort of queries.
    """
    confidences: dict[Sort, list[float]] = {sort: [] for sort in _SHARES}
    for place, own in enumerate(projects):
        others = list(chain(*projects[:place], *projects[place + 1 :]))
        if len({sample.sort for sample in others}) < len(_SHARES):
            return {}
        calibration = Calibration({}, {"": fit(others)})
        for sample in own:
            confidences[sample.sort].append(calibration.confidence("", sample.evidence) or 0.0)
    answered = confidences.pop("answered")
    areas = {sort: auroc(answered, others) for sort, others in confidences.items()}
    return {sort: area for sort, area in areas.items() if area is not None}
