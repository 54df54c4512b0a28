"""Records are compared with `rust-analyzer symbols`; the cases agree, if it is installed."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks import symbols
from lsif.extract import parse_dump
from lsif.jsonl import read_structures

from conftest import PROJECT_ROOT

CASES = PROJECT_ROOT / "tests/data/cases"
NODE = (
    "StructureNode {{ parent: {}, label: {!r}, navigation_range: {}..{}, node_range: {}..{}, "
    "kind: SymbolKind({}), detail: None, deprecated: false }}\n"
)
SOURCE = """\
//! The crate.

// A plain comment.
/// Docs.
pub fn f() {
    1
}
struct S { a: u8 }
impl S {
    fn g(&self) {}
}
"""


def fake(folder: Path, *nodes: tuple[str, str, str]) -> str:
    """A rust-analyzer that answers with nodes of (kind, name, text from first to last)."""
    output = ""
    for kind, name, text in nodes:
        start = SOURCE.index(text)
        label = f"impl {name}" if kind == "Impl" else name
        at = start + text.index(name)
        end = start + len(text)
        output += NODE.format("None", label, at, at + len(name), start, end, kind).replace("'", '"')
    program = folder / "rust-analyzer"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.stdin.read()\nprint({output!r})\n")
    program.chmod(0o755)
    return str(program)


def record(name: str, kind: str, line: int, line_from: int, line_to: int) -> dict[str, object]:
    return {
        "name": name, "code_type": kind, "line": line, "line_from": line_from,
        "line_to": line_to, "symbol": f"r::{name}", "context": {"file_path": "lib.rs"},
    }  # fmt: skip


RECORDS = [
    record("f", "Function", 5, 4, 7),
    record("S", "Struct", 8, 8, 8),
    record("S", "Impl", 9, 9, 9),
    record("g", "Function", 10, 10, 10),
]
NODES = [
    ("Function", "f", SOURCE[SOURCE.index("// A") : SOURCE.index("}\n") + 1]),
    ("Struct", "S", "struct S { a: u8 }"),
    ("Field", "a", "a: u8"),
    ("Impl", "S", SOURCE[SOURCE.index("impl S") : -1]),
    ("Method", "g", "fn g(&self) {}"),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "lib.rs").write_text(SOURCE)
    return tmp_path


def test_records_and_symbols_agree(root: Path) -> None:
    result = symbols.compare(RECORDS, root, fake(root, *NODES))
    assert result.unexplained == []
    assert result.agreed == {"Function": 2, "Struct": 1, "Impl": 1}
    assert result.explained == {"plain comment": 1}


def test_what_differs_either_way_is_listed(root: Path) -> None:
    records = [
        record("f", "Function", 5, 4, 6),
        record("S", "Enum", 8, 8, 8),
        record("S", "Impl", 9, 9, 9),
        record("h", "Function", 10, 10, 10),
    ]
    result = symbols.compare(records, root, fake(root, *NODES))
    assert [line.partition(":")[0] for line in result.unexplained] == [
        "last line 6",
        "kind Enum",
        "absent",
        "unknown",
    ]


def test_a_file_that_no_record_is_of_is_named(root: Path) -> None:
    result = symbols.compare([], root, fake(root, *NODES))
    assert result.listed == ["no records: lib.rs, 4 symbols"]


def test_the_cases_agree_with_rust_analyzer(tmp_path: Path) -> None:
    command = symbols.find_analyzer()
    if command is None:
        pytest.skip("no rust-analyzer is installed; RUST_ANALYZER names one")
    for name in ("unsafe-extern", "const-traits", "trait-aliases", "macros-2"):
        output = tmp_path / "structures.jsonl"
        parse_dump(
            CASES / name / "dump.lsif", CASES / name, output,
            project="p", max_bad_lines=0, max_stale_share=0, source_items=True,
        )  # fmt: skip
        records = [asdict(one) for one in read_structures(output)]
        assert symbols.compare(records, CASES / name, command).unexplained == []
