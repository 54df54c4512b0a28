from __future__ import annotations

import math
from pathlib import Path

import pytest

from search.confidence import CALIBRATION, Calibration, evidence, fit, read_calibration
from search.errors import CalibrationError
from search.fusion import Candidate, Retriever


def ranking(names: str, best: float, step: float = 0.01) -> list[Candidate]:
    return [Candidate(name, best - place * step) for place, name in enumerate(names)]


# ---- Evidence


def test_the_evidence_is_the_best_score_of_each_retriever_and_how_far_each_two_agree() -> None:
    retrievers: dict[Retriever, list[Candidate]] = {
        "text": ranking("abcdefghijklm", 0.8),
        "code": ranking("abcnopqrstu", 0.7),
        "bm25": ranking("mnab", 12.0),
        "blocks": ranking("aa", 0.9),
    }
    assert evidence(retrievers, words=4) == {
        "text": 0.8,
        "code": 0.7,
        "bm25": 3.0,
        "agreement": pytest.approx((0.3 + 0.2 + 0.3) / 3),  # text has m at place 13
    }


@pytest.mark.parametrize(
    ("retrievers", "expected"),
    [
        ({"text": ranking("ab", 0.8)}, {"text": 0.8}),
        ({"bm25": ranking("ab", 9.0)}, {"bm25": 3.0}),
        ({"blocks": ranking("ab", 0.6)}, {"blocks": 0.6}),
        (
            {"text": ranking("ab", 0.8), "code": ranking("bc", 0.7), "blocks": []},
            {"text": 0.8, "code": 0.7, "agreement": 0.1},
        ),
    ],
)
def test_a_mode_knows_its_own_retrievers_only(
    retrievers: dict[Retriever, list[Candidate]], expected: dict[str, float]
) -> None:
    assert evidence(retrievers, words=3) == expected


def test_retrievers_that_found_nothing_and_queries_without_words_are_evidence_too() -> None:
    retrievers: dict[Retriever, list[Candidate]] = {
        "text": [],
        "code": [],
        "bm25": [],
        "blocks": [],
    }
    assert evidence(retrievers, words=0) == {"text": 0, "code": 0, "bm25": 0, "agreement": 0}
    assert evidence({"bm25": ranking("a", 5.0)}, words=0) == {"bm25": 5.0}


def test_a_structure_with_several_blocks_agrees_once() -> None:
    retrievers: dict[Retriever, list[Candidate]] = {
        "text": ranking("aaaaaaaaaa", 0.8),
        "code": ranking("aaaaaaaaaa", 0.8),
    }
    assert evidence(retrievers, words=1)["agreement"] == 0.1


# ---- Confidence


CALIBRATED = Calibration(
    {"text": "d1"},
    {
        "text": {"": -2.0, "text": 4.0},
        "merged": {"": 0.0, "text": 1.0, "code": 2.0, "agreement": -3.0},
    },
)


def test_the_confidence_is_a_logistic_function_of_the_evidence() -> None:
    assert CALIBRATED.confidence("text", {"text": 0.5}) == 0.5
    assert CALIBRATED.confidence("text", {"text": 0.0}) == pytest.approx(0.1192, abs=1e-4)
    assert CALIBRATED.confidence("text", {"text": 1.0}) == pytest.approx(0.8808, abs=1e-4)
    assert CALIBRATED.confidence(
        "merged", {"text": 0.5, "code": 0.25, "agreement": 0.0}
    ) == pytest.approx(0.7311, abs=1e-4)


def test_better_evidence_gives_more_confidence_and_extremes_stay_within_0_and_1() -> None:
    values = [
        CALIBRATED.confidence("text", {"text": score})
        for score in (-1e6, -1.0, 0.0, 0.4, 0.6, 1.0, 1e6)
    ]
    assert values == sorted(values, key=lambda value: -1.0 if value is None else value)
    assert values[0] == pytest.approx(0.0)
    assert values[-1] == pytest.approx(1.0)


def test_without_coefficients_for_just_that_evidence_the_confidence_is_not_known() -> None:
    assert CALIBRATED.confidence("hybrid", {"text": 0.5}) is None
    assert CALIBRATED.confidence("text", {"text": 0.5, "code": 0.5}) is None
    assert CALIBRATED.confidence("merged", {"text": 0.5, "code": 0.5}) is None
    assert CALIBRATED.confidence("text", {}) is None


# ---- Files


def test_a_calibration_is_read_as_it_was_written(tmp_path: Path) -> None:
    CALIBRATED.write(tmp_path / "calibration.json")
    assert read_calibration(tmp_path / "calibration.json") == CALIBRATED
    assert (tmp_path / "calibration.json").read_bytes().endswith(b"}\n")


def test_the_packaged_calibration_can_be_read() -> None:
    for mode, coefficients in read_calibration(CALIBRATION).modes.items():
        assert "" in coefficients, mode
        assert all(map(math.isfinite, coefficients.values())), mode


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"null",
        b'{"models": {}}',
        b'{"models": [], "modes": {}}',
        b'{"models": {}, "modes": {"text": 1}}',
        b'{"models": {}, "modes": {"text": {"": "much"}}}',
        b'{"models": {}, "modes": {"text": {"": null}}}',
        b"\xff",
        None,
    ],
)
def test_what_is_no_calibration_is_named_with_the_command_that_makes_one(
    content: bytes | None, tmp_path: Path
) -> None:
    path = tmp_path / "mine.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(
        CalibrationError,
        match=r"mine\.json can't be read as a calibration: .*`lsif-ingest evaluate --calibrate`",
    ):
        read_calibration(path)


# ---- Fitting


def test_a_fit_tells_queries_with_answers_from_others() -> None:
    scores = [0.9, 0.8, 0.7, 0.75, 0.2, 0.3, 0.4, 0.1]
    answerable = [True] * 4 + [False] * 4
    noise = [0.1, 0.2, 0.1, 0.2, 0.2, 0.1, 0.2, 0.1]
    coefficients = fit(
        [{"text": score, "agreement": other} for score, other in zip(scores, noise, strict=True)],
        answerable,
    )
    assert list(coefficients) == ["", "text", "agreement"]
    calibrated = Calibration({}, {"text": coefficients})
    found = [calibrated.confidence("text", {"text": score, "agreement": 0.15}) for score in scores]
    assert [confidence is not None and confidence > 0.5 for confidence in found] == answerable
    middle = calibrated.confidence("text", {"text": 0.55, "agreement": 0.15})
    assert middle is not None
    assert 0.3 < middle < 0.7


def test_both_kinds_count_alike_however_many_there_are() -> None:
    few = fit(
        [{"text": 0.8}, {"text": 0.6}, {"text": 0.4}, {"text": 0.2}], [True, True, False, False]
    )
    many = fit(
        [{"text": 0.8}, {"text": 0.6}] * 20 + [{"text": 0.4}, {"text": 0.2}],
        [True] * 40 + [False] * 2,
    )
    for coefficients in (few, many):
        assert -coefficients[""] / coefficients["text"] == pytest.approx(
            0.5, abs=0.05
        )  # where the confidence is 0.5


def test_evidence_that_never_changes_counts_nothing() -> None:
    coefficients = fit([{"text": 0.9, "bm25": 0.0}, {"text": 0.1, "bm25": 0.0}], [True, False])
    assert coefficients["bm25"] == 0.0
    assert coefficients["text"] > 0
    assert math.isfinite(coefficients[""])


@pytest.mark.parametrize("answerable", [[True, True], [False, False], []])
def test_a_fit_needs_both_kinds_of_queries(answerable: list[bool]) -> None:
    with pytest.raises(CalibrationError, match="needs queries with answers and queries without"):
        fit([{"text": 0.5} for _ in answerable], answerable)
