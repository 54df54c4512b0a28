from __future__ import annotations

from typing import Any

import pytest

from search.asked import asked_by
from search.evidence import evidence
from search.fusion import Candidate, Retriever
from search.hit import Hit
from tests.made_up import made


def ranking(names: str, best: float, step: float = 0.01) -> list[Candidate]:
    return [Candidate(name, best - place * step) for place, name in enumerate(names)]


def scores(retrievers: dict[Retriever, list[Candidate]], query: str) -> dict[str, float]:
    """Return the evidence of the rankings alone."""
    found = evidence(query, asked_by(query), retrievers, [])
    return {name: value for name, value in found.items() if name in {*retrievers, "agreement"}}


def hit(name: str, **fields: Any) -> Hit:
    return Hit(made(name, **fields).structure, 1.0, {})


def of_hits(query: str, *hits: Hit) -> dict[str, float]:
    return evidence(query, asked_by(query), {"text": []}, hits)


# ---- Rankings


def test_the_evidence_is_the_best_score_of_each_retriever_and_how_far_each_two_agree() -> None:
    retrievers: dict[Retriever, list[Candidate]] = {
        "text": ranking("abcm", 0.8),
        "code": ranking("acbn", 0.7),
        "bm25": ranking("mna", 12.0),
        "blocks": ranking("aa", 0.9),
    }
    assert scores(retrievers, "evict oldest cached entries") == {
        "text": 0.8,
        "code": 0.7,
        "bm25": 3.0,
        "agreement": pytest.approx((1 + 1 / 3 + 1 / 3 + 1 / 3 + 1 / 3 + 1 / 3) / 6),
    }


@pytest.mark.parametrize(
    ("retrievers", "expected"),
    [
        ({"text": ranking("ab", 0.8)}, {"text": 0.8}),
        ({"bm25": ranking("ab", 9.0)}, {"bm25": 4.5}),
        ({"blocks": ranking("ab", 0.6)}, {"blocks": 0.6}),
        (
            {"text": ranking("ab", 0.8), "code": ranking("bc", 0.7), "blocks": []},
            {"text": 0.8, "code": 0.7, "agreement": pytest.approx(1 / 9)},
        ),
        ({"text": [], "bm25": []}, {"text": 0.0, "bm25": 0.0, "agreement": 0.0}),
    ],
)
def test_a_mode_knows_its_own_retrievers_only(
    retrievers: dict[Retriever, list[Candidate]], expected: dict[str, float]
) -> None:
    assert scores(retrievers, "evict entries") == expected


def test_a_query_without_words_divides_by_none() -> None:
    assert scores({"bm25": ranking("a", 5.0)}, "the") == {"bm25": 5.0}


# ---- Hits


def test_without_hits_the_evidence_has_the_same_names() -> None:
    nothing = of_hits("evict entries")
    assert list(nothing) == list(of_hits("evict entries", hit("evict")))
    assert set(nothing.values()) == {0.0}


def test_words_are_those_of_the_first_hit_by_their_stems() -> None:
    first = hit("evict", docstring="Removes the oldest entry.", snippet="fn evict() {}\n")
    other = hit("count", docstring="Counts cached entries.")
    found = of_hits("evicting old entries from caches", first, other)
    assert found["words"] == 0.5  # evict and entri, without old and cach
    assert of_hits("evicting old entries from caches", other, first)["words"] == 0.5


def test_a_name_is_found_if_one_of_the_first_hits_is_its_definition() -> None:
    others = [hit("insert"), hit("remove"), hit("clear")]
    found = of_hits("has_visited", others[0], others[1], hit("has_visited"))
    assert (found["asks_name"], found["found_name"], found["similar_name"]) == (1.0, 1.0, 1.0)
    too_deep = of_hits("has_visited", *others, hit("has_visited"))
    assert (too_deep["asks_name"], too_deep["found_name"]) == (1.0, 0.0)
    assert too_deep["similar_name"] < 0.2


def test_a_misspelt_name_is_similar_and_an_impl_block_of_the_type_is_not_the_type() -> None:
    close = of_hits("SuffixCach", hit("SuffixCache", code_type="Struct"))
    assert close["found_name"] == 0.0
    assert 0.8 < close["similar_name"] < 1.0
    assert of_hits("SuffixCach", hit("SuffixCache", code_type="Impl"))["similar_name"] == 0.0


def test_callers_are_found_by_their_calls() -> None:
    caller = hit("run", snippet="fn run() { step_back(); }\n")
    assert of_hits("who calls step_back", caller)["found_name"] == 1.0
    missing = of_hits("who calls step_back", hit("step_back"))
    assert (missing["asks_name"], missing["found_name"]) == (1.0, 0.0)


def test_code_is_compared_by_runs_of_three_tokens() -> None:
    query = "let entry = map.get(&key)?;"
    same = of_hits(query, hit("a"), hit("b", snippet="{ let entry = map.get( &key )?; }\n"))
    assert (same["asks_code"], same["shared_code"]) == (1.0, 1.0)
    other = of_hits(query, hit("a", snippet="let entry = map.len();\n"))
    assert other["shared_code"] == pytest.approx(0.3)  # of ten: let entry = map . + get..
    assert of_hits("where is an entry looked up", hit("a"))["asks_code"] == 0.0
