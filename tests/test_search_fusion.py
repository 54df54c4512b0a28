from __future__ import annotations

import pytest

from search.fusion import merge
from search.hit import Hit, LineRange


def hit(name: str, lines: tuple[int, int], score: float, file_path: str = "a.rs", vector: str = "text") -> Hit:
    return Hit(
        id=name, score=score, vector=vector, name=name, symbol=name, code_type="Function", signature="", docstring=None,
        struct_name=None, trait_name=None, file_path=file_path, line=lines[0], line_from=lines[0], line_to=lines[1], snippet="",
    )  # fmt: skip


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
def test_line_ranges_are_inclusive(first: tuple[int, int], second: tuple[int, int], overlap: tuple[int, int] | None) -> None:
    assert LineRange(*first).overlap(LineRange(*second)) == overlap


def test_text_hits_come_first_and_those_that_code_hits_overlap_rise() -> None:
    text = [hit("far", (1, 10), 0.9), hit("near", (20, 40), 0.8), hit("nearest", (50, 90), 0.7)]
    code = [
        hit("outside", (100, 110), 0.99, vector="code"),
        hit("inner", (25, 30), 0.9, vector="code"),
        hit("two", (60, 70), 0.8, vector="code"),
        hit("tail", (85, 95), 0.7, vector="code"),
        hit("elsewhere", (1, 10), 0.6, file_path="b.rs", vector="code"),
    ]
    merged = merge(text, code)
    assert [one.name for one in merged] == ["nearest", "near", "far", "outside", "elsewhere"]
    assert merged[0].sub_matches == (LineRange(60, 70), LineRange(85, 90))
    assert merged[1].sub_matches == (LineRange(25, 30),)
    assert merged[2].sub_matches == ()
    assert [one.vector for one in merged] == ["text", "text", "text", "code", "code"]


def test_different_answers_keep_the_order_of_the_text_vector() -> None:
    text = [hit("a", (1, 2), 0.5), hit("b", (5, 6), 0.4)]
    assert [one.name for one in merge(text, [])] == ["a", "b"]
    assert [one.name for one in merge([], text)] == ["a", "b"]
    assert merge([], []) == []


def test_one_overlap_found_twice_is_told_once() -> None:
    code = [hit("x", (3, 4), 0.9, vector="code"), hit("y", (3, 4), 0.8, vector="code")]
    assert merge([hit("a", (1, 9), 0.5)], code)[0].sub_matches == (LineRange(3, 4),)
