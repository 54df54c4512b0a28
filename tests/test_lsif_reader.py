from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from lsif.errors import DumpError
from lsif.reader.elements import MetaData
from lsif.reader.hover import PLAIN_HOVERS, decode_hover
from lsif.reader.read import ReadLedger, read_tables
from lsif.reader.tables import Tables

from conftest import SAMPLE_DUMP

META = {"id": 0, "type": "vertex", "label": "metaData", "version": "0.5.0",
        "projectRoot": "file:///r", "positionEncoding": "utf-8",
        "toolInfo": {"name": "rust-analyzer", "version": "1"}}  # fmt: skip
DOCUMENT = {
    "id": 1,
    "type": "vertex",
    "label": "document",
    "uri": "file:///r/src/lib.rs",
    "languageId": "rust",
}
RANGE = {
    "id": "r",
    "type": "vertex",
    "label": "range",
    "start": {"line": 1, "character": 2},
    "end": {"line": 3, "character": 4},
}

Write = Callable[..., Path]


def zstd(data: bytes) -> bytes:
    packed: bytes = pa.compress(data, codec="zstd", asbytes=True)
    return packed


def read(path: Path, max_bad_lines: int = 0) -> Tables:
    return read_tables(path, ReadLedger(), max_bad_lines=max_bad_lines)


def content(tables: Tables) -> dict[str, object]:
    """Everything that the tables say, in one order."""
    numbers = {
        "ranges": tables.ranges,
        "definitions": tables.definitions,
        "references": tables.references,
        **tables.edges,
    }
    rows = {name: sorted(map(tuple, table.to_array().tolist())) for name, table in numbers.items()}
    hovers = {hover_id: decode_hover(hover) for hover_id, hover in tables.hovers.items()}
    hovers |= {
        hover_id: PLAIN_HOVERS[index] for hover_id, index in tables.plain_hovers.to_array().tolist()
    }
    return {
        **rows,
        "meta": tables.meta,
        "uris": {number: one.uri for number, one in tables.documents.items()},
        "hovers": hovers,
        "result sets": tables.result_sets,
    }


def test_each_kind_of_line_goes_into_its_table(write_lines: Write) -> None:
    path = write_lines(
        META,
        DOCUMENT,
        {**RANGE, "id": 2},
        {
            "id": 3,
            "type": "vertex",
            "label": "hoverResult",
            "result": {"contents": {"kind": "markdown", "value": "text"}},
        },
        {"id": 4, "type": "edge", "label": "next", "inV": 5, "outV": 2},
        {"id": 6, "type": "edge", "label": "item", "document": 1, "inVs": [2, 20], "outV": 7},
        {
            "id": 8,
            "type": "edge",
            "label": "item",
            "shard": 1,
            "inVs": [2, 9, 11],
            "outV": 7,
            "property": "references",
        },
        {"id": 9, "type": "edge", "label": "textDocument/hover", "inVs": [3], "outV": 5},
        {"id": 10, "type": "vertex", "label": "foldingRangeResult", "result": []},
        {"id": 11, "type": "vertex", "label": "resultSet"},
    )
    tables = content(read(path))
    assert tables["meta"] == MetaData("file:///r", "utf-8", "rust-analyzer 1")
    assert tables["uris"] == {1: "file:///r/src/lib.rs"}
    assert tables["ranges"] == [(2, 1, 2, 3, 4)]
    assert tables["hovers"] == {3: None}
    assert tables["next"] == [(2, 5)]
    assert tables["textDocument/hover"] == [(5, 3)]
    assert tables["definitions"] == [(7, 1, 2), (7, 1, 20)]
    assert tables["references"] == [(7, 1, 3)]
    assert tables["result sets"] == 1


def test_string_ids_are_ids_like_others(write_lines: Write) -> None:
    path = write_lines(
        META, RANGE, {"id": "e", "type": "edge", "label": "next", "inV": "set", "outV": "r"}
    )
    tables = read(path)
    ((range_id, *_),) = tables.ranges.to_array().tolist()
    ((source, target),) = tables.edges["next"].to_array().tolist()
    assert source == range_id != target


def test_what_columns_read_is_what_json_says(tmp_path: Path) -> None:
    """A dump with blanks between its tokens has no line of the usual layout: all are decoded."""
    spaced = tmp_path / "spaced.lsif"
    spaced.write_text(
        "".join(
            json.dumps(json.loads(line)) + "\n" for line in SAMPLE_DUMP.read_text().splitlines()
        )
    )
    assert content(read(spaced)) == content(read(SAMPLE_DUMP))


def test_a_block_may_end_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = content(read(SAMPLE_DUMP))
    for size in (64, 1000, 65_537):
        monkeypatch.setattr("lsif.reader.read._BLOCK_BYTES", size)
        assert content(read(SAMPLE_DUMP)) == expected


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":2,"type":"edge","label":"next","inV":05,"outV":1}\n',
        b'{"id":2,"type":"edge","label":"next","inV":,"outV":1}\n',
        b'{"id":2,"type":"edge","label":"next","inV":5,"outV":-1}\n',
        b'{"id":2,"type":"edge","label":"next","inV":99999999999999999999,"outV":1}\n',
        b'{"id":2,"type":"edge","label":"next","inV":5,"outV":1}}\n',
        b'{"id":2,"type":"edge","label":"item","document":1,"inVs":[],"outV":7}x\n',
        b'{"id":2,"type":"edge","label":"item","document":1,"property":"references","inVs":[1,,2],"outV":7}\n',
        b'{"id":2,"type":"edge","label":"item","document":1,"property":"references","inVs":[1,2,],"outV":7}\n',
        b'{"id":2,"type":"edge","label":"item","document":1,"property":"references","inVs":[1,02],"outV":7}\n',
        b'{"id":2,"type":"vertex","label":"range","start":{"line":1,"character":2},"end":{"line":3,"character":x}}\n',
        b'{"id":2,"type":"vertex","label":"hoverResult","result":{"contents":{"kind":"markdown","value":"```rust\\n```rust\\n\n',
    ],
)
def test_a_line_that_is_almost_of_the_usual_layout_is_bad(write_lines: Write, line: bytes) -> None:
    ledger = ReadLedger()
    tables = content(read_tables(write_lines(META, line, DOCUMENT), ledger, max_bad_lines=1))
    assert ledger.bad_lines == 1
    assert tables == content(read(write_lines(META, DOCUMENT, name="without.lsif")))


@pytest.mark.parametrize("count", [1, 2, 9, 10, 11, 99, 100, 101, 1500])
def test_ids_may_get_longer_anywhere(write_lines: Write, count: int) -> None:
    edges = [
        {"id": i, "type": "edge", "label": "next", "inV": i + 1, "outV": i + 2}
        for i in range(1, count + 1)
    ]
    assert content(read(write_lines(META, *edges)))["next"] == sorted(
        (i + 2, i + 1) for i in range(1, count + 1)
    )


def test_ids_need_not_count_lines(write_lines: Write) -> None:
    edges = [
        {"id": i * 7919 % 100_000, "type": "edge", "label": "next", "inV": i, "outV": i * 3}
        for i in range(500)
    ]
    assert content(read(write_lines(META, *edges)))["next"] == sorted(
        (i * 3, i) for i in range(500)
    )


@pytest.mark.parametrize(
    "line",
    [
        {"type": "edge", "label": "next", "outV": 1, "inVs": []},
        {"type": "edge", "label": "next", "outV": [1], "inV": 2},
        {"type": "edge", "label": "item", "outV": 1, "inVs": "ab", "document": 1},
        {"type": "edge", "label": "item", "outV": 1, "inVs": [{}], "document": 1},
        {"type": "edge", "label": "item", "outV": 1, "inVs": [1], "document": None},
        {"type": "vertex", "label": "document", "id": {}, "uri": "file:///r/x"},
        {"type": "vertex", "label": "hoverResult", "id": 1, "result": None},
        {"type": "vertex", "label": ["range"], "id": 1},
        {
            "type": "vertex",
            "label": "range",
            "id": 1.5,
            "start": {"line": 0, "character": 0},
            "end": {"line": 0, "character": 0},
        },
        {
            "type": "vertex",
            "label": "range",
            "id": 1,
            "start": {"line": 2**70, "character": 0},
            "end": {"line": 0, "character": 0},
        },
    ],
)
def test_wrong_types_make_a_bad_line_and_nothing_worse(
    write_lines: Write, line: dict[str, object]
) -> None:
    ledger = ReadLedger()
    path = write_lines(META, json.dumps(line).encode() + b"\n", DOCUMENT)
    assert list(read_tables(path, ledger, max_bad_lines=1).documents) == [1]
    assert ledger.bad_lines == 1


def test_bad_lines_are_counted_and_the_rest_is_read(write_lines: Write) -> None:
    bad_range = {**RANGE, "start": {"line": -1, "character": 0}}
    path = write_lines(
        META, b"{not json}\n", b"[1, 2]\n", bad_range, {"type": "vertex"}, b"\n", DOCUMENT
    )
    ledger = ReadLedger()
    assert list(read_tables(path, ledger, max_bad_lines=4).documents) == [1]
    assert (ledger.lines, ledger.bad_lines) == (7, 4)
    assert [line.split(":")[0] for line in ledger.first_bad] == ["line 2", "line 3", "line 4"]
    with pytest.raises(DumpError, match="more than 3 unreadable lines"):
        read(path, max_bad_lines=3)


def test_a_truncated_last_line_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.lsif"
    path.write_bytes(SAMPLE_DUMP.read_bytes()[:-10])
    with pytest.raises(DumpError, match="cut off in the middle of line 6497"):
        read(path, max_bad_lines=100)


def test_a_whole_last_line_needs_no_newline(write_lines: Write, tmp_path: Path) -> None:
    path = write_lines(META, DOCUMENT)
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert list(read(path).documents) == [1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (
            gzip.compress(b"x\n", mtime=0),
            "no dump of LSIF or SCIP: expected a JSON object in line 1",
        ),
        (gzip.compress(SAMPLE_DUMP.read_bytes())[:-100], "is compressed, and cut off or damaged"),
        (
            gzip.compress(SAMPLE_DUMP.read_bytes())[:5000] + b"damage" * 9,
            "is compressed, and cut off or damaged",
        ),
        (zstd(SAMPLE_DUMP.read_bytes())[:-100], "can't read the dump"),
        (b'[{"id":0}]', "has more than 0 unreadable lines"),
        (b'[{"id":0,"type":"vertex","label":"resultSet"}]', "expected a metaData vertex in line 1"),
        (b"[", "is cut off or damaged after element 0 of its JSON array"),
        (b"[]", "is an empty JSON array"),
        (b"[1, 2]", "has more than 0 unreadable lines"),
        (b"hello\nworld\n", "no dump of LSIF or SCIP: expected a JSON object in line 1"),
        (
            b'{"id": 1, "type": "vertex", "label": "document", "uri": "file:///x"}\n',
            "expected a metaData vertex in line 1",
        ),
        (b"\x00\x01\x02\xff\n", "no dump of LSIF or SCIP"),
    ],
)
def test_what_is_no_dump_is_refused_with_what_it_is(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DumpError, match=message):
        read(path)


def test_packed_dumps_and_standard_input_say_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = SAMPLE_DUMP.read_bytes()
    expected = content(read(SAMPLE_DUMP))
    for name, data in (
        ("dump.lsif.gz", gzip.compress(plain)),
        ("dump.lsif.zst", zstd(plain)),
        ("no-suffix", gzip.compress(plain)),
    ):
        (tmp_path / name).write_bytes(data)
        assert content(read(tmp_path / name)) == expected
    with SAMPLE_DUMP.open() as file:
        monkeypatch.setattr("sys.stdin", file)
        assert content(read(Path("-"))) == expected


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DumpError, match="is a folder"):
        read(tmp_path)
    with pytest.raises(DumpError, match="can't read the dump"):
        read(tmp_path / "absent")
