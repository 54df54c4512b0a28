"""The parser's records against an independent walk over the sources.

`make bench NAME=truth` does it for any repository.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.truth import compare, walk
from lsif.extract import parse_dump
from lsif.jsonl import read_structures
from lsif.structure import Structure

from conftest import SAMPLE, SAMPLE_DUMP


def test_every_definition_of_the_sources_is_found_with_its_lines_or_missing_for_a_reason(
    structures: list[Structure],
) -> None:
    result = compare([asdict(one) for one in structures], SAMPLE)
    assert result.wrong == []
    assert result.unexplained == []
    assert (
        result.found.total() == 66
    )  # 77 less 10 modules, less the one whose name stands in a macro call
    assert result.missing == {"cfg": Counter({"Function": 2})}


def test_what_no_dump_holds_is_found_in_the_sources(tmp_path: Path) -> None:
    output = tmp_path / "structures.jsonl"
    parse_dump(
        SAMPLE_DUMP, SAMPLE, output,
        project="sample", max_bad_lines=0, max_stale_share=0, source_items=True,
    )  # fmt: skip
    result = compare([asdict(one) for one in read_structures(output)], SAMPLE)
    assert (result.missing, result.wrong) == ({}, [])


def test_the_walk_sees_what_macro_calls_spell(tmp_path: Path) -> None:
    (tmp_path / "lib.rs").write_text(
        "cfg_x! {\n    /// Docs.\n    fn a() { y! { struct B; } }\n}\n"
        "fn c() { let d = z! { fn e() {} }; quote! { fn f() {} } }\n"
    )
    assert [(one.name, one.line_from, one.line, one.in_macro) for one in walk(tmp_path)] == [
        ("a", 2, 3, True),
        ("B", 3, 3, True),
        ("c", 5, 5, False),
    ]


def test_the_comparison_can_fail(structures: list[Structure]) -> None:
    (retry,) = (one for one in structures if one.name == "retry" and one.code_type == "Function")
    (size,) = (one for one in structures if one.name == "size")
    others = [one for one in structures if one not in (retry, size)]
    result = compare(
        [asdict(one) for one in [*others, replace(size, line_to=size.line_to + 1)]], SAMPLE
    )
    assert [definition.name for definition, _ in result.wrong] == ["size"]
    assert [definition.name for definition in result.unexplained] == ["retry"]
