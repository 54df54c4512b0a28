"""Indexes of SCIP give the same records as dumps of LSIF."""

from __future__ import annotations

import gzip
import re
import tracemalloc
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from lsif.errors import DumpError
from lsif.extract import parse_dump
from lsif.formats import read_dump
from lsif.jsonl import read_structures
from lsif.ledger import ParseLedger
from lsif.reader.read import ReadLedger
from lsif.scip.schema import DEFINITION, GENERATED, TEST
from lsif.scip.wire import is_index
from lsif.structure import Structure

from conftest import DATA, SAMPLE, SAMPLE_DUMP
from made_index import MESSAGES, Place, document, index, read_marked, read_text

SAMPLE_INDEX = DATA / "sample-0.0.340.scip.zst"
RUST = "rust-analyzer cargo a . "


def parse(
    dump: Path | bytes, root: Path, folder: Path, **settings: Any
) -> tuple[ParseLedger, list[Structure]]:
    """Return the ledger, which balances, and the structures; the places are in the folder."""
    if isinstance(dump, bytes):
        (folder / "index.scip").write_bytes(dump)
        dump = folder / "index.scip"
    output = folder / f"{dump.name}.jsonl"
    limits: Any = {"max_bad_lines": 0, "max_stale_share": 0, "source_items": True, **settings}
    ledger = parse_dump(
        dump, root, output, project="sample", places=lambda _: folder / "places.parquet", **limits
    )
    assert ledger.balanced
    return ledger, list(read_structures(output))


def rows(structures: Sequence[Structure]) -> list[str]:
    """A line for each: kind, owner, name, lines, references, what it refers to and implements."""
    names = {structure.id: structure.name for structure in structures}
    lines = []
    for structure in structures:
        refers = ",".join(sorted({names[key] for key in structure.refers_to} | set(structure.uses)))
        implements = ",".join(names.get(key, key) for key in structure.implements)
        lines.append(
            f"{structure.code_type} {structure.context.struct_name or '-'} {structure.name} "
            f"{structure.line_from}-{structure.line}-{structure.line_to} {structure.references} "
            f"> {refers or '-'} : {implements or '-'}"
        )
    return lines


def test_the_sample_has_the_same_records_in_both_formats(tmp_path: Path) -> None:
    ledger, structures = parse(SAMPLE_INDEX, SAMPLE, tmp_path)
    dumped, others = parse(DATA / "sample-0.0.340.lsif.zst", SAMPLE, tmp_path)
    assert [asdict(structure) for structure in structures] == [asdict(other) for other in others]
    assert (ledger.format, dumped.format) == ("scip", "lsif")
    assert (ledger.tool, ledger.documents) == ("rust-analyzer 0.0.0", 10)
    assert ledger.skipped == {
        "crate_root": 2, "external": 138, "field_or_variant": 19, "local": 106,
        "undocumented_module": 2,
    }  # fmt: skip


def test_the_symbols_of_rust_analyzer_1_85_are_put_right(tmp_path: Path) -> None:
    _, structures = parse(DATA / "sample.scip.zst", SAMPLE, tmp_path)
    _, others = parse(SAMPLE_DUMP, SAMPLE, tmp_path)
    assert [structure.digest for structure in structures] == [other.digest for other in others]
    assert [structure.id for structure in structures] == [other.id for other in others]
    # Its indexes define no module that is a file.
    modules = {
        structure.symbol
        for structure in structures
        if structure.origin == "source" and structure.code_type != "Impl"
    }
    assert "sample::geometry" in modules
    by_symbol = {structure.symbol: structure for structure in structures}
    assert by_symbol["sample::geometry::<Point as Add>::add"].implements == (
        "core::ops::arith::Add::add",
    )


JAVA = """\
Interface - Priced 5-6-9 5 > - : -
Function Priced price 7-8-8 1 > - : -
Class - Basket 11-14-42 0 > Priced,java::util::List : Priced
Const Basket LIMIT 15-15-15 1 > - : -
Function Basket Basket 18-18-20 0 > Priced,java::util::List : -
Function Basket price 22-24-30 0 > Priced,price : price
Function Basket add 32-33-35 0 > LIMIT,Priced,java::util::List::size : -
Function Basket add 37-37-39 0 > - : -
Enum Basket Size 41-41-41 0 > - : -
"""
C = """\
Function - next 3-3-5 1 > RING_SIZE : -
Function - ring_put 7-7-11 1 > next,ring : -
Macro - RING_SIZE 2-2-2 2 > - : -
Struct - ring 5-5-8 3 > RING_SIZE : -
Function - ring_get 12-12-12 0 > ring : -
"""
GO = """\
Interface - Sink 6-7-10 1 > - : -
Function Sink Put 8-9-9 1 > - : -
Struct - Queue 12-13-15 1 > - : Sink
Const - Most 17-17-17 1 > - : -
Function Queue Put 19-20-26 0 > Most,Queue,fmt::Errorf : Put
Function - fill 28-28-30 0 > Put,Sink : -
"""


@pytest.mark.parametrize(("language", "expected"), [("java", JAVA), ("c", C), ("go", GO)])
def test_indexes_of_other_languages(language: str, expected: str, tmp_path: Path) -> None:
    root = DATA / "scip" / language
    ledger, structures = parse(read_text(root / "index.txtpb"), root, tmp_path)
    assert rows(structures) == expected.splitlines()
    assert "source_changed" not in ledger.skipped


def test_the_content_says_which_format_a_dump_has(tmp_path: Path) -> None:
    root = DATA / "scip" / "go"
    data = read_text(root / "index.txtpb")
    packed = tmp_path / "dump.lsif"  # the name says nothing
    packed.write_bytes(gzip.compress(data))
    _, structures = parse(packed, root, tmp_path)
    assert len(structures) == 6
    assert is_index(data)
    assert not is_index(SAMPLE_DUMP.read_bytes()[:20])
    # A length may look like a bracket, and a dump may begin with an empty line.
    for length in (ord("{"), ord("["), ord("\n"), ord(" ")):
        metadata = MESSAGES["Metadata"](project_root=b"x" * (length - 2)).SerializeToString()
        assert len(metadata) == length
        assert is_index(b"\n" + bytes([length]) + metadata)
    for text in (
        b'\n{"id":1}',
        b'\n\n{ "id":1}',
        b"\n[{",
        b"\n \n",
        b"\n{  ",
        b'{"a":"\x12"}',
        b"",
    ):
        assert not is_index(text)


@pytest.mark.parametrize(
    ("dump_format", "dump", "message"),
    [
        ("scip", SAMPLE_DUMP, 'is no SCIP index by its content, but parse.format is "scip"'),
        ("lsif", SAMPLE_INDEX, 'is a SCIP index by its content, but parse.format is "lsif"'),
    ],
)
def test_a_dump_of_the_other_format_is_refused_if_the_settings_name_one(
    dump_format: str, dump: Path, message: str, tmp_path: Path
) -> None:
    with pytest.raises(DumpError, match=message):
        parse(dump, SAMPLE, tmp_path, format=dump_format)


def test_a_cut_off_index_is_an_error_that_says_where(tmp_path: Path) -> None:
    data = read_text(DATA / "scip" / "java" / "index.txtpb")
    for size in (3, 40, 200, len(data) - 1):
        with pytest.raises(DumpError, match=r"cut off at byte \d+: .* of them|inside a number"):
            parse(data[:size], DATA / "scip" / "java", tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (b"\x12" + b"\xff" * 9 + b"\x01", "says that it has 18446744073709551615 bytes"),
        (b"\x12" + b"\xff" * 8 + b"\x7f", "says that it has 9223372036854775807 bytes"),
        (b"\x12" + b"\xff" * 10, "a number has more than 10 bytes"),
        (b"\x10\x01", r"field 2 \(documents\) has wire type 0, expected 2"),
        (b"\x00", "expected a field of an index, found field 0"),
        (b"\x17", "has wire type 7"),
        (b"\x12\xff\xff\xff\x7f", "has 268435455 bytes, and the file ends after 0 of them"),
    ],
)
def test_damage_between_documents_is_an_error_with_byte_and_document(
    damage: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / "a.rs").write_text("fn f() {}\n")
    data = index(document("a.rs", [Place(0, 3, 4, "f().", DEFINITION)], prefix=RUST))
    with pytest.raises(DumpError, match=message) as raised:
        parse(data + damage, tmp_path, tmp_path)
    at = re.search(r"at byte (\d+)", str(raised.value))
    assert at is not None
    assert 0 <= int(at[1]) - len(data) <= 5
    assert "after document a.rs" in str(raised.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"\x12\x00", "expected metadata as its first field, found field 2 at byte 0"),
        (b"\n\x03\x12\x05a", "metadata at byte 0: it is no Metadata"),
    ],
)
def test_what_has_no_metadata_is_no_index(data: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(DumpError, match=message):
        parse(data, tmp_path, tmp_path, format="scip")


def test_what_can_not_be_read_is_counted_and_named(tmp_path: Path) -> None:
    source, places = read_marked("fn «f|+f().»() {}\nfn «g|+g().»() {}\n")
    (tmp_path / "a.rs").write_text(source)
    good = document("a.rs", places, prefix=RUST)
    bad = document("b.rs")
    for numbers in ([-1, 0, 1], [0, 5, 1], [1, 2], [2, 0, 1, 9], [1, 0, 2, 3, 4]):
        bad.occurrences.add(range=numbers, symbol=f"{RUST}f().".encode())
    data = index(good, bad, document(""), document("/etc/passwd"), MESSAGES["Document"]())
    data += b"\x12\x04\x0a\x09ab"  # a path that is longer than its document
    data += b"\x12\x04\x0a\x02\xff\xfe"  # a path that is not UTF-8
    dump = tmp_path / "index.scip"
    dump.write_bytes(data)
    ledger = ReadLedger()
    read_dump(dump, ledger, max_bad_lines=10)
    assert ledger.bad_lines == 9
    assert ledger.first_bad[0] == (
        f"b.rs (document 2 at byte {data.index(bad.SerializeToString()) - 3}), occurrence 1: "
        "expected a range from 0 that ends after its beginning, found (-1, 0, -1, 1)"
    )
    assert "expected a range of 3 or 4 numbers, found 2" in ledger.first_bad[2]
    with pytest.raises(DumpError, match="more than 8 unreadable documents, occurrences or symbols"):
        read_dump(dump, ReadLedger(), max_bad_lines=8)


def test_text_that_is_not_utf_8_costs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.rs").write_text("fn f() {}\n")
    described = {"symbol": "f().", "documentation": [b"\xff"], "display_name": b"\xfe"}
    made = document("a.rs", [Place(0, 3, 4, "f().", DEFINITION)], [described], RUST)
    _, structures = parse(index(made), tmp_path, tmp_path)
    assert [structure.name for structure in structures] == ["f"]


def test_documents_outside_the_root_are_counted(tmp_path: Path) -> None:
    place = Place(0, 3, 4, "f().", DEFINITION)
    paths = ["../a.rs", "/etc/a.rs", "b/../../a.rs", "a.rs"]
    (tmp_path / "in").mkdir()
    for folder in (tmp_path, tmp_path / "in"):
        (folder / "a.rs").write_text("fn f() {}\n")
    data = index(*(document(path, [place], prefix=f"{RUST}{path}/") for path in paths))
    ledger, structures = parse(
        data, tmp_path / "in", tmp_path, source_items=False, max_stale_share=1
    )
    assert [structure.context.file_path for structure in structures] == ["a.rs"]
    assert ledger.skipped == {"external": 3}


def test_each_document_counts_columns_in_its_own_unit(tmp_path: Path) -> None:
    line = "/* 🚀é */ fn f() {} fn g() { f() }\n"
    documents = []
    for number, unit in enumerate(("utf-8", "utf-16-le", "utf-32-le"), start=1):
        size = {"utf-8": 1, "utf-16-le": 2, "utf-32-le": 4}[unit]
        at = [
            len(line[:place].encode(unit)) // size
            for place in (line.index("f("), line.index("g("), line.rindex("f("))
        ]
        places = [
            Place(0, column, column + 1, symbol, roles)
            for column, symbol, roles in zip(
                at, ("f().", "g().", "f()."), (DEFINITION, DEFINITION, 0), strict=True
            )
        ]
        path = f"{unit[:6]}.rs"
        (tmp_path / path).write_text(line)
        documents.append(document(path, places, (), f"{RUST}{number}/", position_encoding=number))
    ledger, structures = parse(index(*documents), tmp_path, tmp_path)
    assert ledger.skipped == {}
    assert [(found.name, found.origin, found.references) for found in structures] == [
        ("f", "index", 1), ("g", "index", 0)
    ] * 3  # fmt: skip
    assert [len(structure.refers_to) for structure in structures] == [0, 1] * 3


def test_typed_ranges_and_ranges_across_lines(tmp_path: Path) -> None:
    (tmp_path / "a.rs").write_text("fn f() {\n}\nfn g() {\n    f();\n}\n")
    made = document("a.rs", [Place(0, 3, 4, "f().", DEFINITION)], prefix=RUST)
    made.occurrences.add(
        single_line_range={"line": 2, "start_character": 3, "end_character": 4},
        multi_line_enclosing_range={"start_line": 2, "end_line": 4, "end_character": 1},
        symbol=f"{RUST}g().".encode(),
        symbol_roles=DEFINITION,
    )
    made.occurrences.add(
        multi_line_range={"start_line": 3, "start_character": 4, "end_line": 3, "end_character": 5},
        symbol=f"{RUST}f().".encode(),
    )
    _, structures = parse(index(made), tmp_path, tmp_path)
    assert rows(structures) == ["Function - f 1-1-2 1 > - : -", "Function - g 3-3-5 0 > f : -"]


def test_roles_of_tests_and_generated_code_are_kept(tmp_path: Path) -> None:
    (tmp_path / "a.go").write_text("package a\nfunc f() {}\nfunc g() {}\nfunc h() {}\n")
    places = [
        Place(row, 5, 6, f"{name}().", DEFINITION | role)
        for row, name, role in ((1, "f", 0), (2, "g", TEST), (3, "h", GENERATED))
    ]
    made = document("a.go", places, prefix="scip-go gomod a . ", language=b"go")
    _, structures = parse(index(made, tool="scip-go"), tmp_path, tmp_path)
    assert [(structure.is_test, structure.generated) for structure in structures] == [
        (False, False), (True, False), (False, True)
    ]  # fmt: skip


def test_a_document_that_is_not_there_is_read_from_the_index(tmp_path: Path) -> None:
    root = tmp_path / "r"
    root.mkdir()
    place = Place(0, 3, 4, "f().", DEFINITION)
    text = "fn f() { /* é */ }\n"
    made = document("a.rs", [place], prefix=RUST, text=text.encode())
    ledger, structures = parse(index(made), root, tmp_path, source_items=False)
    assert [structure.context.snippet for structure in structures] == [text]
    assert ledger.files_from_dump == 1


def test_what_is_known_of_a_symbol_may_stand_anywhere(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.c").write_text(f"int {name}(void) {{ return 0; }}\n")
    prefix = "cxx . . $ "
    described = [
        {"symbol": "a().", "kind": 17, "documentation": [b"Docs of a."]},
        {"symbol": "a().", "kind": 17, "documentation": [b"Others."]},
        {"symbol": "b().", "kind": 17, "documentation": [b"Docs of b."]},
    ]
    first = document("a.c", [Place(0, 4, 5, "a().", DEFINITION)], language=b"C", prefix=prefix)
    second = document("b.c", [Place(0, 4, 5, "b().", DEFINITION)], described, prefix, language=b"C")
    ledger, structures = parse(index(first, second, tool="scip-clang"), tmp_path, tmp_path)
    assert [structure.docstring for structure in structures] == ["Docs of a.", "Docs of b."]
    assert ledger.duplicate_symbols == 1


def test_places_of_a_symbol_that_is_defined_several_times_refer_to_the_nearest(
    tmp_path: Path,
) -> None:
    source, places = read_marked(
        "fn «a|+a().»() { fn «inner|+inner().»() {} «inner|inner().»() }\n"
        "fn «b|+b().»() { fn «inner|+inner().»() {} «inner|inner().»(); «inner|inner().»() }\n"
    )
    (tmp_path / "a.rs").write_text(source)
    made = document("a.rs", places, prefix=RUST)
    for occurrence in made.occurrences:
        if occurrence.symbol.endswith(b"inner()."):
            row = occurrence.range[0]
            occurrence.enclosing_range.extend([row, 9, 22])
    (tmp_path / "b.rs").write_text("fn inner() { inner() }\n")
    again = document(
        "b.rs",
        [Place(0, 3, 8, "inner().", DEFINITION), Place(0, 13, 18, "inner().", 0)],
        prefix=RUST,
    )
    (tmp_path / "c.rs").write_text("fn c() { inner() }\n")
    elsewhere = document("c.rs", [Place(0, 9, 14, "inner().", 0)], prefix=RUST)
    _, structures = parse(index(made, again, elsewhere), tmp_path, tmp_path)
    counts = {
        structure.symbol: structure.references
        for structure in structures
        if structure.name == "inner"
    }
    assert counts == {"a::a::inner": 2, "a::b::inner": 2, "a::inner": 1}


def test_self_refers_to_the_type_and_does_not_count(tmp_path: Path) -> None:
    source, places = read_marked(
        "struct «Tree|+Tree#»;\n"
        "impl «Tree|Tree#» { fn «new|+impl#[Tree]new().»() -> «Self|impl#[Tree]» { todo!() } }\n"
        "trait «Plant|+Plant#» { fn «grow|+Plant#grow().»() -> «Self|local 0»; }\n"
    )
    (tmp_path / "a.rs").write_text(source)
    symbols = [
        {"symbol": "local 0", "display_name": b"Self",
         "enclosing_symbol": f"{RUST}Plant#".encode()},
    ]  # fmt: skip
    made = document("a.rs", places, symbols, RUST)
    _, structures = parse(index(made), tmp_path, tmp_path)
    assert rows(structures) == [
        "Struct - Tree 1-1-1 1 > - : -",
        "Impl Tree Tree 2-2-2 0 > Tree : -",
        "Function Tree new 2-2-2 0 > Tree : -",
        "Trait - Plant 3-3-3 0 > - : -",
        "Function Plant grow 3-3-3 0 > Plant : -",
    ]


def test_a_function_that_is_not_defined_is_the_type_of_its_name(tmp_path: Path) -> None:
    source, places = read_marked(
        "keyword!(«via|+via#»);\nstruct «Tree|+Tree#»;\n"
        "fn «f|+f().»() { «via|via().»; «Tree|Tree().»; «other|other().» }\n"
    )
    (tmp_path / "a.rs").write_text(source)
    described = [
        {"symbol": "via#", "signature_documentation": {"text": b"struct via"}},
        {"symbol": "via().", "signature_documentation": {"text": b"fn via()"}},
    ]
    _, structures = parse(index(document("a.rs", places, described, RUST)), tmp_path, tmp_path)
    assert rows(structures) == [
        "Struct - via 1-1-1 0 > - : -",
        "Struct - Tree 2-2-2 0 > - : -",
        "Function - f 3-3-3 0 > Tree,a::other,via : -",
    ]


def test_types_of_traits_that_are_implemented_are_used_and_variants_are_not(
    tmp_path: Path,
) -> None:
    source, places = read_marked(
        "struct «S|+S#»;\n"
        "impl Deref for S { fn «f|+impl#[S][`ops::Deref<'a>`]f().»() {\n"
        "«Target|core 1 ops/Deref#Target#» «own|core 1 ops/Deref#own.» «Ok|core 1 Result#Ok#» } }\n"
    )
    (tmp_path / "a.rs").write_text(source)
    outside = [
        place._replace(symbol=f"rust-analyzer cargo {place.symbol}")
        if place.symbol.startswith("core")
        else place
        for place in places
    ]
    _, structures = parse(index(document("a.rs", outside, prefix=RUST)), tmp_path, tmp_path)
    assert {structure.name: structure.uses for structure in structures}["f"] == (
        "core::ops::Deref::Target",
    )


def test_an_extent_that_the_source_contradicts_is_counted(tmp_path: Path) -> None:
    source, places = read_marked("fn «f|+f().»() {\n}\nmake! {\n    fn «g|+g().»() {}\n}\n")
    (tmp_path / "a.rs").write_text(source)
    made = document("a.rs", places, prefix=RUST)
    made.occurrences[0].enclosing_range.extend([0, 0, 1, 1])
    made.occurrences[1].enclosing_range.extend([2, 0, 4, 1])  # the whole call
    ledger, structures = parse(index(made), tmp_path, tmp_path)
    assert [(structure.line_from, structure.line_to) for structure in structures] == [
        (1, 2),
        (4, 4),
    ]
    assert (ledger.extents, ledger.extents_differ) == (2, 1)
    assert ledger.first_extents_differ == ["a.rs:4"]


def test_an_extent_counts_where_the_grammar_can_not_read_the_source_if_brackets_agree(
    tmp_path: Path,
) -> None:
    source, places = read_marked(
        "section «first|+first#» is {\n}\nwrap {\n  part «second|+second#»\n}\n"
    )
    (tmp_path / "a.zz").write_text(source)
    described = [{"symbol": f"{name}#", "kind": 7} for name in ("first", "second")]
    made = document("a.zz", places, described, "scip-zz . p . ", language=b"zz")
    made.occurrences[0].enclosing_range.extend([0, 0, 1, 1])
    made.occurrences[1].enclosing_range.extend([2, 0, 4, 1])  # what is around it
    _, structures = parse(index(made, tool="scip-zz"), tmp_path, tmp_path)
    assert [(found.name, found.line_from, found.line_to) for found in structures] == [
        ("first", 1, 2), ("second", 4, 4)
    ]  # fmt: skip


def test_only_the_texts_of_documents_that_are_not_there_are_kept(tmp_path: Path) -> None:
    (tmp_path / "there.rs").touch()
    documents = [document(path, text=b"x") for path in ("there.rs", "gone.rs", "../out.rs")]
    (tmp_path / "index.scip").write_bytes(index(*documents))
    tables = read_dump(
        tmp_path / "index.scip", ReadLedger(), max_bad_lines=0, root=tmp_path.resolve()
    )
    assert [each.contents for each in tables.documents.values()] == [None, "eA==", None]


def test_one_document_is_in_memory_at_a_time(tmp_path: Path) -> None:
    place = Place(0, 3, 4, "f().", 0)
    name = "x" * 500_000
    with (tmp_path / "index.scip").open("wb") as file:
        file.write(index())
        for number in range(12):
            described = [{"symbol": f"local {at}", "documentation": [name.encode()]} for at in "12"]
            made = document(f"{number}.rs", [place] * 500, described, RUST).SerializeToString()
            file.write(b"\x12" + _varint(len(made)) + made)
    tracemalloc.start()
    tables = read_dump(tmp_path / "index.scip", ReadLedger(), max_bad_lines=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(tables.documents) == 12
    assert peak < 6_000_000  # the index has 12 MB


def _varint(number: int) -> bytes:
    more = b""
    while number > 127:
        more, number = more + bytes([number & 127 | 128]), number >> 7
    return more + bytes([number])


def test_a_variant_whose_symbol_is_a_structs_too_is_no_structure(tmp_path: Path) -> None:
    source, places = read_marked(
        "struct «End|+End#»;\nenum «Message|+Message#» {\n    «End|+End#»(«End|End#»),\n}\n"
    )
    (tmp_path / "a.rs").write_text(source)
    described = [
        {"symbol": "End#", "kind": 49, "signature_documentation": {"text": b"struct End"}},
        {"symbol": "End#", "kind": 12, "signature_documentation": {"text": b"End(End)"}},
    ]
    made = document("a.rs", places, described, RUST)
    ledger, structures = parse(index(made), tmp_path, tmp_path)
    assert rows(structures) == ["Struct - End 1-1-1 1 > - : -", "Enum - Message 2-2-4 0 > End : -"]
    assert (ledger.skipped, ledger.duplicate_symbols) == ({"field_or_variant": 1}, 1)
