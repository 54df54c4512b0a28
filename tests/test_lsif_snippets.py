"""Records are bounded by the source, whatever stands in one line or one macro call."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from lsif.blocks import Block
from lsif.lines import Lines
from lsif.snippets import allowance, largest_share
from lsif.structure import Structure

from made_dump import Dump

RECORD = 1000
"""Bytes of a record that is all but its snippet."""


def bindings(separator: str) -> tuple[str, list[str]]:
    """Return a source of functions with that between them, and their names."""
    names = [f"made_{number}" for number in range(400)]
    texts = [f'#[doc = "é {name}"] #[inline] pub fn {name}(a: i32) {{}}' for name in names]
    return f"/* generated */ {separator.join(texts)}", names


def call(separator: str) -> tuple[str, list[str]]:
    """Return a source of one macro call that makes constants, and their names."""
    names = [f"CODE_{number}" for number in range(400)]
    inside = separator.join(f"    {name} = {number}," for number, name in enumerate(names))
    return f"fn before() {{}}\ncodes! {{{separator}{inside}{separator}}}\n", names


def dump_of(folder: Path, text: str, names: list[str], declaration: str) -> Dump:
    dump = Dump(folder)
    dump.source("src/lib.rs", text)
    for name in names:
        at = text.index(f" {name}{'(' if 'fn' in declaration else ' '}") + 1
        row, begin = text.count("\n", 0, at), text.rfind("\n", 0, at) + 1
        column = len(text[begin:at].encode("utf-16-le")) // 2
        dump.define("src/lib.rs", row, column, len(name), "r", declaration.format(name))
    return dump


@pytest.mark.parametrize(("separator", "is_cut"), [(" ", True), ("\n", False)])
def test_items_that_share_a_line_have_their_own_text(
    separator: str, is_cut: bool, tmp_path: Path
) -> None:
    text, names = bindings(separator)
    dump = dump_of(tmp_path, text, names, "pub fn {}(a: i32)")
    ledger, structures = dump.parse()
    assert [structure.name for structure in structures] == names
    for structure in structures[1:-1]:
        own = f'#[doc = "é {structure.name}"] #[inline] pub fn {structure.name}(a: i32) {{}}\n'
        assert structure.context.snippet == own
        assert structure.docstring == f"é {structure.name}"
        assert structure.snippet_from == (1 if is_cut else 0)
    assert ledger.snippets_cut == (len(names) if is_cut else 0)
    assert size_of(structures) <= allowance(len(text.encode()))


@pytest.mark.parametrize("separator", ["", "\n"])
def test_items_of_a_large_call_have_the_text_around_their_names(
    separator: str, tmp_path: Path
) -> None:
    text, names = call(separator)
    ledger, structures = dump_of(tmp_path, text, names, "pub const {}: u32 = 1").parse()
    assert [structure.name for structure in structures] == names
    rows = text.split("\n")
    for structure in structures:
        assert (structure.line_from, structure.line_to) == (2, len(rows) - 1)
        snippet = structure.context.snippet
        assert f" {structure.name} = " in snippet
        assert rows[structure.snippet_from - 1].endswith(snippet.split("\n")[0]) or not separator
    assert ledger.snippets_cut == len(names)
    assert size_of(structures) <= allowance(len(text))


def test_a_small_call_is_shown_as_a_whole(tmp_path: Path) -> None:
    text = "codes! {\n    A = 1,\n    B = 2,\n}\n"
    ledger, structures = dump_of(tmp_path, text, ["A", "B"], "pub const {}: u32 = 1").parse()
    assert [structure.context.snippet for structure in structures] == [text, text]
    assert ledger.snippets_cut == 0


def test_nested_items_and_blocks_are_bounded_together(tmp_path: Path) -> None:
    depth = 300
    heads = [f"fn f{number}() {{\nif a {{\n" + "step();\n" * 10 for number in range(depth)]
    text = "".join(heads) + "}\n}\n" * depth
    names = [f"f{number}" for number in range(190)]
    dump = dump_of(tmp_path, text, names, "fn {}()")
    blocks = tmp_path / "blocks.jsonl"
    ledger, structures = dump.parse(blocks=blocks, blocks_longer_than=0)
    found = [Block.from_dict(orjson.loads(line)) for line in blocks.read_bytes().splitlines()]
    most = allowance(len(text))
    assert len(text) * depth / 2 > 5 * most
    assert size_of(structures) <= most
    assert sum(len(block.snippet) - 1 for block in found) <= most
    cut = [block for block in found if block.snippet_from]
    assert all(block.snippet_from == block.line_from for block in cut)
    whole = [structure for structure in structures if not structure.snippet_from]
    assert cut
    assert ledger.snippets_cut == len(cut) + len(structures) - len(whole)
    rows = text.split("\n")
    for record in (*found, *whole):
        lines = "\n".join(rows[record.line_from - 1 : record.line_to]) + "\n"
        snippet = record.snippet if isinstance(record, Block) else record.context.snippet
        assert lines.startswith(snippet.rstrip("\n"))


def test_what_hovers_and_headers_repeat_is_bounded(tmp_path: Path) -> None:
    members = [f"m{number}" for number in range(300)]
    header = f"impl Many for ({', '.join(f'Type{number}' for number in range(3000))}) {{\n"
    text = header + "".join(f"    fn {name}() {{}}\n" for name in members) + "}\n"
    dump = Dump(tmp_path)
    dump.source("src/lib.rs", text)
    docs = "Says a lot. " * 1000
    for row, name in enumerate(members, start=1):
        dump.define("src/lib.rs", row, 7, len(name), "r", f"fn {name}()", docs=docs)
    _, structures = dump.parse()
    assert len(structures) == len(members)
    assert {structure.docs_inherited for structure in structures} == {True}
    assert sum(len(structure.docstring or "") for structure in structures) <= (
        allowance(len(text)) + len(structures)
    )
    assert max(len(structure.symbol) for structure in structures) <= 2001
    assert (tmp_path / "out.jsonl").stat().st_size < 2 * allowance(len(text)) + len(structures) * (
        RECORD + 2 * 2000
    )


def test_one_very_long_item_is_cut_off(tmp_path: Path) -> None:
    text = "pub fn long() {\n" + "    step(1);\n" * 60_000 + "}\n"
    ledger, (structure,) = dump_of(tmp_path, text, ["long"], "pub fn {}()").parse()
    assert (structure.line_to, structure.snippet_from) == (60_002, 1)
    assert len(structure.context.snippet) == 524_289
    assert ledger.snippets_cut == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_columns_of_a_long_line_are_those_of_its_beginning(encoding: str) -> None:
    line = "aé𝒻c" * 400
    lines = Lines(f"\ufefffirst\n{line}\n".encode())
    unit = {"utf-8": 1, "utf-16": 2, "utf-32": 4}[encoding]
    column = 0
    for at, character in enumerate(line):
        expected = len(line[:at].encode())
        assert lines.byte_column(1, column, encoding) == expected
        width = len(character.encode(f"{encoding}-le" if unit > 1 else encoding)) // unit
        if encoding == "utf-16" and width == 2:
            assert lines.byte_column(1, column + 1, encoding) is None
        column += width
    assert lines.byte_column(1, column, encoding) == len(line.encode())
    assert lines.byte_column(1, column + 1, encoding) is None
    assert lines.byte_column(1, 1, encoding) == 1
    assert lines.byte_column(2, 0, encoding) == 0


@pytest.mark.parametrize(
    ("sizes", "most", "share"),
    [([], 10, 0), ([3, 3], 10, 3), ([10, 50, 100], 100, 45), ([7, 7, 7], 10, 3), ([5], 0, 0)],
)
def test_the_longest_are_cut_first(sizes: list[int], most: int, share: int) -> None:
    assert largest_share(sizes, most) == share
    assert sum(min(size, share) for size in sizes) <= most


def size_of(structures: list[Structure]) -> int:
    """Return the size of the snippets in bytes; each may have a newline more than its share."""
    return sum(len(structure.context.snippet.encode()) - 1 for structure in structures)
