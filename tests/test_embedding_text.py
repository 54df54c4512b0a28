from __future__ import annotations

from dataclasses import replace

import pytest

from embedding.text import RECIPES, _split, textify, words
from lsif.imports import ImportLedger, import_structures
from lsif.structure import Structure

from conftest import DATA

SENTENCE = (
    "Function Await ready for timeout that does Return true if ready false if timed out "
    "defined as Fn await ready for timeout self timeout duration bool "
    "defined in struct Is ready module common file is_ready rs"
)


def tutorial_example() -> Structure:
    (structure,) = import_structures(DATA / "tutorial.jsonl", "qdrant", ImportLedger())
    return structure


def test_the_tutorials_example_comes_out_to_the_letter() -> None:
    assert textify(tutorial_example()) == SENTENCE


def test_so_does_the_same_definition_as_our_parser_gives_it() -> None:
    ours = replace(
        tutorial_example(),
        signature="fn await_ready_for_timeout(&self, timeout: Duration) -> bool",
        docstring="Return `true` if ready, `false` if timed out.",
    )
    assert textify(ours) == SENTENCE


def test_absent_docs_and_owner_leave_no_trace() -> None:
    example = tutorial_example()
    bare = replace(example, docstring=None, context=replace(example.context, struct_name=None))
    assert textify(bare) == (
        "Function Await ready for timeout "
        "defined as Fn await ready for timeout self timeout duration bool "
        "module common file is_ready rs"
    )


def test_the_code_recipe_is_the_snippet_itself() -> None:
    example = tutorial_example()
    assert RECIPES["snippet-1"](example) == example.context.snippet
    assert RECIPES["tutorial-1"] is textify


def test_the_recipe_of_words_begins_with_what_matters_most(structures: list[Structure]) -> None:
    by_symbol = {structure.symbol: structure for structure in structures}
    retry, insert = (
        by_symbol["sample::retry::retry"],
        by_symbol["sample::cache::Cache<K, V>::insert"],
    )
    text = words(retry)
    assert text.startswith(
        "function retry. Calls an operation until it succeeds or the patience is used up.. "
        "in sample retry. "
    )
    assert words(insert).startswith("method insert. ")
    assert ". of cache. in sample cache. " in words(insert)


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("HTTPServer", "http server"),
        ("f32_vec", "f32 vec"),
        ("a_b_c", "a b c"),
        ("iter::Map2D", "iter map2 d"),
        ("größe_überAlles", "größe über alles"),
    ],
)
def test_identifiers_are_split_into_words(identifier: str, expected: str) -> None:
    assert _split(identifier) == expected


def test_documentation_is_plain_words_and_code_blocks_are_left_out() -> None:
    example = replace(
        tutorial_example(),
        docstring="See [`Foo`](https://x).\n\n```rust\nfn hidden() {}\n```\n\n"
        "# Later\nMore *text*.",
    )
    text = words(example)
    assert "See Foo ." in text
    assert text.endswith("Later More text .")
    assert "hidden" not in text


def test_comments_count_and_attributes_do_not() -> None:
    example = tutorial_example()
    snippet = (
        "/// Docs.\n#[inline]\nfn f() {\n    // waits for nobody\n"
        "    let deadline = Instant::now();\n}\n"
    )
    bare = replace(
        example, docstring=None, context=replace(example.context, struct_name=None, snippet=snippet)
    )
    text = words(bare)
    assert "waits for nobody. let deadline instant now" in text
    assert "inline" not in text


def test_a_body_gives_its_first_25_words_each_once() -> None:
    example = tutorial_example()
    names = [f"{letter}{letter}{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    snippet = "".join(f"{name}_{name}(x1, {names[0]});\n" for name in names)
    bare = replace(
        example, docstring=None, context=replace(example.context, struct_name=None, snippet=snippet)
    )
    assert words(bare).endswith(f". {' '.join(names[:25])}")
