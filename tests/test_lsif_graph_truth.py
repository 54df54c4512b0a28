"""The graph of the sample against what rust-analyzer said of it as a language server.

`make bench NAME=graph-truth` asks it about any repository, and records what it says.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import pytest

from conftest import DATA, PROJECT_ROOT, SAMPLE, SAMPLE_DUMP

ANSWERS = DATA / "sample-answers.json"


@pytest.fixture(scope="module")
def truth() -> Any:
    sys.path.insert(0, str(PROJECT_ROOT / "benchmarks"))
    try:
        return importlib.import_module("graph_truth")
    finally:
        sys.path.remove(str(PROJECT_ROOT / "benchmarks"))


@pytest.fixture(scope="module")
def comparer(truth: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    records = truth.parse(SAMPLE_DUMP, SAMPLE, tmp_path_factory.mktemp("truth"))
    return truth.Comparer(records, truth.DumpedReferences(SAMPLE_DUMP))


def test_all_that_the_server_says_is_kept_or_missing_for_a_reason(
    truth: Any, comparer: Any
) -> None:
    result = comparer.compare(truth.read_answers(ANSWERS))
    assert result.faults == 0, result.listed
    assert result.kept == {
        "references": 157, "callers": 34, "callees": 16, "implementations": 7
    }  # fmt: skip
    assert result.missing == {
        "references": {
            "Self, which is not the alias": 5,
            "of an implementation": 5,
            "of the trait's member": 2,
            "the name itself": 1,
            "in a format string": 1,
        },
        "callers": {},
        "callees": {"no structure": 1},
        "implementations": {},
    }
    assert result.more["references"] == {"Self": 2}


def test_the_places_of_all_structures_are_those_of_the_dump(comparer: Any) -> None:
    assert comparer.whole() == {"structures": 69, "places": 159}


def test_a_place_that_is_lost_or_invented_is_found(
    truth: Any, comparer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = truth.read_answers(ANSWERS)
    kept = comparer.compare(answers).kept["references"]
    places = comparer._records.places

    def other(target: str) -> set[Any]:
        return {spot._replace(column=spot.column + 1) for spot in places(target)}

    monkeypatch.setattr(comparer._records, "places", other)
    result = comparer.compare(answers)
    assert result.missing["references"]["lost"] == kept
    assert result.more["references"]["invented"] >= kept


@pytest.mark.parametrize(
    ("path", "line", "column", "expected"),
    [
        ("src/macros.rs", 12, 9, "in a macro's definition"),
        ("src/macros.rs", 21, 1, "in a macro call"),
        ("src/macros.rs", 26, 1, "in a macro's definition"),  # a comment above it
        ("src/geometry/shape.rs", 81, 1, "lost"),
    ],
)
def test_implementations_that_macros_make_are_not_lost(
    comparer: Any, path: str, line: int, column: int, expected: str
) -> None:
    spot = sys.modules["graph_dump"].Spot(path, line, column)
    assert comparer._why_no_implementation(spot) == expected
