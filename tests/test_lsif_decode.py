"""Lines of JSON to elements, in the spellings of several indexers."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from lsif.reader.decode import MALFORMED, decode_fields, decode_line
from lsif.reader.elements import (
    Document,
    DocumentSymbols,
    Edge,
    Event,
    Extent,
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


def place(line: int, column: int, end_line: int, end_column: int) -> dict[str, Any]:
    return {
        "start": {"line": line, "character": column},
        "end": {"line": end_line, "character": end_column},
    }


def vertex(label: str, **fields: Any) -> dict[str, Any]:
    return {"id": 1, "type": "vertex", "label": label, **fields}


def edge(label: str, **fields: Any) -> dict[str, Any]:
    return {"id": 1, "type": "edge", "label": label, **fields}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, MetaData("", "utf-16", "")),
        ({"projectRoot": None, "positionEncoding": None}, MetaData("", "utf-16", "")),
        ({"projectRoot": "file:///r"}, MetaData("file:///r", "utf-16", "")),
        ({"positionEncoding": "utf-8"}, MetaData("", "utf-8", "")),
        ({"toolInfo": None}, MetaData("", "utf-16", "")),
        ({"toolInfo": {"name": "lsif-go"}}, MetaData("", "utf-16", "lsif-go")),
        ({"toolInfo": {"name": "a", "version": "1.0"}}, MetaData("", "utf-16", "a 1.0")),
        ({"toolInfo": {"version": "1.0"}}, MetaData("", "utf-16", "1.0")),
    ],
)
def test_metadata_may_leave_out_everything(fields: dict[str, Any], expected: MetaData) -> None:
    assert decode_fields(vertex("metaData", **fields)) == expected


@pytest.mark.parametrize(
    ("tool", "expected"),
    [("rust-analyzer 1.85", True), ("lsif-go 1.0", False), ("my rust-analyzer", False)],
)
def test_rust_analyzer_is_told_by_the_beginning_of_the_tool(tool: str, expected: bool) -> None:
    assert MetaData("", "utf-16", tool).is_rust_analyzers is expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (vertex("group", rootUri="file:///r"), Root("file:///r")),
        (vertex("source", workspaceRoot="file:///w"), Root("file:///w")),
        (vertex("source", rootUri="", workspaceRoot="file:///w"), Root("file:///w")),
        (vertex("group"), None),
        (vertex("group", rootUri=None), None),
    ],
)
def test_a_group_and_a_source_are_roots_if_they_name_a_folder(
    fields: dict[str, Any], expected: Root | None
) -> None:
    assert decode_fields(fields) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"uri": "file:///a"}, Document(1, "file:///a", "", None)),
        ({"uri": "u", "languageId": "go"}, Document(1, "u", "go", None)),
        ({"uri": "u", "languageId": "py"}, Document(1, "u", "python", None)),
        ({"uri": "u", "languageId": " C++ "}, Document(1, "u", "cpp", None)),
        ({"uri": "u", "languageId": "TSX"}, Document(1, "u", "typescriptreact", None)),
        ({"uri": "u", "languageId": "Fortran"}, Document(1, "u", "fortran", None)),
        ({"uri": "u", "languageId": None, "contents": None}, Document(1, "u", "", None)),
        ({"uri": "a/b.py", "languageId": ""}, Document(1, "a/b.py", "python", None)),
        ({"uri": "a/b.Go"}, Document(1, "a/b.Go", "go", None)),
        ({"uri": "a.py/b"}, Document(1, "a.py/b", "", None)),
        ({"uri": "u", "contents": ""}, Document(1, "u", "", "")),
        ({"uri": "u", "contents": "Zg=="}, Document(1, "u", "", "Zg==")),
        ({"uri": "u", "id": "d:1"}, Document("d:1", "u", "", None)),
    ],
)
def test_a_document_may_hold_its_source(fields: dict[str, Any], expected: Document) -> None:
    assert decode_fields(vertex("document", **fields)) == expected


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        (None, None),
        ({"type": "reference", "text": "f"}, None),
        ({"text": "f"}, None),
        ({"type": "definition", "text": "f"}, Tag("f", 0, None)),
        ({"type": "declaration", "text": "f", "kind": 12}, Tag("f", 12, None)),
        (
            {"type": "definition", "text": "f", "kind": 5, "fullRange": place(0, 1, 2, 3)},
            Tag("f", 5, Extent(0, 1, 2, 3)),
        ),
        ({"type": "definition", "text": "f", "fullRange": None}, Tag("f", 0, None)),
    ],
)
def test_tags_count_where_something_is_declared(
    tag: dict[str, Any] | None, expected: Tag | None
) -> None:
    fields = vertex("range", tag=tag, **place(3, 4, 3, 5))
    assert decode_fields(fields) == Range(1, 3, 4, 3, 5, expected)


@pytest.mark.parametrize("number", [0, 1, 1 << 40])
def test_a_number_may_be_anything_from_0_to_2_to_the_40(number: int) -> None:
    assert decode_fields(vertex("resultSet", id=number)) == ResultSet(number)
    found = decode_fields(vertex("range", **place(0, number, 0, number)))
    assert found == Range(1, 0, number, 0, number, None)


@pytest.mark.parametrize("number", [-1, (1 << 40) + 1, 1.0, 1.5, True, False, None, [], {}])
def test_what_is_no_such_number_is_no_id_and_no_column(number: object) -> None:
    with pytest.raises(ValueError, match="expected a number from 0, found "):
        decode_fields(vertex("resultSet", id=number))
    fields = vertex("range", **place(0, 0, 0, 0))
    fields["end"]["character"] = number
    with pytest.raises(ValueError, match="expected a number from 0, found "):
        decode_fields(fields)


def test_a_string_is_an_id_but_no_column() -> None:
    assert decode_fields(vertex("resultSet", id="1")) == ResultSet("1")
    fields = vertex("range", **place(0, 0, 0, 0))
    fields["start"]["line"] = "1"
    with pytest.raises(ValueError, match="found '1'"):
        decode_fields(fields)


def test_a_message_quotes_at_most_60_characters() -> None:
    with pytest.raises(TypeError) as raised:
        decode_fields(edge("next", outV=1, inVs="x" * 1000))
    assert str(raised.value) == "expected a list inVs, found '" + "x" * 59


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        ("plain", "plain"),
        ("", ""),
        ({"kind": "markdown", "value": "# a"}, "# a"),
        ({"language": "go", "value": "func f()"}, "```go\nfunc f()\n```"),
        ({"language": "", "value": "x"}, "```\nx\n```"),
        ({"language": None, "value": "x"}, "x"),
        ([], ""),
        ([{"language": "go", "value": "f"}, "Docs."], "```go\nf\n```\n\n---\n\nDocs."),
        (["a", ["b", "c"]], "a\n\n---\n\nb\n\n---\n\nc"),
    ],
)
def test_a_hover_is_markdown_in_each_spelling(contents: object, expected: str) -> None:
    fields = vertex("hoverResult", result={"contents": contents})
    assert decode_fields(fields) == HoverResult(1, expected)


def test_folds_of_imports_and_regions_are_left_out() -> None:
    folds = [
        {"startLine": 1, "endLine": 2},
        {"startLine": 3, "endLine": 4, "kind": "comment"},
        {"startLine": 5, "endLine": 6, "kind": "imports"},
        {"startLine": 7, "endLine": 8, "kind": "region"},
        {"startLine": 9, "endLine": 9, "kind": "other"},
    ]
    assert decode_fields(vertex("foldingRangeResult", result=folds)) == FoldingRanges(
        1, [FoldingRange(1, 2, False), FoldingRange(3, 4, True), FoldingRange(9, 9, False)]
    )


def test_an_outline_is_flat_with_the_places_of_the_names() -> None:
    inner = {
        "name": "f",
        "kind": 6,
        "range": place(1, 2, 3, 4),
        "selectionRange": place(1, 5, 1, 6),
        "children": None,
    }
    outer = {
        "name": "C",
        "kind": 5,
        "range": place(0, 0, 4, 1),
        "selectionRange": place(0, 6, 0, 7),
        "children": [inner],
    }
    assert decode_fields(vertex("documentSymbolResult", result=[outer])) == DocumentSymbols(
        1,
        [
            Symbol(0, 6, Tag("C", 5, Extent(0, 0, 4, 1))),
            Symbol(1, 5, Tag("f", 6, Extent(1, 2, 3, 4))),
        ],
    )


def test_an_outline_that_names_ranges_is_empty() -> None:
    result = [{"id": 7, "children": [{"id": 8}, {"id": 9, "children": []}]}]
    found = decode_fields(vertex("documentSymbolResult", result=result))
    assert found == DocumentSymbols(1, [])


def test_a_deep_outline_takes_no_stack() -> None:
    symbol: dict[str, Any] = {"name": "x", "kind": 5}
    symbol |= {"range": place(0, 0, 0, 1), "selectionRange": place(0, 0, 0, 1)}
    result = [symbol]
    for _ in range(5000):
        result = [{**symbol, "children": result}]
    found = decode_fields(vertex("documentSymbolResult", result=result))
    assert isinstance(found, DocumentSymbols)
    assert len(found.symbols) == 5001


@pytest.mark.parametrize(("kind", "step"), [("begin", 1), ("end", -1)])
def test_an_event_opens_or_closes(kind: str, step: int) -> None:
    assert decode_fields(vertex("$event", kind=kind, scope="document", data=3)) == Event(step)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (edge("next", outV=1, inV=2), Edge("next", 1, [2])),
        (edge("next", outV="a", inV="b"), Edge("next", "a", ["b"])),
        (edge("next", outV=1, inVs=[2, "3"]), Edge("next", 1, [2, "3"])),
        (
            edge("textDocument/implementation", outV=1, inV=2),
            Edge("textDocument/implementation", 1, [2]),
        ),
        (edge("item", outV=1, inVs=[2], document=3), Item(1, [2], 3, None)),
        (edge("item", outV=1, inVs=[2], shard=3), Item(1, [2], 3, None)),
        (edge("item", outV=1, inVs=[2], document=3, shard=4), Item(1, [2], 3, None)),
        (
            edge("item", outV=1, inVs=[], shard="d", property="references"),
            Item(1, [], "d", "references"),
        ),
    ],
)
def test_edges_have_a_target_or_a_list(fields: dict[str, Any], expected: Edge | Item) -> None:
    assert decode_fields(fields) == expected


@pytest.mark.parametrize(
    "fields",
    [
        vertex("moniker", identifier="x"),
        vertex("project", kind="rust"),
        vertex("next", outV=1, inV=2),
        edge("range", outV=1, inV=2),
        edge("contains", outV=1, inVs=[2]),
        {"type": "other", "label": "range"},
        vertex("Range"),
    ],
)
def test_other_kinds_are_no_element_and_no_error(fields: dict[str, Any]) -> None:
    assert decode_fields(fields) is None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"1",
        b'"range"',
        b"[]",
        b"{}",
        b'{"type":"vertex"}',
        b'{"label":"range"}',
        b'{"type":"vertex","label":[]}',
        b'{"type":"vertex","label":"range"}',
        b'{"type":"vertex","label":"range","id":1,"start":[],"end":[]}',
        b'{"type":"vertex","label":"resultSet","id":1}}',
        b'{"type":"vertex","label":"resultSet","id":NaN}',
        b'{"type":"vertex","label":"resultSet","id":1e0}',
        b'{"type":"vertex","label":"resultSet","id":99999999999999999999}',
        b'{"type":"vertex","label":"document","id":1,"uri":"\xff"}',
        b'{"type":"vertex","label":"document","id":1,"uri":"\\ud800"}',
        b'{"type":"vertex","label":"document","id":1}',
        b'{"type":"vertex","label":"metaData","toolInfo":"x"}',
        b'{"type":"vertex","label":"$event"}',
        b'{"type":"vertex","label":"hoverResult","id":1,"result":null}',
        b'{"type":"vertex","label":"hoverResult","id":1,"result":{"contents":{}}}',
        b'{"type":"vertex","label":"foldingRangeResult","id":1,"result":[1]}',
        b'{"type":"vertex","label":"documentSymbolResult","id":1,"result":null}',
        b'{"type":"edge","label":"next","outV":1}',
        b'{"type":"edge","label":"next","outV":1,"inVs":[]}',
        b'{"type":"edge","label":"next","outV":1,"inVs":{"0":2}}',
        b'{"type":"edge","label":"next","inV":1}',
        b'{"type":"edge","label":"next","outV":null,"inV":1}',
        b'{"type":"edge","label":"item","outV":1,"inVs":[2]}',
        b'{"type":"edge","label":"item","outV":1,"inV":2,"document":3}',
        b"[" * 100_000,
        '{"type":"vertex","label":"resultSet","id":1}'.encode("utf-16"),
    ],
)
def test_a_malformed_line_raises_what_the_reader_counts(line: bytes) -> None:
    with pytest.raises(MALFORMED):
        decode_line(line)


def test_a_hover_of_nested_lists_raises_what_the_reader_counts() -> None:
    contents: object = "x"
    for _ in range(5000):
        contents = [contents]
    with pytest.raises(MALFORMED):
        decode_fields(vertex("hoverResult", result={"contents": contents}))


def test_white_space_and_the_order_of_keys_say_nothing() -> None:
    line = b' {"inV" : 2,\t"outV":1, "label":"next","type":"edge"}\r\n'
    assert decode_line(line) == Edge("next", 1, [2])
    assert decode_line(orjson.dumps(edge("next", outV=1, inV=2))) == Edge("next", 1, [2])
