"""The parser's records against an independent walk over the sources.

`make bench NAME=truth` does it for any repository.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace

from benchmarks.truth import compare
from lsif.structure import Structure

from conftest import SAMPLE


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


def test_the_comparison_can_fail(structures: list[Structure]) -> None:
    (retry,) = (one for one in structures if one.name == "retry" and one.code_type == "Function")
    (size,) = (one for one in structures if one.name == "size")
    others = [one for one in structures if one not in (retry, size)]
    result = compare(
        [asdict(one) for one in [*others, replace(size, line_to=size.line_to + 1)]], SAMPLE
    )
    assert [definition.name for definition, _ in result.wrong] == ["size"]
    assert [definition.name for definition in result.unexplained] == ["retry"]
