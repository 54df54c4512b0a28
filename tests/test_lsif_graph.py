from __future__ import annotations

from collections.abc import Iterable

import pytest

from lsif.errors import DumpError
from lsif.reader.elements import (
    Document,
    Edge,
    Element,
    HoverResult,
    Item,
    MetaData,
    Range,
    ResultSet,
)
from lsif.reader.graph import Graph
from lsif.reader.tables import Tables

HOVER = "\n```rust\na\n```\n\n```rust\nfn f()\n```"


def elements() -> list[Element]:
    return [
        MetaData("file:///r", "utf-16", "rust-analyzer 1"),
        Document(1, "file:///r/lib.rs"),
        Range(2, 0, 3, 0, 4),
        ResultSet(3),
        Edge("next", 2, [3]),
        HoverResult(4, HOVER),
        Edge("textDocument/hover", 3, [4]),
        Edge("textDocument/definition", 3, [6]),
        Item(6, [2], 1, None),
        Edge("textDocument/references", 3, [7]),
        Item(7, [2], 1, "definitions"),
    ]


def everywhere(uri: str) -> bool:
    return True


def graph(elements: Iterable[Element]) -> Graph:
    tables = Tables()
    for element in elements:
        tables.add(element)
    return Graph(tables)


def test_a_definition_has_its_place_and_hover() -> None:
    whole = graph(elements())
    whole.check_complete()
    (definition,) = whole.definitions(everywhere)
    assert definition.document_uri == "file:///r/lib.rs"
    assert definition.range == Range(2, 0, 3, 0, 4)
    assert definition.hover.name == "f"
    assert (definition.references, definition.referencing_files) == (0, 0)
    assert whole.skipped.total() == 0


def test_references_are_counted_by_place_and_by_file() -> None:
    references = [
        Item(7, [20, 21], 1, "references"),
        Item(7, [22], 8, "references"),
        Item(7, [23], 8, "references"),
        Item(99, [2], 1, "references"),
    ]
    (definition,) = graph([*elements(), *references]).definitions(everywhere)
    assert (definition.references, definition.referencing_files) == (4, 2)


def test_results_are_found_through_a_chain_of_result_sets() -> None:
    chained = [
        ResultSet(8),
        Edge("next", 8, [3]),
        Edge("textDocument/definition", 8, [9]),
        Item(9, [2], 1, None),
    ]
    both = list(graph([*elements(), *chained]).definitions(everywhere))
    assert [definition.hover.name for definition in both] == ["f", "f"]


def test_a_cycle_of_result_sets_ends() -> None:
    cycle = [
        Edge("next", 3, [3]),
        Edge("textDocument/definition", 30, [31]),
        Edge("next", 30, [30]),
        Item(31, [2], 1, None),
    ]
    whole = graph([*elements(), *cycle])
    assert [definition.hover is None for definition in whole.definitions(everywhere)] == [
        False,
        True,
    ]


@pytest.mark.parametrize(
    "item", [Item(6, [99], 1, None), Item(6, [2], 99, None), Item(99, [2], 1, None)]
)
def test_ids_that_exist_nowhere_are_counted(item: Item) -> None:
    whole = graph([*elements()[:8], item])
    assert list(whole.definitions(everywhere)) == []
    assert whole.skipped == {"dangling": 1}


def test_an_id_that_comes_twice_gives_one_answer_in_any_order() -> None:
    twice = [
        Edge("textDocument/hover", 3, [40]),
        HoverResult(40, HOVER.replace("fn f", "fn g")),
        Range(2, 9, 3, 9, 4),
    ]
    for order in ([*elements(), *twice], [*twice, *elements()]):
        (definition,) = graph(order).definitions(everywhere)
        assert (definition.hover.name, definition.range.line) == ("g", 9)


def test_a_dump_without_any_range_or_hover_has_no_definition() -> None:
    whole = graph([MetaData("file:///r", "utf-16", ""), Item(6, [2], 1, None)])
    assert list(whole.definitions(everywhere)) == []
    assert whole.skipped == {"dangling": 1}


def test_a_dump_that_ends_between_two_lines_is_refused() -> None:
    with pytest.raises(DumpError, match="cut off: 0 of its 1 result sets"):
        graph(elements()[:8]).check_complete()


def test_definitions_outside_are_counted() -> None:
    whole = graph(elements())
    assert list(whole.definitions(lambda uri: uri != "file:///r/lib.rs")) == []
    assert whole.skipped == {"external": 1}


def test_references_between_groups_of_documents_are_counted() -> None:
    whole = graph(
        [
            *elements(),
            Document(8, "file:///r/other/lib.rs"),
            Document(9, "file:///elsewhere.rs"),
            Item(7, [20, 21], 1, "references"),
            Item(7, [22, 23, 24], 8, "references"),
            Item(7, [25], 9, "references"),
        ]
    )
    groups = {"file:///r/lib.rs": "r", "file:///r/other/lib.rs": "r/other"}
    assert whole.references_between(groups.get) == 3
    assert whole.references_between(lambda _: "one") == 0
    assert whole.references_between(lambda _: None) == 0
