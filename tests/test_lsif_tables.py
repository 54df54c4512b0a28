"""Elements into tables of numbers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lsif.reader.elements import (
    Document,
    DocumentSymbols,
    Edge,
    Element,
    Event,
    FoldingRange,
    FoldingRanges,
    HoverResult,
    Item,
    MetaData,
    Range,
    ResultSet,
    Root,
    Symbol,
    Tag,
)
from lsif.reader.hover import CRATE_ROOT, NO_ITEM, Hover
from lsif.reader.tables import Table, Tables

STRINGS = 1 << 50
F = Hover("a", "fn f()", None, "Function", "f")
G = Hover("a", "fn g()", None, "Function", "g")


def rows(table: Table) -> list[tuple[int, ...]]:
    return sorted(tuple(row) for row in table.to_array().tolist())


def tables_of(*elements: Element) -> Tables:
    tables = Tables()
    for element in elements:
        tables.add(element)
    return tables


def test_an_empty_table_has_its_width() -> None:
    array = Table(3).to_array()
    assert array.shape == (0, 3)
    assert array.dtype == np.int64


def test_rows_and_blocks_may_come_in_any_mixture() -> None:
    table = Table(2)
    table.append(1, 2)
    table.extend(np.array([[3, 4], [5, 6]]))
    table.extend(np.empty((0, 2), dtype=np.int64))
    table.append(7, 8)
    assert rows(table) == [(1, 2), (3, 4), (5, 6), (7, 8)]
    table.append(9, 10)
    assert rows(table) == [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10)]
    assert rows(table) == rows(table)


def test_string_ids_get_numbers_above_all_others() -> None:
    tables = Tables()
    assert not tables.has_string_ids
    assert tables.number(1 << 40) == 1 << 40
    assert not tables.has_string_ids
    assert [tables.number(name) for name in ("a", "1", "a", "")] == [
        STRINGS,
        STRINGS + 1,
        STRINGS,
        STRINGS + 2,
    ]
    assert tables.number(1) == 1
    assert tables.has_string_ids


def test_a_range_is_a_row_and_its_tag_is_kept() -> None:
    tag = Tag("f", 12, None)
    tables = tables_of(Range(7, 1, 2, 3, 4), Range("r", 5, 6, 7, 8, tag))
    assert rows(tables.ranges) == [(7, 1, 2, 3, 4), (STRINGS, 5, 6, 7, 8)]
    assert tables.tags == {STRINGS: tag}


def test_an_edge_is_a_row_for_each_target() -> None:
    tables = tables_of(
        Edge("next", 1, [2]), Edge("next", 3, [4, "x", 5]), Edge("textDocument/hover", 6, [7])
    )
    assert rows(tables.edges["next"]) == [(1, 2), (3, 4), (3, 5), (3, STRINGS)]
    assert rows(tables.edges["textDocument/hover"]) == [(6, 7)]
    assert rows(tables.edges["textDocument/definition"]) == []


@pytest.mark.parametrize("name", ["declaration", "typeDefinition", "implementation"])
def test_other_results_are_only_their_ids(name: str) -> None:
    tables = tables_of(
        Edge(f"textDocument/{name}", 1, [2]), Edge(f"textDocument/{name}", 1, [3, 4])
    )
    assert rows(tables.other_results) == [(2,), (3,), (4,)]
    assert all(rows(table) == [] for table in tables.edges.values())


def test_an_item_is_a_definition_only_without_a_property() -> None:
    tables = tables_of(
        Item(1, [2], 3, None),
        Item(1, [4, 5], "d", None),
        Item(1, [], 3, None),
        Item(1, [6], 3, "definitions"),
        Item(1, [7], 3, "referenceResults"),
    )
    assert rows(tables.definitions) == [(1, 3, 2), (1, STRINGS, 4), (1, STRINGS, 5)]
    assert rows(tables.references) == []


def test_references_are_counted_not_listed() -> None:
    tables = tables_of(Item(1, [2, 3, 4], 5, "references"), Item(1, [], 6, "references"))
    assert rows(tables.references) == [(1, 5, 3), (1, 6, 0)]
    assert rows(tables.definitions) == []


def test_hovers_that_say_nothing_are_rows() -> None:
    tables = tables_of(
        HoverResult(1, "\n```rust\nlet x: u8\n```"),
        HoverResult(2, "\n```rust\nextern crate a\n```"),
        HoverResult(3, "\n```rust\na\n```\n\n```rust\nfn f()\n```"),
    )
    assert rows(tables.plain_hovers) == [(1, 0), (2, 1)]
    assert tables.hovers == {3: F}


@pytest.mark.parametrize(
    "hovers", [[F, G], [F, None], [F, b"{}"], [None, b"{}"], [F, G, b"{}", None]]
)
def test_of_two_hovers_of_an_id_the_same_counts_in_any_order(
    hovers: list[Hover | bytes | None],
) -> None:
    found = []
    for order in itertools.permutations(hovers):
        tables = Tables()
        for hover in order:
            tables.add_hover(1, hover)
        found.append(tables.hovers)
    assert all(some == found[0] for some in found)
    assert found[0][1] in hovers


def test_of_two_hovers_the_larger_counts() -> None:
    tables = Tables()
    tables.add_hover(1, G)
    tables.add_hover(1, F)
    assert tables.hovers == {1: G}


@pytest.mark.parametrize(
    ("tool", "kept"), [("rust-analyzer 1.85", {}), ("lsif-go 1", {1: [FoldingRange(2, 3, False)]})]
)
def test_folds_are_kept_unless_rust_analyzer_made_them(
    tool: str, kept: dict[int, list[FoldingRange]]
) -> None:
    tables = tables_of(MetaData("", "utf-16", tool), FoldingRanges(1, [FoldingRange(2, 3, False)]))
    assert tables.folding_ranges == kept


def test_an_outline_is_kept_unless_it_is_empty() -> None:
    symbol = Symbol(1, 2, Tag("f", 12, None))
    tables = tables_of(DocumentSymbols(1, []), DocumentSymbols(2, [symbol]))
    assert tables.symbols == {2: [symbol]}


def test_the_rest_is_counted_or_kept() -> None:
    document, meta = Document("d", "file:///a"), MetaData("file:///r", "utf-8", "x")
    tables = Tables()
    assert tables.meta == MetaData("", "utf-16", "")
    assert not tables.meta_seen
    for element in (
        meta, Root("file:///a"), Root("file:///b"), document, ResultSet(1), ResultSet(1),
        Event(1), Event(1), Event(-1),
    ):  # fmt: skip
        tables.add(element)
    assert tables.meta == meta
    assert tables.meta_seen
    assert tables.roots == ["file:///a", "file:///b"]
    assert tables.documents == {STRINGS: document}
    assert tables.result_sets == 2
    assert tables.open_events == 1


def test_parts_say_together_what_the_whole_says() -> None:
    elements: list[Element] = [
        Range(1, 0, 0, 0, 1, Tag("f", 12, None)),
        Edge("next", 1, [2, 3]),
        Edge("textDocument/declaration", 1, [4]),
        Item(2, [1], 9, None),
        Item(2, [1, 5], 9, "references"),
        HoverResult(6, "\n```rust\na\n```\n\n```rust\nfn f()\n```"),
        HoverResult(7, "\n```rust\nlet x: u8\n```"),
        Document(9, "file:///a"),
        FoldingRanges(10, [FoldingRange(2, 3, True)]),
        DocumentSymbols(11, [Symbol(1, 2, Tag("f", 12, None))]),
        ResultSet(2),
        Event(1),
        Root("file:///a"),
    ]
    whole = tables_of(*elements)
    for cut in range(len(elements) + 1):
        merged = tables_of(*elements[:cut])
        merged.merge(tables_of(*elements[cut:]))
        for name in ("ranges", "definitions", "other_results", "references", "plain_hovers"):
            assert rows(getattr(merged, name)) == rows(getattr(whole, name)) != []
        assert rows(merged.edges["next"]) == [(1, 2), (1, 3)]
        for name in ("hovers", "tags", "documents", "folding_ranges", "symbols", "roots"):
            assert getattr(merged, name) == getattr(whole, name)
            assert getattr(merged, name)
        assert merged.result_sets == 1
        assert merged.open_events == 1


def test_plain_hovers_are_merged_by_what_they_say() -> None:
    tables, other = Tables(), Tables()
    tables.add_hover(1, NO_ITEM)
    other.add_hover(2, CRATE_ROOT)
    other.add_hover(3, F)
    tables.merge(other)
    assert rows(tables.plain_hovers) == [(1, 0), (2, 1)]
    assert tables.hovers == {3: F}
