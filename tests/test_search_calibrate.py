from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import chain

import pytest

from search.calibrate import (
    JudgedProject,
    Sample,
    Sort,
    TakenOut,
    calibrate,
    fit,
    held_out_auroc,
    samples_of,
)
from search.confidence import Calibration
from search.errors import CalibrationError
from search.judged import JudgedQuery, KnownAnswer
from storage.index import Index
from storage.metadata import Metadata
from tests.made_up import Compass, made, publish, searcher_of


def samples(sort: Sort, *scores: float) -> list[Sample]:
    return [Sample({"text": score}, sort) for score in scores]


SEPARATE = [
    *samples("answered", 0.9, 0.8, 0.7),
    *samples("taken out", 0.4, 0.5),
    *samples("foreign", 0.1, 0.2),
]


def test_a_fit_tells_answered_queries_from_both_other_sorts() -> None:
    found = Calibration({}, {"text": fit(SEPARATE)})
    sure = [found.confidence("text", sample.evidence) or 0.0 for sample in SEPARATE]
    assert min(sure[:3]) > max(sure[3:5])
    assert min(sure[:3]) > 0.5 > max(sure[5:])


def test_many_queries_without_answers_do_not_outweigh_those_with() -> None:
    found = Calibration({}, {"text": fit([*SEPARATE[:5], *SEPARATE[5:] * 30])})
    sure = [found.confidence("text", sample.evidence) or 0.0 for sample in SEPARATE]
    assert min(sure[:3]) > 0.5


def test_evidence_that_never_changes_counts_nothing() -> None:
    constant = [Sample({**sample.evidence, "bm25": 0.0}, sample.sort) for sample in SEPARATE]
    coefficients = fit(constant)
    assert list(coefficients) == ["", "text", "bm25"]
    assert coefficients["bm25"] == 0.0
    assert coefficients["text"] > 0
    assert math.isfinite(coefficients[""])


@pytest.mark.parametrize("missing", ["answered", "taken out", "foreign"])
def test_a_fit_needs_every_sort_of_queries(missing: Sort) -> None:
    with pytest.raises(CalibrationError, match="needs queries with answers and queries without"):
        fit([sample for sample in SEPARATE if sample.sort != missing])


def test_each_project_is_judged_by_the_others() -> None:
    turned = [Sample({"text": -sample.evidence["text"]}, sample.sort) for sample in SEPARATE]
    assert held_out_auroc([SEPARATE, SEPARATE]) == {"taken out": 1.0, "foreign": 1.0}
    assert held_out_auroc([SEPARATE, turned]) != held_out_auroc([SEPARATE, SEPARATE])
    assert held_out_auroc([SEPARATE]) == {}
    assert held_out_auroc([SEPARATE, SEPARATE[:3]]) == {}  # the first one has no fit


# ---- Indexes without the answers

TOWN = [
    made("evict", 0, lines=(10, 19)),
    made("Cache", 20, lines=(1, 40), code_type="Impl"),
    made("count", 40, lines=(50, 59)),
    made("evict", 60, lines=(10, 19), file_path="src/other.rs"),
]
WANTED = JudgedQuery(
    query="make room",
    answers=(KnownAnswer(file_path="src/lib.rs", name="evict", line=12),),
)
FOREIGN = JudgedQuery(query="bake a cake")
GONE = JudgedQuery(query="gone", answers=(KnownAnswer(file_path="src/gone.rs", name="gone"),))


@pytest.fixture
def project(index: Index, metadata: Metadata) -> Callable[..., JudgedProject]:
    def built(*queries: JudgedQuery) -> JudgedProject:
        compass = Compass({"bake a cake": 120})
        return JudgedProject(searcher_of(publish(index, metadata, TOWN), encoder=compass), queries)

    return built


def test_answers_are_taken_out_with_all_that_overlaps_them(
    project: Callable[..., JudgedProject],
) -> None:
    searcher = project().searcher
    assert [hit.id for hit in searcher.search("make room", "text").hits] == [one.id for one in TOWN]
    taken_out = TakenOut(searcher)
    found = taken_out.search(WANTED, "text")
    assert found is not None
    assert [hit.id for hit in found.hits] == [TOWN[2].id, TOWN[3].id]
    assert taken_out.search(GONE, "text") is None  # the index does not hold its answers
    assert taken_out.search(FOREIGN, "text") is None
    assert taken_out.confidence(FOREIGN, "text") is None


def test_a_query_gives_a_sample_with_its_answers_and_one_without(
    project: Callable[..., JudgedProject],
) -> None:
    found = list(samples_of(project(WANTED, FOREIGN), "text"))
    assert [sample.sort for sample in found] == ["answered", "taken out", "foreign"]
    assert [round(sample.evidence["text"], 3) for sample in found] == [1.0, 0.766, 0.5]


def test_the_fit_is_to_all_projects_and_has_every_mode(
    project: Callable[..., JudgedProject],
) -> None:
    one = project(WANTED, FOREIGN)
    calibration, held_out = calibrate([one, one])
    assert list(calibration.modes) == ["hybrid", "merged", "text", "code", "bm25", "blocks"]
    assert calibration.models == one.searcher.generation.metadata.fingerprints
    assert held_out["text"] == {"taken out": 1.0, "foreign": 1.0}
    assert len(list(chain(*held_out.values()))) == 12


def test_indexes_of_several_models_have_no_common_fit(
    project: Callable[..., JudgedProject], index: Index, metadata: Metadata
) -> None:
    one = project(WANTED, FOREIGN)
    vectors = {
        name: replace(info, fingerprint=f"another {name}")
        for name, info in metadata.vectors.items()
    }
    other = searcher_of(publish(index, metadata, TOWN, vectors=vectors))
    with pytest.raises(CalibrationError, match="these indexes are of several"):
        calibrate([one, JudgedProject(other, [WANTED, FOREIGN])])
