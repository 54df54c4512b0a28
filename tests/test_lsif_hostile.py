"""Dumps and sources that are too large or too deep on purpose.

Each ends in a clear error or a counted skip, in bounded time.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lsif.errors import DumpError
from lsif.extract import parse_dump
from lsif.jsonl import read_structures
from lsif.ledger import ParseLedger
from lsif.reader.graph import Graph
from lsif.reader.read import ReadLedger, read_tables

from conftest import SAMPLE, SAMPLE_DUMP

META = {
    "id": 1,
    "type": "vertex",
    "label": "metaData",
    "projectRoot": "file:///src/sample",
    "positionEncoding": "utf-16",
}
DOCUMENT = {
    "id": 2,
    "type": "vertex",
    "label": "document",
    "uri": "file:///src/sample/src/lib.rs",
    "languageId": "rust",
}
RANGE = {
    "id": 3,
    "type": "vertex",
    "label": "range",
    "start": {"line": 0, "character": 0},
    "end": {"line": 0, "character": 4},
}
DEFINITION = {"id": 5, "type": "edge", "label": "textDocument/definition", "outV": 4, "inV": 6}
ITEM = {"id": 7, "type": "edge", "label": "item", "outV": 6, "inVs": [3], "document": 2}
MANY = 2_000_000

Write = Callable[..., Path]


def parse(dump: Path, output: Path, root: Path = SAMPLE) -> ParseLedger:
    return parse_dump(dump, root, output, project="sample", max_bad_lines=10, max_stale_share=1)


def with_line(folder: Path, line: bytes) -> Path:
    """Return the sample's dump with one more line."""
    dump = folder / "dump.lsif"
    with dump.open("wb") as file:
        file.write(SAMPLE_DUMP.read_bytes())
        file.write(line)
    return dump


def test_two_million_targets_of_one_edge(write_lines: Write) -> None:
    ranges = b",".join(b"%d" % (number % 9) for number in range(MANY))
    many = b'{"id":8,"type":"edge","label":"item","document":2,"inVs":[' + ranges + b'],"outV":6}\n'
    graph = Graph(
        read_tables(
            write_lines(META, DOCUMENT, RANGE, DEFINITION, many), ReadLedger(), max_bad_lines=0
        )
    )
    found = sum(1 for _ in graph.definitions(lambda _: True))
    assert found + graph.skipped["dangling"] == MANY
    assert found == len(range(3, MANY, 9))


def test_two_million_edges_of_one_vertex(write_lines: Write) -> None:
    edges = b"".join(
        b'{"id":%d,"type":"edge","label":"next","inV":%d,"outV":4}\n' % (number, number)
        for number in range(10, MANY + 10)
    )
    dump = write_lines(META, DOCUMENT, RANGE, DEFINITION, ITEM, edges)
    graph = Graph(read_tables(dump, ReadLedger(), max_bad_lines=0))
    assert [definition.hover for definition in graph.definitions(lambda _: True)] == [None]


def test_a_line_of_200_megabytes(tmp_path: Path) -> None:
    size = 200_000_000
    head, tail = (
        b'{"id":90000,"type":"vertex","label":"hoverResult","result":{"contents":"',
        b'"}}\n',
    )
    assert parse(with_line(tmp_path, head + b"x" * size + tail), tmp_path / "out").structures == 77
    assert parse(with_line(tmp_path, b"\0" * size + b"\n"), tmp_path / "out").bad_lines == 1


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 1_000_000 + b"\n",
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"\n",
        b'{"id":9,"type":"vertex","label":"hoverResult","result":{"contents":'
        + b"[" * 900
        + b"]" * 900
        + b"}}\n",
        b'{"id":9,"type":"vertex","label":"range","start":{"line":"\\u0000","character":0}}\n',
        b'{"id":9,"type":"vertex\0","label":"range"}\n',
        b"\0\n",
        b"\xff\xfe\n",
    ],
)
def test_deep_or_broken_lines_are_counted(tmp_path: Path, line: bytes) -> None:
    ledger = parse(with_line(tmp_path, line), tmp_path / "out")
    assert ledger.structures == 77
    assert ledger.bad_lines <= 1
    assert ledger.balanced


@pytest.mark.parametrize(
    "inside",
    [b"[" * 200_000, b'{"a":' * 100_000, b'{"id":1,"type":"vertex","label":' + b"[" * 100_000],
)
def test_a_deep_array_form_is_refused(tmp_path: Path, inside: bytes) -> None:
    dump = tmp_path / "dump.json"
    dump.write_bytes(b"[" + inside)
    with pytest.raises(DumpError, match=r"cut off or damaged|unreadable|not a valid JSON array"):
        parse(dump, tmp_path / "out")


@pytest.mark.parametrize(
    "source",
    [
        b"fn retry() { " + b"(" * 200_000 + b")" * 200_000 + b" }\n",
        b"mod m { " * 5_000 + b"}" * 5_000,
        b"#[a]" * 200_000 + b"\nfn f() {}\n",
        b"/// x\n" * 200_000 + b"fn f() {}\n",
        b"m! { " * 3_000 + b"}" * 3_000,
        b"\0" * 1_000_000,
        b"x" * 5_000_000,
    ],
)
def test_hostile_sources_end_in_skips(tmp_path: Path, source: bytes) -> None:
    root = Path(shutil.copytree(SAMPLE, tmp_path / "root"))
    (root / "src/retry.rs").write_bytes(source)
    ledger = parse(SAMPLE_DUMP, tmp_path / "out", root)
    assert ledger.balanced
    assert {one.context.file_path for one in read_structures(tmp_path / "out")} >= {
        "src/cache.rs",
        "src/error.rs",
    }
