"""What each structure refers to, and the file of all places, from dumps to records."""

from __future__ import annotations

import pickle
import re
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from lsif.anchors import is_called
from lsif.errors import PlacesError
from lsif.extract import parse_dump
from lsif.jsonl import read_structures
from lsif.reader import read, spill
from lsif.reader.hover import parse_hover
from lsif.reader.spill import SpilledRows
from lsif.references import links, scattered
from lsif.references import places as places_module
from lsif.references.places import Place, PlacesFile
from lsif.references.scattered import ScatteredRows
from lsif.references.tested import CountedTests
from lsif.spans import innermost
from lsif.structure import Structure

from conftest import SAMPLE, SAMPLE_DUMP
from made_dump import Dump


class Parsed:
    """Records by their symbols, and the places."""

    def __init__(self, structures: list[Structure], places: Path) -> None:
        self.by_symbol = {structure.symbol: structure for structure in structures}
        self._symbols = {structure.id: structure.symbol for structure in structures}
        self.places = PlacesFile(places)

    def named(self, keys: tuple[str, ...]) -> list[str]:
        return sorted(self._symbols.get(key, key) for key in keys)

    def refers_to(self, symbol: str) -> list[str]:
        return self.named(self.by_symbol[symbol].refers_to)

    def implements(self, symbol: str) -> list[str]:
        return self.named(self.by_symbol[symbol].implements)

    def places_of(self, symbol: str) -> list[tuple[str, int, int, str | None]]:
        """File, line, column and symbol around of each place."""
        target = self.by_symbol[symbol].id if symbol in self.by_symbol else symbol
        return [
            (place.file_path, place.line, place.column, self._symbols.get(place.structure_id or ""))
            for place in self.places.page(target, 0, 1000)
        ]


def parsed(dump: Dump, **settings: Any) -> Parsed:
    places = dump.folder / "places.parquet"
    _, structures = dump.parse(places=lambda _: places, **settings)
    return Parsed(structures, places)


def parse_sample(folder: Path) -> tuple[list[Structure], Path]:
    folder.mkdir(exist_ok=True)
    output, digests = folder / "structures.jsonl", list[str]()

    def place_of(digest: str) -> Path:
        digests.append(digest)
        return folder / "places.parquet"

    ledger = parse_dump(
        SAMPLE_DUMP, SAMPLE, output, project="sample", max_bad_lines=0, max_stale_share=0,
        source_items=True, places=place_of, processes=1,
    )  # fmt: skip
    assert digests == [ledger.places_digest]
    assert not list(folder.glob(".*")), "temporary files are left"
    return list(read_structures(output)), folder / "places.parquet"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Parsed:
    return Parsed(*parse_sample(tmp_path_factory.mktemp("sample")))


# ---- The sample, dumped by rust-analyzer


def test_each_reference_that_the_record_counts_is_a_place(sample: Parsed) -> None:
    counted = {
        symbol: structure.references
        for symbol, structure in sample.by_symbol.items()
        if structure.origin == "index"
    }
    kept = {symbol: sample.places.count(sample.by_symbol[symbol].id) for symbol in counted}
    more = {symbol for symbol in counted if kept[symbol] > counted[symbol]}
    assert {symbol: kept[symbol] for symbol in counted if symbol not in more} == {
        symbol: count for symbol, count in counted.items() if symbol not in more
    }
    # `Self` refers to the type.
    assert {sample.by_symbol[symbol].code_type for symbol in more} == {"Struct", "Trait"}


def test_a_structure_refers_to_what_its_own_lines_name(sample: Parsed) -> None:
    assert sample.refers_to("sample::cache::Cache<K, V>::get_or_try_insert") == [
        "sample::cache::Cache<K, V>::insert",
        "sample::cache::Cache<K, V>::touch",
    ]
    assert sample.refers_to("sample::cache::fingerprint") == ["sample::cache::fingerprint::mix"]
    touch = sample.by_symbol["sample::cache::Cache<K, V>::touch"]
    assert touch.uses == (
        "alloc::collections::vec_deque::VecDeque::push_back",
        "alloc::collections::vec_deque::VecDeque::retain",
        "core::clone::Clone::clone",
    )


def test_only_functions_and_macros_outside_can_be_called(sample: Parsed) -> None:
    structures = sample.by_symbol.values()
    uses = {symbol for structure in structures for symbol in structure.uses}
    called = {symbol for structure in structures for symbol in structure.uses_called}
    assert {"core::mem::take", "core::macros::matches", "sample::macros::version_line"} <= called
    assert uses - called >= {
        "core::mem",
        "core::f64::consts::PI",
        "core::clone::Clone",
        "core::fmt::macros::Debug",  # the derive
        "core::macros::builtin::derive",
        "core::macros::builtin::test",
    }
    assert called < uses


@pytest.mark.parametrize(
    ("declaration", "expected"),
    [("proc_macro main", True), ("proc_macro Serialize", False), ("pub fn CreateFileW()", True)],
)
def test_procedural_macros_with_names_of_types_are_derives(
    declaration: str, expected: bool
) -> None:
    assert is_called(parse_hover(f"```rust\na\n```\n\n```rust\n{declaration}\n```")) is expected


def test_places_have_file_line_and_the_structure_around(sample: Parsed) -> None:
    assert sample.places_of("sample::retry::Backoff") == [
        ("src/retry.rs", 12, 25, "sample::retry::Backoff::delays"),
        ("src/retry.rs", 28, 6, "sample::retry::<Doubling as Backoff>"),
        ("src/retry.rs", 50, 20, "sample::retry::retry"),
    ]
    backoff = sample.by_symbol["sample::retry::Backoff"].id
    kinds = {place.line: place.kind for place in sample.places.page(backoff, 0, 10)}
    assert (kinds[28], kinds[50]) == ("implementation", None)


def test_a_use_belongs_to_its_file(sample: Parsed) -> None:
    assert sample.places_of("sample::retry::retry")[0] == ("tests/area.rs", 9, 21, None)


def test_an_impl_implements_the_trait_and_its_members_those_of_the_trait(sample: Parsed) -> None:
    circle = "sample::geometry::shape::<Circle as Shape>"
    assert sample.implements(circle) == ["sample::geometry::shape::Shape"]
    assert sample.implements(f"{circle}::area") == ["sample::geometry::shape::Shape::area"]
    assert sample.implements("sample::error::<Error as fmt::Display>::fmt") == [
        "core::fmt::Display::fmt"
    ]
    assert sample.implements("sample::geometry::Point::distance_to") == []


def test_tests_are_counted_that_refer_to_it_or_to_the_member_it_implements(sample: Parsed) -> None:
    shape = "sample::geometry::shape"
    counted = {symbol: structure.tested_by for symbol, structure in sample.by_symbol.items()}
    assert counted[f"{shape}::Shape::area"] == 1
    assert counted[f"{shape}::<Circle as Shape>::area"] == 1  # through the trait
    tests = [
        structure
        for structure in sample.by_symbol.values()
        if structure.is_test and structure.code_type == "Function"
    ]
    for symbol, structure in sample.by_symbol.items():
        member = () if structure.code_type == "Impl" else structure.implements
        keys = {structure.id, *member}
        found = {test.id for test in tests if keys & {*test.refers_to}} - {structure.id}
        assert counted[symbol] == len(found), symbol
    assert max(counted.values()) > 1


def test_a_test_of_a_member_and_of_what_implements_it_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill, "_AT_ONCE", 2)
    # 0 and 1 are tests; 3 implements 2, and 5 what is outside.
    tested = CountedTests(np.arange(6) < 2, tmp_path)
    tested.add(np.array([[0, 0], [0, 1], [0, 2], [0, 3], [0, 7], [1, 2], [4, 2], [4, 3]]))
    tested.implement(3, 2)
    tested.implement(5, -1)
    assert tested.counts().tolist() == [0, 1, 2, 2, 0, 0]


def test_small_pieces_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    structures, places = parse_sample(tmp_path / "whole")
    monkeypatch.setattr(scattered, "_PIECE", 7)
    monkeypatch.setattr(scattered, "_MOST_PIECES", 1_000_000)
    monkeypatch.setattr(places_module, "GROUP", 5)
    monkeypatch.setattr(links, "GROUP", 5)
    again, others = parse_sample(tmp_path / "pieces")
    assert again == structures
    whole, small = PlacesFile(places), PlacesFile(others)
    for structure in structures:
        assert small.page(structure.id, 0, 99) == whole.page(structure.id, 0, 99)
        assert small.page(structure.id, 3, 4) == whole.page(structure.id, 3, 4)
        assert small.count(structure.id) == whole.count(structure.id)


class PicklingWorkers:
    """Two workers of which each gets and returns what a pipe would carry."""

    count = 2

    def submit(self, function: Any, *arguments: object) -> Future[Any]:
        done: Future[Any] = Future()
        function, arguments = sent((function, arguments))
        done.set_result(sent(function(*arguments)))
        return done


def sent(message: Any) -> Any:
    return pickle.loads(pickle.dumps(message))  # noqa: S301 - our own


def test_parts_of_a_dump_give_the_same_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "_HEAD_START", 0)

    def rows(workers: Any) -> list[list[int]]:
        folder = tmp_path / str(workers is None)
        folder.mkdir()
        tables = read.read_tables(
            SAMPLE_DUMP, read.ReadLedger(), max_bad_lines=0, workers=workers, places=folder
        )
        assert tables.places is not None
        return sorted(np.concatenate([*tables.places.blocks()]).tolist())

    parts = rows(PicklingWorkers())
    assert len(list((tmp_path / "False").iterdir())) == 2
    assert parts == rows(None)


# ---- Made-up dumps


def two_functions(folder: Path) -> tuple[Dump, int, int]:
    dump = Dump(folder)
    dump.source("src/lib.rs", "fn a() { b(); b() }\nfn b() { a(); b() }\nuse a as c;\n")
    a = dump.define("src/lib.rs", 0, 3, 1, "r", "fn a()")
    b = dump.define("src/lib.rs", 1, 3, 1, "r", "fn b()")
    for line, column, target in ((0, 9, b), (0, 14, b), (1, 9, a), (1, 14, b), (2, 4, a)):
        dump.refer("src/lib.rs", line, column, 1, target)
    return dump, a, b


def test_cycles_and_references_of_a_function_to_itself_are_edges(tmp_path: Path) -> None:
    found = parsed(two_functions(tmp_path)[0])
    assert found.refers_to("r::a") == ["r::b"]
    assert found.refers_to("r::b") == ["r::a", "r::b"]
    assert found.places_of("r::a") == [
        ("src/lib.rs", 2, 10, "r::b"),
        ("src/lib.rs", 3, 5, None),
    ]


def test_edges_that_lead_nowhere_and_places_that_come_twice_are_left_out(tmp_path: Path) -> None:
    dump, a, b = two_functions(tmp_path)
    dump.refer_by("src/lib.rs", 999_999, a)
    dump.refer("src/lib.rs", 0, 9, 1, b)
    dump.refer("src/lib.rs", 0, 16, 1, 999_998)
    dump.refer_by("src/lib.rs", dump.refer("src/lib.rs", 0, 12, 1, b), b)
    found = parsed(dump)
    assert found.refers_to("r::a") == ["r::b"]
    columns = [column for _, line, column, _ in found.places_of("r::b") if line == 1]
    assert columns == [10, 13, 15]


def test_places_that_no_file_has_are_kept_apart(tmp_path: Path) -> None:
    dump, a, b = two_functions(tmp_path)
    dump.refer("src/lib.rs", 2**39, 2**39, 1, a)
    dump.elements.append(
        {"type": "edge", "label": "item", "document": 999_997, "property": "references",
         "inVs": [dump.refer("src/lib.rs", 0, 12, 1, b)], "outV": a},
    )  # fmt: skip
    found = parsed(dump)
    assert found.refers_to("r::a") == ["r::b"], "a document that does not exist has no places"
    assert found.places_of("r::a")[-1] == ("src/lib.rs", 2**31 - 1, 2**31 - 1, None)


def test_a_dump_without_any_reference_has_no_places(tmp_path: Path) -> None:
    dump = Dump(tmp_path)
    dump.source("src/lib.rs", "fn a() {}\n")
    dump.define("src/lib.rs", 0, 3, 1, "r", "fn a()")
    found = parsed(dump)
    assert (found.refers_to("r::a"), found.places_of("r::a")) == ([], [])


def test_what_is_outside_is_known_by_its_symbol(tmp_path: Path) -> None:
    dump = Dump(tmp_path)
    dump.source("src/lib.rs", "fn a() { spawn() }\n")
    dump.source("vendor/v.rs", "fn v() { a() }\n")
    a = dump.define("src/lib.rs", 0, 3, 1, "r", "fn a()")
    v = dump.define("vendor/v.rs", 0, 3, 1, "v", "fn v()")
    spawn = dump.outside("file:///deps/tokio.rs", "tokio::task::spawn", "pub fn spawn()")
    dump.refer("src/lib.rs", 0, 9, 5, spawn)
    dump.refer("src/lib.rs", 0, 15, 1, v)
    dump.refer("vendor/v.rs", 0, 9, 1, a)
    found = parsed(dump, exclude=["vendor/**"])
    assert found.by_symbol["r::a"].uses == ("tokio::task::spawn::spawn", "v::v")
    assert found.places_of("tokio::task::spawn::spawn") == [("src/lib.rs", 1, 10, "r::a")]
    assert found.places_of("r::a") == [], "a file that is left out has no places"


def test_locals_and_fields_are_no_targets(tmp_path: Path) -> None:
    dump = Dump(tmp_path)
    dump.source("src/lib.rs", "struct S { x: u8 }\nfn a(s: S) { s.x; }\n")
    dump.define("src/lib.rs", 0, 7, 1, "r", "struct S")
    a_field = dump.define("src/lib.rs", 0, 11, 1, "r::S", "x: u8")
    dump.define("src/lib.rs", 1, 3, 1, "r", "fn a(s: S)")
    a_local = dump.define("src/lib.rs", 1, 5, 1, "", "s: S")
    dump.refer("src/lib.rs", 1, 13, 1, a_local)
    dump.refer("src/lib.rs", 1, 15, 1, a_field)
    found = parsed(dump)
    assert (found.refers_to("r::a"), found.by_symbol["r::a"].uses) == ([], ())


def dump_with_self(folder: Path, head: str) -> Dump:
    """Return a dump with an impl block for `head`, and `Self` in it.

    The path of what `Self` shows is that of the block's module.
    """
    dump = Dump(folder)
    dump.source("src/lib.rs", "struct S<T>;\nmod m;\n")
    dump.source("src/m.rs", f"impl T for {head} {{\n    fn f() {{ Self; }}\n}}\n")
    dump.define("src/m.rs", 1, 7, 1, "r::S", "fn f()")
    its_self = dump.define("src/m.rs", 0, 11, len(head), "r::m", "struct S<T>")
    dump.refer("src/m.rs", 1, 13, 4, its_self)
    return dump


@pytest.mark.parametrize(("head", "column"), [("S", 11), ("S<u8>", 11), ("crate::S<u8>", 18)])
def test_self_is_the_type_at_the_head_of_the_impl_wherever_that_is(
    head: str, column: int, tmp_path: Path
) -> None:
    dump = dump_with_self(tmp_path, head)
    dump.refer("src/m.rs", 0, column, 1, dump.define("src/lib.rs", 0, 7, 1, "r", "struct S<T>"))
    found = parsed(dump)
    assert [place[:3] for place in found.places_of("r::S")] == [
        ("src/m.rs", 1, column + 1),
        ("src/m.rs", 2, 14),
    ]
    assert all(not structure.uses for structure in found.by_symbol.values())


def test_self_is_a_type_of_another_crate_by_the_symbol_of_that(tmp_path: Path) -> None:
    dump = dump_with_self(tmp_path, "S")
    dump.refer("src/m.rs", 0, 11, 1, dump.outside("file:///deps/s.rs", "s::deep", "struct S"))
    found = parsed(dump)
    assert [place[1:3] for place in found.places_of("s::deep::S")] == [(1, 12), (2, 14)]
    assert found.places_of("r::m::S") == []


def test_self_in_an_impl_of_an_alias_is_the_type_that_the_symbol_says(tmp_path: Path) -> None:
    dump = dump_with_self(tmp_path, "Alias")
    with (dump.root / "src/m.rs").open("a") as file:
        file.write("type Alias = S;\nstruct S;\n")
    dump.refer("src/m.rs", 0, 11, 5, dump.define("src/m.rs", 3, 5, 5, "r::m", "type Alias = S"))
    dump.define("src/m.rs", 4, 7, 1, "r::m", "struct S")
    found = parsed(dump)
    assert [place[1:3] for place in found.places_of("r::m::S")] == [(2, 14)]
    assert [place[1:3] for place in found.places_of("r::m::Alias")] == [(1, 12)]


def test_the_innermost_structure_has_the_place_and_columns_are_utf_16(tmp_path: Path) -> None:
    dump = Dump(tmp_path)
    dump.source("src/lib.rs", "fn a() { /*🦀🦀*/ fn i() { b() } b() } fn b() {}\n")
    dump.define("src/lib.rs", 0, 3, 1, "r", "fn a()")
    dump.define("src/lib.rs", 0, 21, 1, "r::a", "fn i()")
    b = dump.define("src/lib.rs", 0, 42, 1, "r", "fn b()")
    dump.refer("src/lib.rs", 0, 27, 1, b)
    dump.refer("src/lib.rs", 0, 33, 1, b)
    found = parsed(dump)
    assert found.places_of("r::b") == [
        ("src/lib.rs", 1, 28, "r::a::i"),
        ("src/lib.rs", 1, 34, "r::a"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_columns_and_lengths_are_utf_16_whatever_the_dump_counts_in(
    encoding: str, tmp_path: Path
) -> None:
    def units(text: str) -> int:
        return len(text.encode(encoding if encoding == "utf-8" else f"{encoding}-le")) // {
            "utf-8": 1, "utf-16": 2, "utf-32": 4
        }[encoding]  # fmt: skip

    lines = [
        "\ufefffn é() { é() } // ü",
        "// 汉字 🦀",
        "fn g() { /*é🦀*/é(); /*汉*/ é() } fn h() { é() }",
        "#[cfg(off)] fn gone() { /*é*/ é() }",
    ]
    dump = Dump(tmp_path)
    dump.elements[0]["positionEncoding"] = encoding
    dump.source("src/lib.rs", "\n".join(lines) + "\n")
    called = dump.define("src/lib.rs", 0, units("\ufefffn "), units("é"), "r", "fn é()")
    dump.refer("src/lib.rs", 0, units("\ufefffn é() { "), units("é"), called)
    for name in "gh":
        at = units(lines[2][: lines[2].index(f"{name}(")])
        dump.define("src/lib.rs", 2, at, 1, "r", f"fn {name}()")
    columns = [match.start() for match in re.finditer(r"é\(", lines[2])]
    for column in columns:
        dump.refer("src/lib.rs", 2, units(lines[2][:column]), units("é"), called)
    found = parsed(dump, source_items=True)
    places = found.places.page(found.by_symbol["r::é"].id, 0, 10)
    assert [(place.line, place.column, place.length, place.is_guessed) for place in places] == [
        (1, 11, 1, False), (3, 17, 1, False), (3, 28, 1, False), (3, 43, 1, False), (4, 31, 1, True)
    ]  # fmt: skip
    assert [place[3] for place in found.places_of("r::é")] == [
        "r::é", "r::g", "r::g", "r::h", "r::gone"
    ]  # fmt: skip


def test_what_no_dump_has_is_guessed_from_modules_and_imports(tmp_path: Path) -> None:
    dump = Dump(tmp_path)
    lines = [
        "mod deep; mod off;",
        "use crate::deep::Thing as Other;",
        "fn helper() {}",
        "#[cfg(off)]",
        "fn gone(text: Other) -> u8 { helper(); text.helper(); let x = unheard(); helper() }",
        "#[cfg(a)] fn twice() {}",
        "#[cfg(b)] fn twice() {}",
    ]
    dump.source("src/lib.rs", "\n".join(lines) + "\n")
    dump.source("src/deep.rs", "pub struct Thing;\n")
    dump.define("src/lib.rs", 2, 3, 6, "r", "fn helper()")
    dump.define("src/deep.rs", 0, 11, 5, "r::deep", "pub struct Thing")
    (dump.root / "Cargo.toml").write_text('[package]\nname = "r"\nversion = "0.1.0"\n')
    (dump.root / "src" / "off.rs").write_text(
        "use super::{helper, deep::{self, Thing}};\n"
        "// helper() in words\n"
        "impl Thing { fn own() { helper(); super::twice(); deep::Thing } }\n"
        'mod inner { fn alone() { helper(); super::super::helper(); "helper()"; } }\n'
    )
    found = parsed(dump, source_items=True)
    maybe = {
        symbol: found.named(structure.may_refer_to) for symbol, structure in found.by_symbol.items()
    }
    assert maybe == {
        "r::helper": [],
        "r::gone": ["r::deep::Thing", "r::helper"],
        "r::twice": [],
        "r::deep::Thing": [],
        "r::off::impl Thing": ["r::deep::Thing"],
        "r::off::Thing::own": ["r::deep::Thing", "r::helper"],
        "r::off::inner::alone": ["r::helper"],
    }
    assert all(not structure.refers_to for structure in found.by_symbol.values())
    assert found.places_of("r::deep::Thing") == [
        ("src/lib.rs", 5, 15, "r::gone"),
        ("src/off.rs", 3, 6, "r::off::impl Thing"),
        ("src/off.rs", 3, 57, "r::off::Thing::own"),
    ]
    helper = found.by_symbol["r::helper"].id
    assert all(place.is_guessed for place in found.places.page(helper, 0, 9))


def test_what_the_dump_knows_is_never_guessed(sample: Parsed) -> None:
    for structure in sample.by_symbol.values():
        assert structure.origin == "source" or not structure.may_refer_to
        for place in sample.places.page(structure.id, 0, 999):
            assert not place.is_guessed or place.structure_id is not None


def test_a_place_is_not_guessed_that_the_dump_has_in_a_record_of_the_sources(
    tmp_path: Path,
) -> None:
    dump = Dump(tmp_path)
    dump.source("src/lib.rs", "fn helper() {}\nfn gone() { helper(); helper() }\n")
    helper = dump.define("src/lib.rs", 0, 3, 6, "r", "fn helper()")
    dump.refer("src/lib.rs", 1, 12, 6, helper)
    found = parsed(dump, source_items=True)
    places = found.places.page(found.by_symbol["r::helper"].id, 0, 9)
    assert [(place.column, place.is_guessed) for place in places] == [(13, False), (23, True)]
    assert found.refers_to("r::gone") == ["r::helper"]


def test_records_without_places_are_as_before(tmp_path: Path) -> None:
    dump = two_functions(tmp_path)[0]
    ledger, structures = dump.parse()
    assert (ledger.places, ledger.places_digest) == (0, "")
    assert all(not structure.refers_to for structure in structures)


# ---- The parts


def test_rows_that_are_scattered_come_back_by_key_in_the_order_of_their_coming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scattered, "_PIECE", 3)
    counts = np.array([2, 0, 7, 1, 1])
    rows = np.array([[2, 1], [0, 2], [4, 3], [2, 4], [3, 5], [2, 6], [0, 7]])

    def added() -> ScatteredRows:
        made = ScatteredRows(tmp_path, 2, counts)
        made.add(rows[:3])
        made.add(rows[3:])
        return made

    pieces = [(piece.begin, piece.end, piece.rows.tolist()) for piece in added().pieces()]
    assert pieces == [
        (0, 2, [[0, 2], [0, 7]]),
        (2, 3, [[2, 1], [2, 4], [2, 6]]),
        (3, 5, [[4, 3], [3, 5]]),
    ]
    in_order = np.concatenate([*added().in_order()]).tolist()
    assert in_order == [[0, 2], [0, 7], [2, 1], [2, 4], [2, 6], [3, 5], [4, 3]]
    assert list(tmp_path.iterdir()) == []


def test_blocks_of_rows_are_small_however_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lsif.reader.spill._AT_ONCE", 10)
    spilled = SpilledRows(tmp_path, 2)
    for number in range(25):
        spilled.append(number, 0)
    spilled.extend(np.array([[25, 0], [26, 0]]))
    blocks = [*spilled.blocks()]
    assert max(map(len, blocks)) == 10
    assert sorted(np.concatenate(blocks)[:, 0].tolist()) == [*range(27)]


def test_the_innermost_span_is_found_among_nested_equal_and_separate_ones() -> None:
    spans = np.array([[10, 50], [20, 30], [22, 24], [60, 70], [60, 70]])
    places = np.array([5, 10, 21, 23, 24, 30, 49, 50, 65])
    assert innermost(spans, places).tolist() == [-1, 0, 1, 2, 1, 0, 0, -1, 4]
    assert innermost(spans[:0], places).tolist() == [-1] * 9


def test_a_structure_with_very_many_places_is_paged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scattered, "_PIECE", 5_000)
    dump = Dump(tmp_path)
    dump.source("src/lib.rs", "fn a() {}\nfn b() {\n" + "a();\n" * 40_000 + "}\n")
    a = dump.define("src/lib.rs", 0, 3, 1, "r", "fn a()")
    dump.define("src/lib.rs", 1, 3, 1, "r", "fn b()")
    for line in range(40_000):
        dump.refer("src/lib.rs", line + 2, 0, 1, a)
    found = parsed(dump)
    target = found.by_symbol["r::a"].id
    assert found.places.count(target) == 40_000
    around = found.by_symbol["r::b"].id
    assert found.places.page(target, 0, 1) == [Place("src/lib.rs", 3, 1, 1, None, around)]
    assert [place.line for place in found.places.page(target, 39_998, 10)] == [40_001, 40_002]
    assert found.places.page(target, 40_000, 10) == []
    read = found.places._file.read_row_group
    groups: list[int] = []

    def noting(group: int, **options: Any) -> Any:
        groups.append(group)
        return read(group, **options)

    monkeypatch.setattr(found.places._file, "read_row_group", noting)
    found.places.page(target, 20_000, 10)
    assert len(groups) <= 2, groups
    found.places.page(target, 20_010, 10)  # what was read last is kept
    assert found.places.count(target) == 40_000
    assert len(groups) <= 2, groups


@pytest.mark.parametrize("content", [b"", b"PAR1 and something else"])
def test_a_damaged_file_of_places_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "places.parquet").write_bytes(content)
    with pytest.raises(PlacesError, match="Ingest again"):
        PlacesFile(tmp_path / "places.parquet")


def test_places_with_a_flipped_bit_are_told(tmp_path: Path) -> None:
    _, good = parse_sample(tmp_path)
    content, damaged = good.read_bytes(), tmp_path / "damaged.parquet"
    targets = pq.read_table(good).column("target").unique().to_pylist()[::10]

    def pages(path: Path) -> list[list[Place]]:
        places = PlacesFile(path)
        return [places.page(target, 0, 100) for target in targets]

    whole, told = pages(good), 0
    footer = int.from_bytes(content[-8:-4], "little")  # its length, which has no checksum
    for at in range(4, len(content) - 8 - footer, 40):
        flipped = content[at] ^ 1 << at % 8
        damaged.write_bytes(content[:at] + bytes([flipped]) + content[at + 1 :])
        try:
            assert pages(damaged) == whole, at  # in what nobody reads
        except PlacesError:
            told += 1
    assert told > 20


def test_a_block_implements_the_trait_at_its_head_whatever_an_import_calls_it(
    tmp_path: Path,
) -> None:
    dump = Dump(tmp_path)
    dump.source("src/lib.rs", "trait Shape { fn area(); }\nmod m;\n")
    dump.source(
        "src/m.rs",
        "use crate::Shape as Form;\nstruct S;\nimpl<T: Form> crate::m::Form for S {\n"
        "    fn area() {}\n}\n",
    )
    shape = dump.define("src/lib.rs", 0, 6, 5, "r", "trait Shape")
    dump.define("src/lib.rs", 0, 17, 4, "r::Shape", "fn area()")
    dump.define("src/m.rs", 3, 7, 4, "r::m::S", "fn area()")
    for column in (8, 24):
        dump.refer("src/m.rs", 2, column, 4, shape)
    found = parsed(dump, source_items=True)
    block, area = (
        structure
        for structure in found.by_symbol.values()
        if structure.context.file_path == "src/m.rs" and structure.implements
    )
    assert found.named(block.implements) == ["r::Shape"]
    assert found.named(area.implements) == ["r::Shape::area"]
    kinds = {
        place.column: place.kind
        for place in found.places.page(found.by_symbol["r::Shape"].id, 0, 10)
    }
    assert kinds == {9: None, 25: "implementation"}


def test_a_function_behind_a_byte_order_mark_is_linked(tmp_path: Path) -> None:
    """To rust-analyzer the mark is the first character of the line."""
    dump = Dump(tmp_path)
    dump.source("src/lib.rs", "\ufefffn f() { f() }\nfn g() { f() }\n")
    target = dump.define("src/lib.rs", 0, 4, 1, "r", "fn f()")
    dump.define("src/lib.rs", 1, 3, 1, "r", "fn g()")
    dump.refer("src/lib.rs", 0, 10, 1, target)
    dump.refer("src/lib.rs", 1, 9, 1, target)
    found = parsed(dump, source_items=True)
    assert {structure.origin for structure in found.by_symbol.values()} == {"index"}
    assert found.places_of("r::f") == [
        ("src/lib.rs", 1, 11, "r::f"),
        ("src/lib.rs", 2, 10, "r::g"),
    ]
