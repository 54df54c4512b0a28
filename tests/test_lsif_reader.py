from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from lsif.elements import Document, Edge, HoverResult, Item, MetaData, Range
from lsif.errors import DumpError
from lsif.reader import ReadLedger, read_elements

from conftest import SAMPLE_DUMP

META = {"id": 0, "type": "vertex", "label": "metaData", "version": "0.5.0", "projectRoot": "file:///r", "positionEncoding": "utf-8",
        "toolInfo": {"name": "rust-analyzer", "version": "1"}}  # fmt: skip
DOCUMENT = {"id": 1, "type": "vertex", "label": "document", "uri": "file:///r/src/lib.rs", "languageId": "rust"}
RANGE = {"id": "r", "type": "vertex", "label": "range", "start": {"line": 1, "character": 2}, "end": {"line": 3, "character": 4}}

Write = Callable[..., Path]


def read(path: Path, max_bad_lines: int = 0) -> list[object]:
    return list(read_elements(path, ReadLedger(), max_bad_lines=max_bad_lines))


def test_each_kind_of_line_becomes_its_element(write_lines: Write) -> None:
    path = write_lines(
        META,
        DOCUMENT,
        RANGE,
        {"id": 3, "type": "vertex", "label": "hoverResult", "result": {"contents": {"kind": "markdown", "value": "text"}}},
        {"id": 4, "type": "edge", "label": "next", "inV": 5, "outV": "r"},
        {"id": 6, "type": "edge", "label": "item", "document": 1, "inVs": ["r"], "outV": 7},
        {"id": 8, "type": "edge", "label": "item", "shard": 1, "inVs": ["r"], "outV": 7, "property": "references"},
        {"id": 9, "type": "vertex", "label": "foldingRangeResult", "result": []},
    )
    assert read(path) == [
        MetaData("file:///r", "utf-8", "rust-analyzer 1"),
        Document(1, "file:///r/src/lib.rs"),
        Range("r", 1, 2, 3, 4),
        HoverResult(3, "text"),
        Edge("next", "r", 5),
        Item(7, ["r"], 1, None),
        Item(7, ["r"], 1, "references"),
    ]


def test_bad_lines_are_counted_and_the_rest_is_read(write_lines: Write) -> None:
    bad_range = {**RANGE, "start": {"line": -1, "character": 0}}
    path = write_lines(META, b"{not json}\n", b"[1, 2]\n", bad_range, {"type": "vertex"}, b"\n", DOCUMENT)
    ledger = ReadLedger()
    elements = list(read_elements(path, ledger, max_bad_lines=4))
    assert [type(element) for element in elements] == [MetaData, Document]
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
    assert len(read(path)) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (gzip.compress(b"x"), "is a gzip file.*gunzip"),
        (b'[{"id":0}]', "JSON array form.*jq"),
        (b"hello\nworld\n", "no LSIF dump: expected a JSON object in line 1"),
        (b'{"id": 1, "type": "vertex", "label": "document", "uri": "file:///x"}\n', "expected a metaData vertex in line 1"),
        (b"\x00\x01\x02\xff\n", "no LSIF dump"),
    ],
)
def test_what_is_no_dump_is_refused_with_what_it_is(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DumpError, match=message):
        read(path)


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DumpError, match="is a folder"):
        read(tmp_path)
    with pytest.raises(DumpError, match="can't read the dump"):
        read(tmp_path / "absent")
