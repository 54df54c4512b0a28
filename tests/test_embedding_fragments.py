"""Questions that are code: fragments of functions, with other names."""

from __future__ import annotations

import random
import re

import pytest

from embedding.tuning import fragments
from embedding.tuning.fragments import fragment_of
from lsif.structure import Context, Structure

BODY = """pub fn first_free(slots: &[Slot], start: usize) -> Option<usize> {
    let mut position = start % slots.len();
    // skips what is taken
    while slots[position].taken() {
        position = next(position, slots.len());
        if position == start { return None; }
    }
    Some(position)
}
"""
SIGNATURE = "pub fn first_free(slots: &[Slot], start: usize) -> Option<usize>"


def function(body: str = BODY) -> Structure:
    return Structure(
        name="first_free",
        signature=SIGNATURE,
        code_type="Function",
        docstring=None,
        line=1,
        line_from=1,
        line_to=9,
        context=Context(module="src", file_path="src/slots.rs", snippet=body),
        id="f",
        symbol="slots::first_free",
        module_path="slots",
    )


def asked(body: str = BODY, count: int = 300) -> list[str]:
    drawn = (fragment_of(function(body), random.Random(seed)) for seed in range(count))  # noqa: S311
    return [fragment for fragment in drawn if fragment]


def test_a_part_of_the_functions_is_asked_for_by_code() -> None:
    share = len(asked()) / 300
    assert 0.5 * fragments._OF_FUNCTIONS < share <= 1.2 * fragments._OF_FUNCTIONS


def test_a_fragment_has_neither_the_name_nor_comments_and_is_short() -> None:
    for fragment in asked():
        assert "first_free" not in fragment
        assert "//" not in fragment
        assert fragments._SHORTEST <= len(fragment) <= fragments._LONGEST


def test_variables_have_other_names_and_calls_keep_theirs() -> None:
    found = "\n".join(asked())
    assert re.search(r"\b(?:a|b|x|y|n|i|item|value|it|p|q|buf|data|f|s) = next\(", found)
    assert "position" in found  # half of them keep theirs
    assert ".taken()" in found
    assert not re.search(r"\.(?:a|b|x|y)\(\)", found)


def test_a_variable_has_one_name_in_all_of_a_fragment() -> None:
    lines = "\n".join(f"    total = step(total, {number});" for number in range(8))
    for fragment in asked(f"fn add() {{\n{lines}\n}}\n"):
        for name, argument in re.findall(r"(\w+) = step\((\w+),", fragment):
            assert name == argument


def test_a_signature_is_asked_for_without_the_name() -> None:
    signatures = [fragment for fragment in asked() if fragment.startswith("fn(")]
    assert signatures
    assert all(fragment.endswith("-> Option<usize>") for fragment in signatures)


@pytest.mark.parametrize("body", ["fn f() {}\n", "fn f();\n", "", "fn f() {\n    1\n}\n"])
def test_too_little_code_asks_nothing_but_its_signature(body: str) -> None:
    assert all(fragment.startswith("fn(") for fragment in asked(body))
