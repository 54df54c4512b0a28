from __future__ import annotations

import pytest

from lsif.elements import Document, Edge, Element, HoverResult, Item, MetaData, Moniker, Range, ResultSet
from lsif.errors import DumpError
from lsif.graph import Graph

HOVER = "\n```rust\na\n```\n\n```rust\nfn f()\n```"


def elements() -> list[Element]:
    return [
        MetaData("file:///r", "utf-16", "rust-analyzer 1"),
        Document(1, "file:///r/lib.rs"),
        Range(2, 0, 3, 0, 4),
        ResultSet(3),
        Edge("next", 2, 3),
        HoverResult(4, HOVER),
        Edge("textDocument/hover", 3, 4),
        Moniker(5, "a::f"),
        Edge("moniker", 3, 5),
        Edge("textDocument/definition", 3, 6),
        Item(6, [2], 1, None),
        Edge("textDocument/references", 3, 7),
        Item(7, [2], 1, "definitions"),
    ]


def test_a_definition_has_its_place_hover_and_moniker() -> None:
    graph = Graph(elements())
    graph.check_complete()
    (definition,) = graph.definitions()
    assert definition.document_uri == "file:///r/lib.rs"
    assert definition.range == Range(2, 0, 3, 0, 4)
    assert definition.hover is not None
    assert definition.hover.name == "f"
    assert definition.moniker == "a::f"
    assert graph.dangling == 0


def test_results_are_found_through_a_chain_of_result_sets() -> None:
    chained = [ResultSet(8), Edge("next", 8, 3), Edge("textDocument/definition", 8, 9), Item(9, [2], 1, None)]
    both = list(Graph([*elements(), *chained]).definitions())
    assert [definition.moniker for definition in both] == ["a::f", "a::f"]


def test_a_cycle_of_result_sets_ends() -> None:
    cycle = [Edge("next", 3, 3), Edge("textDocument/definition", 30, 31), Edge("next", 30, 30), Item(31, [2], 1, None)]
    definitions = list(Graph([*elements(), *cycle]).definitions())
    assert [definition.hover is None for definition in definitions] == [False, True]


@pytest.mark.parametrize("item", [Item(6, [99], 1, None), Item(6, [2], 99, None), Item(99, [2], 1, None)])
def test_ids_that_exist_nowhere_are_counted(item: Item) -> None:
    graph = Graph([*elements()[:10], item])
    assert list(graph.definitions()) == []
    assert graph.dangling == 1


def test_a_dump_that_ends_between_two_lines_is_refused() -> None:
    with pytest.raises(DumpError, match="cut off: 0 of its 1 result sets"):
        Graph(elements()[:8]).check_complete()
