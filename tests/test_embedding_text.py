from __future__ import annotations

from dataclasses import replace

from embedding.text import RECIPES, textify
from lsif.structure import ImportLedger, Structure, import_structures

from conftest import DATA

SENTENCE = (
    "Function Await ready for timeout that does Return true if ready false if timed out defined as Fn await ready for timeout "
    "self timeout duration bool defined in struct Is ready module common file is_ready rs"
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
        "Function Await ready for timeout defined as Fn await ready for timeout self timeout duration bool "
        "module common file is_ready rs"
    )


def test_the_code_recipe_is_the_snippet_itself() -> None:
    example = tutorial_example()
    assert RECIPES["snippet-1"](example) == example.context.snippet
    assert RECIPES["tutorial-1"] is textify
