from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.fusion import (
    Candidate,
    Retriever,
    deduplicate,
    merge,
    normalised_scores,
    reciprocal_ranks,
)
from search.hit import Hit, LineRange

from made_up import made


def ranking(**scores: float) -> list[Candidate]:
    return [Candidate(name, score) for name, score in scores.items()]


def scores(found: Sequence[Candidate]) -> dict[str, float]:
    return {candidate.id: candidate.score for candidate in found}


def names(found: Sequence[Candidate]) -> str:
    return "".join(candidate.id for candidate in found)


ALIKE: dict[Retriever, float] = {"text": 1.0, "code": 1.0, "bm25": 1.0, "blocks": 1.0}


# ---- Lines


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        ((1, 5), (5, 9), (5, 5)),
        ((1, 5), (6, 9), None),
        ((1, 9), (3, 4), (3, 4)),
        ((3, 4), (1, 9), (3, 4)),
        ((7, 7), (7, 7), (7, 7)),
    ],
)
def test_line_ranges_are_inclusive(
    first: tuple[int, int], second: tuple[int, int], overlap: tuple[int, int] | None
) -> None:
    expected = None if overlap is None else LineRange(*overlap)
    assert LineRange(*first).overlap(LineRange(*second)) == expected
    assert LineRange(*second).overlap(LineRange(*first)) == expected


# ---- Blocks become their structure


def test_blocks_become_their_structure_at_the_rank_of_its_best_block() -> None:
    found = [
        Candidate("a", 0.9, (LineRange(1, 3),)),
        Candidate("b", 0.8, (LineRange(40, 50),)),
        Candidate("a", 0.7, (LineRange(7, 9),)),
        Candidate("c", 0.6),
        Candidate("a", 0.5, (LineRange(4, 6),)),
    ]
    assert deduplicate(found) == [
        Candidate("a", 0.9, (LineRange(1, 3), LineRange(7, 9), LineRange(4, 6))),
        Candidate("b", 0.8, (LineRange(40, 50),)),
        Candidate("c", 0.6),
    ]
    assert deduplicate([]) == []


# ---- Reciprocal ranks


def test_reciprocal_ranks_add_up_over_the_retrievers() -> None:
    retrievers: dict[Retriever, list[Candidate]] = {
        "text": ranking(a=0.9, b=0.8),
        "code": ranking(b=0.5, c=0.4),
    }
    found = reciprocal_ranks(retrievers, ALIKE, k=60)
    assert names(found) == "bac"
    assert scores(found) == pytest.approx({"b": 1 / 62 + 1 / 61, "a": 1 / 61, "c": 1 / 62})


def test_reciprocal_ranks_know_ranks_only() -> None:
    near: dict[Retriever, list[Candidate]] = {
        "text": ranking(a=0.9, b=0.8999),
        "bm25": ranking(c=1.0, a=0.5),
    }
    far: dict[Retriever, list[Candidate]] = {
        "text": ranking(a=0.9, b=-0.9),
        "bm25": ranking(c=99.0, a=98.0),
    }
    assert reciprocal_ranks(near, ALIKE, k=10) == reciprocal_ranks(far, ALIKE, k=10)


def test_a_smaller_k_lets_first_places_count_more() -> None:
    retrievers: dict[Retriever, list[Candidate]] = {
        "text": ranking(a=9, b=8, c=7),
        "code": ranking(d=9, e=8, b=7),
        "bm25": ranking(f=9, g=8, b=7),
    }
    assert reciprocal_ranks(retrievers, ALIKE, k=60)[0].id == "b"
    weights: dict[Retriever, float] = {"text": 3.0, "code": 1.0, "bm25": 1.0}
    assert scores(reciprocal_ranks(retrievers, weights, k=1)) == pytest.approx(
        {"a": 1.5, "b": 1.0 + 0.25 + 0.25, "c": 0.75, "d": 0.5, "e": 1 / 3, "f": 0.5, "g": 1 / 3}
    )


# ---- Scores in deviations


def test_normalised_scores_are_deviations_above_the_last_one() -> None:
    retrievers: dict[Retriever, list[Candidate]] = {
        "text": ranking(a=0.9, b=0.8, c=0.7),
        "bm25": ranking(b=40.0, c=20.0, d=0.0),
    }
    found = normalised_scores(
        retrievers, ALIKE
    )  # the deviation of three that are equally far apart is 0.8165 times their distance
    assert names(found) == "bacd"
    assert scores(found) == pytest.approx(
        {"a": 2.44949, "b": 1.22474 + 2.44949, "c": 1.22474, "d": 0.0}, abs=1e-4
    )


def test_a_lead_is_not_cut_off_at_three_deviations() -> None:
    retrievers: dict[Retriever, list[Candidate]] = {
        "bm25": [
            Candidate("far out", 100.0),
            *(Candidate(f"other {number}", 0.0) for number in range(99)),
        ]
    }
    found = normalised_scores(retrievers, ALIKE)
    assert found[0] == Candidate("far out", pytest.approx(10.0504, abs=1e-3))
    assert found[1].score == 0.0


def test_what_a_retriever_did_not_find_is_no_better_than_its_last() -> None:
    retrievers: dict[Retriever, list[Candidate]] = {
        "text": ranking(a=0.9, b=0.5),
        "code": ranking(a=0.9, c=0.5),
    }
    assert scores(normalised_scores(retrievers, ALIKE)) == pytest.approx(
        {"a": 4.0, "b": 0.0, "c": 0.0}
    )


def test_scores_that_are_all_the_same_count_one_each() -> None:
    retrievers: dict[Retriever, list[Candidate]] = {
        "text": ranking(a=0.3, b=0.3),
        "code": ranking(c=0.1),
        "bm25": [],
        "blocks": [],
    }
    assert scores(normalised_scores(retrievers, {**ALIKE, "code": 2.0})) == {
        "c": 2.0,
        "a": 1.0,
        "b": 1.0,
    }
    for same in (0.1, 0.7, 0.3333333):  # means and deviations of these are not exact
        for count in (3, 6, 7, 200):
            found = normalised_scores(
                {"text": [Candidate(f"{place:03}", same) for place in range(count)]}, ALIKE
            )
            assert {candidate.score for candidate in found} == {1.0}, (same, count)


@settings(deadline=None)
@given(
    st.lists(st.integers(-50, 50), min_size=1, max_size=12),
    st.integers(1, 9),
    st.integers(-20, 20),
)
def test_unit_and_origin_of_a_retrievers_scores_do_not_matter(
    values: list[int], factor: int, shift: int
) -> None:
    values = sorted(values, reverse=True)
    one, other = (
        [Candidate(f"{position:02}", score) for position, score in enumerate(series)]
        for series in (map(float, values), [float(factor * value + shift) for value in values])
    )
    fused = normalised_scores({"text": one}, ALIKE)
    assert scores(fused) == pytest.approx(
        scores(normalised_scores({"text": other}, ALIKE)), abs=1e-9
    )
    assert fused[0].score >= fused[-1].score >= 0.0


# ---- Both


Fusion = Callable[
    [Mapping[Retriever, Sequence[Candidate]], Mapping[Retriever, float]], list[Candidate]
]
FUSIONS: dict[str, Fusion] = {
    "rrf": lambda retrievers, weights: reciprocal_ranks(retrievers, weights, k=10),
    "scores": normalised_scores,
}


@pytest.mark.parametrize("name", FUSIONS)
def test_weights_decide_which_retriever_wins(name: str) -> None:
    retrievers: dict[Retriever, list[Candidate]] = {
        "text": ranking(a=9, b=8, c=0),
        "code": ranking(b=9, a=8, c=0),
    }
    assert names(FUSIONS[name](retrievers, {"text": 2.0, "code": 1.0})) == "abc"
    assert names(FUSIONS[name](retrievers, {"text": 1.0, "code": 2.0})) == "bac"


@pytest.mark.parametrize("name", FUSIONS)
def test_equals_stand_in_the_order_of_their_ids_whichever_retriever_found_them(name: str) -> None:
    retrievers: dict[Retriever, list[Candidate]] = {
        "text": ranking(z=9, b=8),
        "code": ranking(a=9, y=8),
    }
    assert (
        names(FUSIONS[name](retrievers, ALIKE))
        == names(FUSIONS[name](dict(reversed(retrievers.items())), ALIKE))
        == "azby"
    )


@pytest.mark.parametrize("name", FUSIONS)
def test_nothing_is_lost_or_doubled_and_what_came_in_is_left_as_it_was(name: str) -> None:
    retrievers: dict[Retriever, list[Candidate]] = {
        "text": ranking(a=9, b=8),
        "code": ranking(c=1),
        "bm25": [],
        "blocks": ranking(b=3, d=2),
    }
    before = copy.deepcopy(retrievers)
    assert sorted(names(FUSIONS[name](retrievers, ALIKE))) == ["a", "b", "c", "d"]
    assert retrievers == before
    assert FUSIONS[name]({"text": [], "code": []}, ALIKE) == []
    assert FUSIONS[name]({}, ALIKE) == []


@pytest.mark.parametrize("name", FUSIONS)
def test_the_blocks_that_were_found_stay_with_their_structure(name: str) -> None:
    ranges = (LineRange(7, 9), LineRange(1, 3))
    retrievers: dict[Retriever, list[Candidate]] = {
        "blocks": [Candidate("a", 0.9, ranges)],
        "text": ranking(a=0.5, b=0.4),
    }
    for order in (retrievers, dict(reversed(retrievers.items()))):
        assert {candidate.id: candidate.ranges for candidate in FUSIONS[name](order, ALIKE)} == {
            "a": ranges,
            "b": (),
        }


# ---- The rule of the demo


def hit(
    name: str,
    lines: tuple[int, int],
    score: float,
    file_path: str = "a.rs",
    block: tuple[int, int] | None = None,
) -> Hit:
    structure = replace(made(name, lines=lines, file_path=file_path).structure, id=name)
    return Hit(structure, score, {}, () if block is None else (LineRange(*block),))


def test_text_hits_come_first_and_those_that_code_hits_overlap_rise() -> None:
    text = [hit("far", (1, 10), 0.9), hit("near", (20, 40), 0.8), hit("nearest", (50, 90), 0.7)]
    code = [
        hit("outside", (100, 110), 0.99),
        hit("inner", (25, 30), 0.9),
        hit("two", (60, 70), 0.8),
        hit("tail", (85, 95), 0.7),
        hit("elsewhere", (1, 10), 0.6, file_path="b.rs"),
    ]
    merged = merge(text, code)
    assert [hit.name for hit in merged] == ["nearest", "near", "far", "outside", "elsewhere"]
    assert [hit.score for hit in merged] == [0.7, 0.8, 0.9, 0.99, 0.6]
    assert [hit.ranges for hit in merged] == [
        (LineRange(60, 70), LineRange(85, 90)),
        (LineRange(25, 30),),
        (),
        (),
        (),
    ]
    assert all(hit.ranges == () for hit in text)  # what came in is left as it was


def test_different_answers_keep_the_order_of_the_text_vector() -> None:
    text = [hit("a", (1, 2), 0.5), hit("b", (5, 6), 0.4)]
    assert [hit.name for hit in merge(text, [])] == ["a", "b"]
    assert [hit.name for hit in merge([], text)] == ["a", "b"]
    assert [hit.name for hit in merge(text, [hit("x", (5, 6), 0.4, file_path="b.rs")])] == [
        "a",
        "b",
        "x",
    ]
    assert merge([], []) == []


def test_an_overlap_found_twice_is_reported_once() -> None:
    code = [hit("x", (3, 4), 0.9), hit("y", (3, 4), 0.8)]
    (merged,) = merge([hit("a", (1, 9), 0.5)], code)
    assert merged.ranges == (LineRange(3, 4),)


def test_every_text_hit_around_a_place_has_its_lines() -> None:
    text = [hit("module", (1, 99), 0.9), hit("function", (10, 20), 0.8)]
    assert [(hit.name, hit.ranges) for hit in merge(text, [hit("x", (18, 25), 0.5)])] == [
        ("module", (LineRange(18, 25),)),
        ("function", (LineRange(18, 20),)),
    ]


def test_a_block_stands_in_its_own_lines_not_in_those_of_its_structure() -> None:
    text = [hit("head", (1, 10), 0.9), hit("tail", (60, 90), 0.8)]
    code = [
        hit("whole", (1, 100), 0.7, block=(61, 64)),
        hit("whole", (1, 100), 0.6, block=(40, 44)),
    ]
    assert [(hit.name, hit.ranges) for hit in merge(text, code)] == [
        ("tail", (LineRange(61, 64),)),
        ("head", ()),
        ("whole", (LineRange(40, 44),)),  # not dropped: no text hit has it
    ]


def test_a_structure_that_only_the_code_vector_finds_follows_once_with_all_its_blocks() -> None:
    code = [
        hit("x", (1, 50), 0.9, block=(5, 9)),
        hit("y", (60, 70), 0.8),
        hit("x", (1, 50), 0.7),
        hit("x", (1, 50), 0.6, block=(20, 29)),
    ]
    merged = merge([hit("a", (1, 9), 0.5, file_path="b.rs")], code)
    assert [(hit.name, hit.score, hit.ranges) for hit in merged] == [
        ("a", 0.5, ()),
        ("x", 0.9, (LineRange(5, 9), LineRange(20, 29))),
        ("y", 0.8, ()),
    ]


def test_what_both_vectors_find_is_reported_once() -> None:
    same = hit("same", (5, 9), 0.9)
    (merged,) = merge([same], [hit("same", (5, 9), 0.7), hit("same", (5, 9), 0.6, block=(6, 8))])
    assert (merged.name, merged.score) == ("same", 0.9)
    assert merged.ranges == (LineRange(5, 9), LineRange(6, 8))


def test_a_word_that_one_structure_alone_has_outweighs_the_first_of_many() -> None:
    """The others count with the score 0.

    One score s among 100 is s / (s * sqrt(0.01 - 0.0001)) = 10.05 deviations above them.
    """
    text = [Candidate(f"t{place}", 1 - place / 100) for place in range(100)]
    found = normalised_scores({"text": text, "bm25": [Candidate("named", 5.0)]}, ALIKE)
    assert found[0].id == "named"
    assert found[0].score == pytest.approx(10.0504, abs=1e-4)
    assert (
        normalised_scores({"bm25": [Candidate("a", 3.0), Candidate("b", 1.0)]}, ALIKE)[1].score
        == 0.0
    )
