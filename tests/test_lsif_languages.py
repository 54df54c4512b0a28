"""What the declarations of other languages are: whole dumps, and sources in tests/data/languages.

In those a name that an indexer would define is marked, `def «f»(): ...`. Below a source stand its
items: kind, path, owner, lines, visibility, signature and documentation; then the number of marked
names that are no items.
"""

from __future__ import annotations

import _pydecimal as decimal_in_python
import argparse
import ast
import dataclasses
import doctest
import enum
import re
import time
import typing
from asyncio import tasks
from pathlib import Path
from types import ModuleType

import pytest

from lsif.extract import parse_dump
from lsif.jsonl import read_structures
from lsif.other.finder import OutlinedFile
from lsif.reader.elements import Range
from lsif.reader.graph import Definition, Outline

from conftest import DATA
from marked_source import definitions_in, find, rows

DUMPS = sorted((DATA / "indexers").iterdir())
FILES = sorted((DATA / "languages").glob("*.txt"))
ANY = "~"
"""Value of a table that says nothing."""


def cases() -> list[object]:
    """Return language, source with marks, hovers and expected lines of each case."""
    found = []
    for path in FILES:
        for block in re.split(r"^=== ", path.read_text(), flags=re.MULTILINE)[1:]:
            title, _, rest = block.partition("\n")
            source, _, expected = rest.partition("---\n")
            name, _, told = title.partition(" | ")
            hovers = dict(each.split(": ", 1) for each in told.split(" ; ")) if told else {}
            case = (path.stem, source, hovers, expected.splitlines())
            found.append(pytest.param(*case, id=f"{path.stem}: {name}"))
    return found


@pytest.mark.parametrize(("language", "source", "hovers", "expected"), cases())
def test_declarations_are_found_as_they_are_written(
    language: str, source: str, hovers: dict[str, str], expected: list[str]
) -> None:
    skipped = find(language, source, hovers).skipped.total()
    assert [*rows(language, source, hovers), f"skipped {skipped}"] == expected


@pytest.mark.parametrize(("language", "source", "hovers", "expected"), cases())
def test_carriage_returns_change_nothing(
    language: str, source: str, hovers: dict[str, str], expected: list[str]
) -> None:
    assert rows(language, source.replace("\n", "\r\n"), hovers) == expected[:-1]


@pytest.mark.parametrize("folder", DUMPS, ids=[path.name for path in DUMPS])
def test_a_dump_gives_exactly_the_table_of_its_folder(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "structures.jsonl"
    ledger = parse_dump(
        folder / "dump.lsif", folder, output, project="p", max_bad_lines=0, max_stale_share=0.2
    )
    assert ledger.balanced
    found = [
        (each.context.file_path, each.symbol, each.code_type, str(each.line_from),
         str(each.line_to), each.context.struct_name or "-", each.visibility, str(each.is_test),
         each.signature, (each.docstring or "-").split("\n")[0])
        for each in read_structures(output)
    ]  # fmt: skip
    table = [line.split("\t") for line in (folder / "expected.tsv").read_text().splitlines()]
    expected = sorted(tuple(row) for row in table)
    assert [row[:2] for row in sorted(found)] == [row[:2] for row in expected]
    for have, want in zip(sorted(found), expected, strict=True):
        assert (
            tuple(ANY if value == ANY else told for told, value in zip(have, want, strict=True))
            == want
        )


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("c", "int f%04d() {\n"), ("c", "#if f%04d\n"), ("c", "int f%04d, \n"), ("c", "*f%04d("),
        ("go", "func f%04d(\n"), ("java", "class f%04d {\n"), ("java", "f%04d<"),
        ("javascript", "x.f%04d = "), ("javascript", "a.f%04d."), ("python", "(f%04d\n"),
        ("python", "class f%04d:"), ("typescript", "namespace f%04d."), ("typescript", "f%04d<`"),
    ],
)  # fmt: skip
def test_what_is_never_closed_takes_no_longer(language: str, line: str) -> None:
    text = "".join(line % number for number in range(500)).encode()
    definitions = definitions_in(text, re.compile(rb"f\d{4}"))
    began = time.process_time()
    findings = OutlinedFile("p", "a.x", text, Outline(language)).find(definitions, "utf-8")
    assert len(findings.found) + findings.skipped.total() == 500
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "module", [argparse, ast, dataclasses, decimal_in_python, doctest, enum, tasks, typing]
)
def test_python_is_read_as_its_own_parser_reads_it(module: ModuleType) -> None:
    """The parser of CPython does not share the grammar."""
    text = Path(str(module.__file__)).read_text(encoding="utf-8")
    lines = text.split("\n")
    expected, definitions = {}, []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            row = node.lineno - 1
            column = lines[row].index(node.name, node.col_offset + len("def"))
            place = Range(len(definitions), row, column, row, column + len(node.name))
            definitions.append(Definition("file:///p/a", place, None, 0, 0))
            kind = "Class" if isinstance(node, ast.ClassDef) else "Function"
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            docs = (ast.get_docstring(node) or "").strip() or None
            expected[row, column] = (node.name, kind, first, node.end_lineno, docs)
    source = OutlinedFile("p", "a.py", text.encode(), Outline("python"))
    found = {}
    for each in source.find(definitions, "utf-8").found:
        item, end = each.item, each.item.row_to + 1
        while not lines[end - 1].partition("#")[0].strip():  # comments are in no tree of CPython
            end -= 1
        docs = (item.docstring or "").strip() or None
        found[each.row, each.column] = (item.name, item.code_type, item.row_from + 1, end, docs)
    assert found == expected
    assert len(found) > 40
